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


def adding(T: int, B: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """The adding problem: the sum of the two marked numbers of a sequence, asked for at its end.

    The layout of Arjovsky et al. (2016): one mark in each half, all numbers in [0, 1]. The original (Hochreiter &
    Schmidhuber 1997) has numbers in [-1, 1], the first mark among the first ten steps and targets 0.5 + sum / 4, so that
    its error of .04 is .08 here.

    Parameters
    ----------
    T, B : int
        Steps, at least 2, and sequences.
    generator : torch.Generator, optional

    Returns
    -------
    x : Tensor, shape (T, B, 2)
        The number, and 1 at the two marked steps, else 0.
    targets : Tensor, shape (B,)
        The sum of the two marked numbers, in [0, 2]. Its variance is 1/6: the mean squared error of always saying 1.
    """
    expect(T >= 2, "T", "at least 2", T)
    numbers = torch.rand(T, B, generator=generator)
    first = torch.randint(T // 2, (1, B), generator=generator)
    second = torch.randint(T // 2, T, (1, B), generator=generator)
    marks = torch.zeros(T, B).scatter_(0, torch.cat([first, second]), 1.0)  # (T, B)
    return torch.stack([numbers, marks], dim=-1), (numbers * marks).sum(0)  # (T, B, 2), (B,)


def temporal_order(T: int, B: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Temporal order: two of the symbols are X or Y, early and in the middle; which, and in which order?

    Task 6a of Hochreiter & Schmidhuber (1997) at a fixed length, with the places of X and Y scaled to it as in Pascanu
    et al. (2013): steps T/10 to 2T/10 and 5T/10 to 6T/10.

    Parameters
    ----------
    T, B : int
        Steps, at least 10, and sequences.
    generator : torch.Generator, optional

    Returns
    -------
    x : Tensor, shape (T, B, 6)
        One-hot: X, Y, and four symbols that say nothing.
    targets : int64 Tensor, shape (B,)
        0 for X … X, 1 for X … Y, 2 for Y … X, 3 for Y … Y.
    """
    expect(T >= 10, "T", "at least 10", T)
    symbols = torch.randint(2, 6, (T, B), generator=generator)
    pair = torch.randint(2, (2, B), generator=generator)
    places = torch.stack([torch.randint(k * T // 10, (k + 1) * T // 10, (B,), generator=generator) for k in (1, 5)])  # (2, B)
    symbols = symbols.scatter(0, places, pair)  # (T, B)
    return 1.0 * torch.nn.functional.one_hot(symbols, 6), 2 * pair[0] + pair[1]  # (T, B, 6), (B,)


def copy(T: int, B: int, n: int = 10, K: int = 8, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Copy memory: n symbols, a wait of T steps, then the same symbols must be said.

    Parameters
    ----------
    T, B : int
        Steps of waiting, at least 1, and sequences.
    n, K : int
        Symbols to remember, and how many kinds there are.
    generator : torch.Generator, optional

    Returns
    -------
    x : Tensor, shape (T + 2n, B, K + 2)
        One-hot: a symbol 0 … K - 1, the blank K, or the sign K + 1 that asks, n steps before the end.
    targets : int64 Tensor, shape (T + 2n, B)
        The blank K, at the last n steps the symbols in their order. A model without memory does best with a loss of
        ``n ln K / (T + 2n)`` nats a step: it knows when to answer, and not what.

    References
    ----------
    Arjovsky, Shah & Bengio (2016), Unitary evolution recurrent neural networks, ICML.
    """
    expect(T >= 1, "T", "at least 1", T)
    symbols = torch.randint(K, (n, B), generator=generator)
    said = torch.full((T + 2 * n, B), K)
    said[:n], said[T + n] = symbols, K + 1
    targets = torch.full((T + 2 * n, B), K)
    targets[T + n :] = symbols
    return 1.0 * torch.nn.functional.one_hot(said, K + 2), targets  # (T + 2n, B, K + 2), (T + 2n, B)
