"""Write with a model: one token after another, each fed back."""

from collections.abc import Callable

import torch
from torch import Tensor

from .cells import expect


@torch.no_grad()
def sample(step: Callable, tokens: Tensor, eos: int, maximum: int, generator: torch.Generator | None = None,
           temperature: float = 1.0, state: object = None) -> list[list[int]]:  # fmt: skip
    """Draw sequences from a model, a batch side by side.

    Parameters
    ----------
    step : callable
        ``step(tokens, state) -> (log_probs, state)``: from int64 (B,) to (B, V), such as ``LanguageModel.step``.
    tokens : int64 Tensor, shape (B,)
        What is read first, one token for each sequence; it is not part of the answer.
    eos : int
        The token that ends a sequence; it is not part of the answer either.
    maximum : int
        Tokens at most.
    generator : torch.Generator, optional
    temperature : float
        Log-probabilities are divided by it: below 1 the likely becomes likelier. 0 takes the likeliest token, the first of equals.
    state : optional
        Before the first step; None means the model's own start.

    Returns
    -------
    list of B lists of int
    """
    expect(temperature >= 0, "temperature", "0 or more", temperature)
    drawn = []
    ended = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)  # (B,)
    while len(drawn) < maximum and not ended.all():
        log_probs, state = step(tokens, state)  # (B, V)
        if temperature == 0:
            tokens = log_probs.argmax(dim=-1)  # (B,)
        else:
            tokens = torch.multinomial((log_probs / temperature).softmax(dim=-1), 1, generator=generator)[:, 0]  # (B,)
        drawn.append(tokens)
        ended |= tokens == eos
    rows = torch.stack(drawn, dim=1).tolist() if drawn else [[] for _ in tokens]  # (B, N)
    return [row[: row.index(eos)] if eos in row else row for row in rows]
