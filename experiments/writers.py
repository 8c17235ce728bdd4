"""The three models of Lab 5: RNN, GRU and LSTM of about 32,000 parameters, which have read the stump speeches character by character.

They read a sentence from its first character on, as in Lab 4, only ten times as long.
"""

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from rnncourse import corpora, decoding, metrics, models, results, stump, text
from rnncourse.text import EOS

SIZES, RATES = {"RNN": 130, "GRU": 75, "LSTM": 64}, {"RNN": 0.003, "GRU": 0.01, "LSTM": 0.015}
EMBEDDING, BATCH, UPDATES, CHECKED, DRAWN, MAXIMUM = 32, 32, 2000, 500, 200, 120


@cache
def corpus() -> tuple[str, list[Tensor], list[str]]:
    """The characters, whose numbers begin at 2; the training sentences as numbers; the held-out sentences."""
    train, held_out = corpora.stump_speeches()
    letters = "".join(sorted({*train} - {"\n"}))
    return letters, [encode(line, letters) for line in train.splitlines()], held_out.splitlines()


def encode(line: str, letters: str) -> Tensor:
    return torch.tensor([letters.index(c) + 2 for c in line])  # (N,)


def loss(model: models.LanguageModel, sentences: list[Tensor]) -> Tensor:
    """Nats for each character after a sentence's first one, its end included."""
    _, targets, mask = text.batch(sentences)  # (T, B)
    return metrics.token_nll(model(targets[:-1])[0], targets[1:], mask[1:])


def losses(model: models.LanguageModel, seed: int) -> Iterator[Tensor]:
    """Of one batch after another, for ever."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for _, targets, mask in text.buckets(corpus()[1], BATCH, generator):
            yield metrics.token_nll(model(targets[:-1])[0], targets[1:], mask[1:])


@torch.no_grad()
def written(model: models.LanguageModel, seed: int, **how: float) -> list[str]:
    """Sentences that begin with the first character of held-out ones."""
    letters, _, lines = corpus()
    first = torch.cat([encode(line[0], letters) for line in lines[:DRAWN]])  # (B,)
    drawn = decoding.sample(model.step, first, EOS, MAXIMUM, torch.Generator().manual_seed(seed), **how)
    return [line[0] + "".join(letters[i - 2] for i in ids if i > 1) for line, ids in zip(lines, drawn)]


def run(seed: int, cell: str, updates: int) -> list[float]:
    """Bits a character on held-out sentences; the share of grammatical ones among sentences that are drawn, and drawn from the nucleus of 0.9.

    Seed 0 leaves its weights, rounded to 16 bits, in solutions/decoding/models.pt.
    """
    torch.manual_seed(seed)
    letters, _, lines = corpus()
    model = models.LanguageModel(len(letters) + 2, EMBEDDING, SIZES[cell], cell)
    for _ in models.learn(model, losses(model, seed), updates, RATES[cell]):
        pass
    path = results.root() / "solutions" / "decoding" / "models.pt"
    if seed == 0 and updates == UPDATES:
        stored = torch.load(path, weights_only=True) if path.exists() else {"letters": letters}
        torch.save(stored | {cell: {name: w.half() for name, w in model.state_dict().items()}}, path)
    grammar = stump.grammar()
    with torch.no_grad():
        bits = loss(model, [encode(line, letters) for line in lines[:CHECKED]]).item() / math.log(2)
    shares = [sum(grammar.parses(line) > 0 for line in written(model, seed, **how)) / DRAWN for how in ({}, {"top_p": 0.9})]
    return [bits, *shares]


if __name__ == "__main__":
    results.record(__file__, [{"cell": cell, "updates": UPDATES} for cell in SIZES], range(3), UPDATES)
