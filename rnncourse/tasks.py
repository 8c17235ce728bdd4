"""Small tasks whose answer is known, made to test memory over a given number of steps."""

import torch
from torch import Tensor

from .cells import expect


def echo(T: int, B: int, lag: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Say at every step what was read ``lag`` steps ago.

    Parameters
    ----------
    T, B : int
        Steps and sequences.
    lag : int
        At least 1.
    generator : torch.Generator, optional

    Returns
    -------
    x : Tensor, shape (T, B, 1)
        Random signs, +1 or -1.
    targets : int64 Tensor, shape (T, B)
        1 where the sign was +1.
    mask : bool Tensor, shape (T, B)
        False in the first ``lag`` steps, which have nothing to repeat.
    """
    expect(lag >= 1, "lag", "at least 1", lag)
    bits = torch.randint(2, (T, B), generator=generator)
    targets = torch.cat([torch.zeros(lag, B, dtype=torch.int64), bits])[:T]  # (T, B)
    mask = (torch.arange(T) >= lag)[:, None].expand(T, B)  # (T, B)
    return 2.0 * bits[..., None] - 1, targets, mask  # (T, B, 1)


def cue(T: int, B: int, lag: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Remember a sign through noise until a question comes, ``lag`` steps later; then the next sign follows at once.

    The sequences of a batch are shifted at random, so that no window always holds both the sign and the question.

    Parameters
    ----------
    T, B, lag : int
        Steps, sequences, and steps from the sign to its question.
    generator : torch.Generator, optional

    Returns
    -------
    x : Tensor, shape (T, B, 3)
        The sign (+1, -1, else 0), the question (1, else 0), Gaussian noise of standard deviation 0.5.
    targets : int64 Tensor, shape (T, B)
        1 where the sign was +1.
    mask : bool Tensor, shape (T, B)
        True at the questions whose sign was seen: the only steps with a loss.
    """
    expect(lag >= 1, "lag", "at least 1", lag)
    steps = torch.arange(T)[:, None] + torch.randint(lag + 1, (B,), generator=generator)  # (T, B)
    episode, phase = steps // (lag + 1), steps % (lag + 1)  # (T, B) each
    targets = torch.randint(2, (T // (lag + 1) + 2, B), generator=generator).gather(0, episode)  # (T, B)
    asked = phase == lag  # (T, B)
    sign = (2 * targets - 1) * (phase == 0)  # (T, B)
    x = torch.stack([sign, asked, 0.5 * torch.randn(T, B, generator=generator)], dim=-1)  # (T, B, 3)
    return x, targets, asked & ((episode > 0) | (steps[:1] == 0))


def latch(T: int, B: int, p: float, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Say at every step which sign came last; most steps bring none.

    Parameters
    ----------
    T, B : int
        Steps and sequences.
    p : float
        Chance of a sign at a step; the time between two signs is geometric, 1 / p steps on average.
    generator : torch.Generator, optional

    Returns
    -------
    x : Tensor, shape (T, B, 1)
        +1, -1, or 0 for no sign.
    targets : int64 Tensor, shape (T, B)
        1 where the last sign was +1.
    mask : bool Tensor, shape (T, B)
        False before the first sign of a sequence.
    """
    expect(0 < p <= 1, "p", "in (0, 1]", p)
    some = torch.rand(T, B, generator=generator) < p
    signs = 2 * torch.randint(2, (T, B), generator=generator) - 1
    x = 1.0 * signs * some  # (T, B)
    latest = (torch.arange(T)[:, None] * some).cummax(0).values  # (T, B), the step of the last sign
    return x[..., None], (x.gather(0, latest) > 0).long(), some.cumsum(0) > 0  # (T, B, 1), (T, B), (T, B)
