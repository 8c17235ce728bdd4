"""What does a character of Python's own sources cost, cut into characters, pieces or words? An LSTM, and counting, over each.

Equal for all: the training text (four spaces stand as one tab), the characters read, the characters an update sees and goes
back over, and, as nearly as can be, the parameters: where the vocabulary is large there are fewer units.
"""

import functools
import math
import re

import torch
from torch import Tensor

from rnncourse import corpora, metrics, models, ngrams, results
from rnncourse.text import EOS, UNK, Characters, Pieces, Vocabulary, Words

PARAMETERS, EMBEDDING, READERS, SPAN, CHARACTERS = 250_000, 32, 16, 64, 1_000_000
KINDS = [("characters", 0), ("bpe", 150), ("bpe", 300), ("bpe", 1000), ("unigram", 300), ("unigram", 1000), ("unigram", 3000), ("words", 3000)]


class Whole(Words):
    """Words that lose nothing of a line: each takes the space before it along."""

    glue = ""

    def split(self, text: str) -> list[str]:
        return re.findall(r" ?\w+| ?[^\w\s]+|[^\S\n]+", text)


@functools.cache
def python() -> tuple[str, str]:
    """To learn from and held out, as they are."""
    return corpora.python_source(CHARACTERS)


@functools.cache
def corpus() -> tuple[str, str]:
    """The same with indentation as tabs, since SentencePiece would make a token of every space."""
    return tuple(part.replace(" " * 4, "\t") for part in python())


@functools.cache
def vocabulary(kind: str, size: int) -> Vocabulary:
    """Made from the training part."""
    text = corpus()[0]
    if kind == "characters":
        return Characters(text.replace("\n", ""))
    return Whole(text, size) if kind == "words" else Pieces(text, size, kind)


def lines(text: str) -> list[str]:
    """Without their ends."""
    return text.removesuffix("\n").split("\n")


def encode(tokens: Vocabulary, text: str) -> Tensor:
    """The tokens of a text, (N,): its lines, each with an EOS, which stands for the line's end."""
    end = torch.tensor([EOS])
    return torch.cat([part for line in lines(text) for part in (tokens.encode(line), end)])


@functools.cache
def encoded(kind: str, size: int) -> tuple[Tensor, Tensor]:
    """Both parts of the corpus as tokens, (N,) each."""
    return tuple(encode(vocabulary(kind, size), part) for part in corpus())


def units(size: int) -> int:
    """The largest LSTM within the budget of parameters, for a vocabulary of this size."""
    count = lambda H: EMBEDDING * size + 4 * H * (EMBEDDING + H + 2) + size * (H + 1)  # noqa: E731
    return next(H for H in range(1, 10_000) if count(H + 1) > PARAMETERS)


@functools.cache
def spelling(kind: str, size: int) -> float:
    """Bits that it takes to spell the held-out text's unknown words: a 5-gram of characters, learnt from training's unknown words."""
    tokens, (train, held_out) = vocabulary(kind, size), corpus()
    unknown = [[w for line in lines(part) for w in tokens.split(line) if w not in tokens.ids] for part in (train, held_out)]
    if not unknown[1]:
        return 0.0
    letters = Characters(train)
    ids = [encode(letters, "\n".join(words)).numpy() for words in unknown]
    model = ngrams.kneser_ney(ids[0], 5, len(letters), boundary=EOS)
    return model.nll(ids[1]).sum().item() / math.log(2)


@functools.cache
def counting(kind: str, size: int) -> tuple[float, int]:
    """Nats per token of the best Kneser-Ney model and its n, which is chosen on the held-out text itself: in its favour."""
    train, held_out = encoded(kind, size)
    V = len(vocabulary(kind, size))
    return min((ngrams.kneser_ney(train, n, V).nll(held_out).mean().item(), n) for n in ((7, 9) if kind == "characters" else (4, 5, 6)))


def run(seed: int, kind: str, size: int, network: bool = True, lr: float = 0.02, characters: int = CHARACTERS) -> list[float]:
    """Bits per character of the held-out text, unknown words free; the bits that spell these; tokens per character; parameters
    and multiplications per character (forward) of a network, or n of the counting.

    Parameters
    ----------
    seed : int
        For the weights.
    kind, size : str and int
        Of the vocabulary.
    network : bool
        Whether an LSTM is trained. Otherwise n-grams are counted, on all of the text and whatever the seed.
    lr : float
        The highest of `models.learn`.
    characters : int
        To read in training, over and over if the text has fewer.
    """
    train, held_out = encoded(kind, size)
    V, text = len(vocabulary(kind, size)), python()  # characters as they were, without tabs
    rate = len(held_out) / len(text[1])  # tokens per character
    cost = lambda nll: metrics.bits_per_character(nll, len(held_out), len(text[1]))  # noqa: E731
    spelled = spelling(kind, size) / len(text[1])
    if not network:
        nll, n = counting(kind, size)
        return [cost(nll), spelled, rate, n]
    torch.manual_seed(seed)
    model, H = models.LanguageModel(V, EMBEDDING, units(V)), units(V)
    losses = models.Reading(model, train, READERS, round(SPAN * len(train) / len(text[0])))
    for _ in models.learn(model, losses, characters // (READERS * SPAN), lr):
        pass
    size_of = sum(p.numel() for p in model.parameters())
    return [cost(models.held_out_nll(model, held_out)), spelled, rate, size_of, rate * (4 * H * (EMBEDDING + H) + V * H)]


if __name__ == "__main__":
    cases = [{"kind": kind, "size": size, "network": network} for kind, size in KINDS for network in (False, True)]
    cases += [{"kind": kind, "size": size, "network": True, "lr": 0.01} for kind, size in (("characters", 0), ("unigram", 1000))]
    cases += [{"kind": "bpe", "size": 300, "characters": 60_000}]  # small: the chapter runs it anew
    results.record(__file__, cases, seeds=range(3), updates=CHARACTERS // (READERS * SPAN))
