"""Write with a model: draw one token after another, each fed back, or search for the likeliest sequence.

Every function asks the model for one thing: ``step(tokens, state) -> (log_probs, state)``, from int64 (B,) to (B, V), such as
``LanguageModel.step``. A table, a network of another library, a model of two parts will do.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .cells import expect


@torch.no_grad()
def sample(step: Callable, tokens: Tensor, eos: int, maximum: int, generator: torch.Generator | None = None,
           temperature: float = 1.0, state: object = None, top_k: int | None = None, top_p: float | None = None) -> list[list[int]]:  # fmt: skip
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
    top_k, top_p : int and float, optional
        As in `truncate`, which comes after the temperature.

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
            probabilities = truncate(log_probs / temperature, top_k, top_p).softmax(dim=-1)  # (B, V)
            tokens = torch.multinomial(probabilities, 1, generator=generator)[:, 0]  # (B,)
        drawn.append(tokens)
        ended |= tokens == eos
    written = torch.stack(drawn, dim=1).tolist() if drawn else [[] for _ in tokens]  # (B, N)
    return [row[: row.index(eos)] if eos in row else row for row in written]


def greedy(step: Callable, tokens: Tensor, eos: int, maximum: int, state: object = None) -> list[list[int]]:
    """The likeliest token at every step, the first of equals; parameters and answer as for `sample`."""
    return sample(step, tokens, eos, maximum, temperature=0.0, state=state)


def truncate(log_probs: Tensor, top_k: int | None = None, top_p: float | None = None) -> Tensor:
    """Forbid the unlikely tokens: -inf in place of their log-probability. The softmax of the answer shares 1 among the others.

    Parameters
    ----------
    log_probs : Tensor, shape (B, V)
        Or logits.
    top_k : int, optional
        How many tokens stay; of equals the first.
    top_p : float, optional
        The nucleus: of the tokens that ``top_k`` leaves, the fewest whose probabilities reach ``top_p`` together, the likeliest first.
        The token that crosses the line stays, so at least one always does.

    Returns
    -------
    Tensor, shape (B, V)

    References
    ----------
    Fan et al. (2018) for top-k, Holtzman et al. (2020) for the nucleus.
    """
    if top_k is None and top_p is None:
        return log_probs
    expect(top_k is None or top_k >= 1, "top_k", "1 or more", top_k)
    expect(top_p is None or 0 < top_p <= 1, "top_p", "above 0, and 1 at most", top_p)
    value, place = log_probs.sort(dim=1, descending=True, stable=True)  # (B, V)
    if top_k is not None:
        value[:, top_k:] = -math.inf
    if top_p is not None and top_p < 1:
        p = value.softmax(dim=1)  # (B, V)
        value[p.cumsum(dim=1) - p >= top_p] = -math.inf  # those before it are enough
    return torch.empty_like(value).scatter_(1, place, value)


class Hypothesis(NamedTuple):
    """A sequence that a search has found."""

    tokens: list[int]  # the last one is eos, if it has ended
    log_prob: float  # nats, of all its tokens together
    score: float  # what it was ranked by: log_prob / length ** alpha


def rows(state: object, index: Tensor, axis: int = 0) -> object:
    """Some sequences of a state, in a new order: (B, ...) -> (N, ...) for every tensor of a tree of tuples, lists and dicts."""
    if state is None:  # a part that a model does not use
        return None
    if isinstance(state, Tensor):
        return state.index_select(axis, index)
    if isinstance(state, dict):
        return {name: rows(part, index, axis) for name, part in state.items()}
    parts = [rows(part, index, axis) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)


def columns(state: object, index: Tensor) -> object:
    """`rows` for the layers of torch, whose states have the batch on axis 1: (num_layers, B, H) -> (num_layers, N, H)."""
    return rows(state, index, axis=1)


@torch.no_grad()
def exhaustive(step: Callable, tokens: Tensor, eos: int, maximum: int, state: object = None, n: int = 1, alpha: float = 0.0,
               select: Callable = rows) -> list[list[Hypothesis]]:  # fmt: skip
    """Score every sequence there is: the likeliest for certain, in V ** maximum steps. For toys.

    Parameters
    ----------
    step, tokens, eos, maximum, state, n, alpha, select
        As for `beam`.

    Returns
    -------
    list of B lists of n Hypothesis
        The best first; of equal scores the shorter one, then the one whose tokens have the smaller numbers.
    """
    expect(maximum >= 1, "maximum", "1 or more", maximum)
    item, log_prob, paths = torch.arange(len(tokens), device=tokens.device), 0.0, tokens.new_empty(len(tokens), 0)
    found = [[] for _ in tokens]
    for t in range(1, maximum + 1):
        log_probs, state = step(tokens, state)  # (N, V)
        N, V = log_probs.shape
        log_prob = (torch.as_tensor(log_prob)[..., None] + log_probs).flatten()  # (N * V,)
        parent = torch.arange(N, device=item.device).repeat_interleave(V)  # (N * V,)
        tokens = torch.arange(V, device=item.device).repeat(N)  # (N * V,)
        item, paths = item[parent], torch.cat([paths[parent], tokens[:, None]], dim=1)  # (N * V,), (N * V, t)
        possible = log_prob > -math.inf
        complete = possible & ((tokens == eos) | (t == maximum))
        for b, path, value in zip(item[complete].tolist(), paths[complete].tolist(), log_prob[complete].tolist()):
            found[b].append(Hypothesis(path, value, value / t**alpha))
        go_on = possible & ~complete
        item, paths, tokens, log_prob = item[go_on], paths[go_on], tokens[go_on], log_prob[go_on]  # (N, ...) each
        state = state if state is None else select(state, parent[go_on])
    return [sorted(several, key=lambda h: -h.score)[:n] for several in found]


@torch.no_grad()
def beam(step: Callable, tokens: Tensor, eos: int, k: int, maximum: int, state: object = None, n: int = 1, alpha: float = 0.0,
         select: Callable = rows) -> list[list[Hypothesis]]:  # fmt: skip
    """Beam search: at every step the k best beginnings of a sequence are kept, for a batch side by side.

    A beginning that has ended keeps its place among the k as long as its score does, and is never extended. The search stops before
    ``maximum`` only when no open beginning can reach the n best any more: the probability of a sequence never grows, and none is
    divided by more than ``maximum ** alpha``.

    Parameters
    ----------
    step : callable
        ``step(tokens, state) -> (log_probs, state)``: from int64 (B,) to (B, V), such as ``LanguageModel.step``.
    tokens : int64 Tensor, shape (B,)
        What is read first, one token for each sequence; it is not part of the answer.
    eos : int
        The token that ends a sequence. Unlike in `sample`, it is the last one of a sequence that has ended: it counts.
    k : int
        The width. 1 is greedy search.
    maximum : int
        Tokens at most, with ``eos``.
    state : optional
        Before the first step; None means the model's own start.
    n : int
        How many sequences are wanted, k at most.
    alpha : float
        A sequence is ranked by log_prob / length ** alpha: 0 takes the likeliest, which tends to be short; 1 the likeliest per token.
    select : callable
        ``select(state, index)``: some sequences of a state, in a new order. `rows` and `columns` are two.

    Returns
    -------
    list of B lists of n Hypothesis
        The best first; fewer where the model has not so many sequences. Of equal scores that one is better whose beginning, a step
        earlier, was; of one beginning's equal tokens the one with the smaller number.

    References
    ----------
    Graves (2012), Sequence transduction with recurrent neural networks; Wu et al. (2016) for the division by a power of the length.
    """
    expect(1 <= n <= k, "n", f"from 1 to k = {k}", n)
    expect(maximum >= 1 and alpha >= 0, "maximum and alpha", "1 or more, and 0 or more", (maximum, alpha))
    B, first = len(tokens), torch.arange(len(tokens), device=tokens.device)[:, None]  # (B, 1)
    state = state if state is None else select(state, first.expand(B, k).flatten())
    tokens = tokens.repeat_interleave(k)  # (B * k,)
    log_prob = torch.tensor([0.0] + [-math.inf] * (k - 1), device=tokens.device).repeat(B, 1)  # (B, k): one beginning, the empty one
    length, ended = torch.zeros_like(log_prob), torch.zeros_like(log_prob, dtype=torch.bool)  # (B, k) each
    itself = log_prob[0]  # (k,): what has ended has one continuation, for nothing
    paths = tokens.new_empty(B, k, 0)
    for _ in range(maximum):
        log_probs, state = step(tokens, state)  # (B * k, V)
        gain, token = (a.unflatten(0, (B, k)) for a in best(log_probs, k))  # (B, k, K): of one beginning no more than k can stay
        total = log_prob[..., None] + torch.where(ended[..., None], itself[: gain.shape[2]], gain)  # (B, k, K)
        longer = length + ~ended  # (B, k)
        score, place = best((total / longer[..., None] ** alpha).flatten(1), k)  # (B, k) each
        parent = place // gain.shape[2]  # (B, k)
        tokens = token.masked_fill(ended[..., None], eos).flatten(1).gather(1, place)  # (B, k)
        log_prob, length = total.flatten(1).gather(1, place), longer.gather(1, parent)  # (B, k) each
        paths = torch.cat([paths.take_along_dim(parent[..., None], 1), tokens[..., None]], dim=2)  # (B, k, t)
        ended = ended.gather(1, parent) | (tokens == eos)
        hope = log_prob.masked_fill(ended, -math.inf).amax(dim=1) / maximum**alpha  # (B,): no open one can score more
        if ((hope == -math.inf) | ended[:, :n].all(dim=1) & (hope < score[:, n - 1])).all():
            break
        state = state if state is None else select(state, (first * k + parent).flatten())
        tokens = tokens.flatten()  # (B * k,)
    return [[Hypothesis(path[: int(m)], *values) for path, m, *values in zip(*item) if values[0] > -math.inf][:n]
            for item in zip(paths.tolist(), length.tolist(), log_prob.tolist(), score.tolist())]  # fmt: skip


def best(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row in order, of equal ones the first: (B, N) -> values and places, (B, min(k, N)) each.

    Which of several equals torch's topk takes, and in which order, is left open. So it is asked for one more than k, and the rows in
    which any two of them are equal are sorted instead.
    """
    top, place = values.topk(min(k + 1, values.shape[1]))  # (B, k + 1)
    tied = ((top[:, 1:] == top[:, :-1]) & (top[:, 1:] > -math.inf)).any(dim=1)  # (B,)
    if tied.any():
        ordered, first = values[tied].sort(dim=1, descending=True, stable=True)  # (N, V)
        top[tied], place[tied] = ordered[:, : top.shape[1]], first[:, : top.shape[1]]
    return top[:, :k], place[:, :k]
