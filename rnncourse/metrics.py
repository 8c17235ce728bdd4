"""How good is a model of text? Nats per token, perplexity, bits per character."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .cells import expect


def token_nll(logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood of the real tokens, in nats per token.

    Parameters
    ----------
    logits : Tensor, shape (T, B, V)
        Unnormalised scores; ``logits[t, b]`` predicts ``targets[t, b]``.
    targets : int64 Tensor, shape (T, B)
    mask : bool Tensor, shape (T, B), optional
        True where a target is real. What lies where it is False is never read, so it changes neither value nor gradient, NaN included.

    Raises
    ------
    ValueError
        If the shapes (T, B) differ, or no token is real.
    """
    mask = torch.ones_like(targets, dtype=torch.bool) if mask is None else mask
    expect(logits.shape[:2] == targets.shape == mask.shape, "logits, targets and mask", "a common (T, B)",
           [tuple(a.shape) for a in (logits, targets, mask)])  # fmt: skip
    expect(bool(mask.any()), "mask", "at least one real token", "none")
    return F.cross_entropy(logits[mask], targets[mask])  # (N, V), (N,) -> ()


def perplexity(nll: float) -> float:
    """From nats per token to the number of equally likely tokens among which the choice would be as hard: e to the nll.

    The base and the logarithm belong together: 2 to the *bits* per token is the same number, 2 to the nats is another.
    """
    return math.exp(nll)


def bits_per_character(nll: float, tokens: int, characters: int) -> float:
    """From nats per token to bits per character of the text, in which models over different tokens can be compared.

    Parameters
    ----------
    nll : float
        Mean over the tokens, in nats.
    tokens, characters : int
        Of the same text; the ends of sentences count in both.

    Examples
    --------
    >>> bits_per_character(math.log(2), tokens=10, characters=40)
    0.25
    """
    expect(min(tokens, characters) > 0, "tokens and characters", "at least 1", (tokens, characters))
    return nll * tokens / characters / math.log(2)
