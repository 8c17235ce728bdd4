"""Numbers in French words to digits: an encoder and decoder whose answer is right or wrong, learned in seconds."""

import functools
import random

import torch
from torch import Tensor

from rnncourse import bilingual, decoding, metrics, models, results
from rnncourse.text import EOS, Characters, Words
from rnncourse.translation import Translator, batches, together

EMBEDDING, UNITS, BATCH, UPDATES, RATE, TESTED = 24, 64, 64, 600, 0.02, 400
DIGITS = Characters("0123456789")


@functools.cache
def corpus() -> tuple[list[int], list[int]]:
    """Numbers of 1 to 6 digits, each length equally often, to learn from; and others to test on, from 3 digits on (the short ones are all known)."""
    rng = random.Random(0)
    drawn = [rng.randrange(10**n) for n in (rng.randint(1, 6) for _ in range(22_000))]
    train = drawn[:20_000]
    return train, [n for n in dict.fromkeys(drawn[20_000:]) if n not in set(train)][:TESTED]


@functools.cache
def words() -> Words:
    """All words of French numbers, and the hyphen."""
    return Words(" ".join(map(bilingual.french_number, range(2001))), 100)


def encoded(numbers: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    """Words and digits of some numbers, (N,) each."""
    return [words().encode(bilingual.french_number(n)) for n in numbers], [DIGITS.encode(str(n)) for n in numbers]


def trained(seed: int, context: str, updates: int = UPDATES) -> Translator:
    """A translator after its updates."""
    torch.manual_seed(seed)
    model = Translator(len(words()), len(DIGITS), EMBEDDING, UNITS, context)
    some = batches(*encoded(corpus()[0]), BATCH, torch.Generator().manual_seed(seed))
    losses = (metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in some)
    for _ in models.learn(model, losses, updates, RATE):
        pass
    return model


def written(model: Translator, numbers: list[int]) -> list[str]:
    """What the model makes of some numbers, greedily."""
    sources, _ = encoded(numbers)
    source, lengths, _ = together(sources, sources)
    with torch.no_grad():
        state = model.encode(source, lengths)
    return [DIGITS.decode(ids) for ids in decoding.greedy(model.step, torch.full((len(numbers),), EOS), EOS, 10, state)]


def run(seed: int, context: str, updates: int = UPDATES) -> list[float]:
    """The share of test numbers that come out right: all of them, then those of 3, 4, 5 and 6 digits.

    Parameters
    ----------
    seed : int
        For the weights and the order of the numbers.
    context : str
        Of `Translator`.
    updates : int
    """
    right = [(len(str(n)), said == str(n)) for n, said in zip(corpus()[1], written(trained(seed, context, updates), corpus()[1]))]
    groups = [[ok for _, ok in right]] + [[ok for size, ok in right if size == n] for n in (3, 4, 5, 6)]
    return [sum(group) / len(group) for group in groups]


if __name__ == "__main__":
    results.record(__file__, [{"context": context} for context in ("start", "attention")], seeds=range(3), updates=UPDATES)
