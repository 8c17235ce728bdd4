"""Character models of two texts: RNN, GRU and LSTM of equal size, each with three learning rates, and n-grams beside them."""

from functools import cache

import torch
from torch import Tensor

from rnncourse import corpora, metrics, models, ngrams, results, text

TEXTS = {"stump speeches": corpora.stump_speeches, "python source": corpora.python_source}
SIZE, EMBEDDING, BATCH, WINDOW, UPDATES, POINTS = 32_000, 32, 16, 64, 1500, 10
RATES = {"RNN": (0.005, 0.01, 0.02), "GRU": (0.005, 0.01, 0.02), "LSTM": (0.01, 0.02, 0.04)}
CONTEXTS = (1, 2, 4, 8, 16, 32, 64, 128)  # tokens that are given
ORDERS = (2, 3, 5, 9, 13, 17)
PART = 50_000  # characters


@cache
def parts(name: str) -> tuple[int, Tensor, Tensor, Tensor]:
    """Size of the vocabulary, and the numbers of the characters to learn from, to choose rates on, and to report on."""
    train, held_out = TEXTS[name]()
    letters = text.Characters(train)
    learn, choose, held = (letters.encode(part) for part in (train[:-PART], train[-PART:], held_out[:PART]))
    return len(letters), learn, choose, held


def largest(cell: str, vocab_size: int) -> models.LanguageModel:
    """The largest model of one layer that has at most SIZE parameters."""
    make = lambda H: models.LanguageModel(vocab_size, EMBEDDING, H, cell)  # noqa: E731
    size = lambda H: sum(p.numel() for p in make(H).parameters())  # noqa: E731
    return make(max(H for H in range(40, 150) if size(H) <= SIZE))


def places(values: Tensor, B: int = 8, count: int = 2000) -> tuple[Tensor, Tensor]:
    """Something that each token of a text has, in B columns (T, B), and the steps (P,) at which models are asked."""
    rows = values[: len(values) // B * B].view(B, -1).T  # (T, B)
    return rows, torch.linspace(max(CONTEXTS), len(rows) - 1, count // B).long()


@torch.no_grad()
def recent(model: models.LanguageModel, rows: Tensor, n: int, t: Tensor) -> float:
    """Nats per token at steps t of (T, B), given the last n tokens only (eq-neural-context)."""
    given = rows[t - n + torch.arange(n)[:, None]].flatten(1)  # (n, P * B)
    h, _ = model.rnn(model.embedding(given))  # (n, P * B, H)
    logits = model.decoder(h[-1:])  # (1, P * B, V)
    return metrics.token_nll(logits, rows[t].view(1, -1)).item()


@torch.no_grad()
def memory(model: models.LanguageModel, ids: Tensor) -> list[float]:
    """`recent` for each n of CONTEXTS, then nats per token at the same places with all that stands before them in their column."""
    rows, t = places(ids)
    logits, _ = model(rows)  # (T, B, V)
    return [*(recent(model, rows, n, t) for n in CONTEXTS), metrics.token_nll(logits[t - 1], rows[t]).item()]


@cache
def counted(name: str) -> list[float]:
    """Nats per token of n-grams, for each of ORDERS: on the whole held-out part, then at the places of `memory`."""
    V, learn, _, held = parts(name)
    nats = [torch.from_numpy(ngrams.kneser_ney(learn.numpy(), n, V).nll(held.numpy())) for n in ORDERS]
    return [*(costs.mean().item() for costs in nats), *(rows[t].mean().item() for rows, t in map(places, nats))]


def run(seed: int, name: str, cell: str, rate: float = 0.0, updates: int = UPDATES) -> list[float]:
    """Train one model, or count the n-grams.

    Parameters
    ----------
    seed : int
        For the weights.
    name : str
        One of TEXTS.
    cell : {"RNN", "GRU", "LSTM", "n-gram"}
    rate : float
        The highest of `models.learn`.
    updates : int

    Returns
    -------
    list of float
        Nats per token on the part to choose with; then on the held-out part after each of POINTS equal shares of the updates;
        then `memory` there. "n-gram": what `counted` returns.
    """
    if cell == "n-gram":
        return counted(name)
    V, learn, choose, held = parts(name)
    torch.manual_seed(seed)
    model, curve = largest(cell, V), []
    for record in models.learn(model, models.Reading(model, learn, BATCH, WINDOW), updates, rate):
        if (record.step + 1) % (updates // POINTS) == 0:
            curve.append(models.held_out_nll(model, held))
    return [models.held_out_nll(model, choose), *curve, *memory(model, held)]


if __name__ == "__main__":
    cases = [{"name": name, "cell": "n-gram"} for name in TEXTS]
    cases += [{"name": name, "cell": cell, "rate": rate} for name in TEXTS for cell in RATES for rate in RATES[cell]]
    cases += [{"name": "stump speeches", "cell": "LSTM", "rate": 0.01, "updates": 40}]  # small enough to be run again
    results.record(__file__, cases=cases, seeds=range(3), updates=UPDATES)
