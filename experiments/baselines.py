"""How much does a held-out character cost, if one counts? Three ways to smooth n-grams, and an LSTM that learns for a minute.

`run` returns bits per character and the processor's seconds for learning and scoring, or for "overlap" the share of held-out
windows that were seen. The seed is the network's: counting has none, so its values repeat. The corpus of TP 6 is yours to bring: set RNNCOURSE_SPEECHES to its path.
"""

import functools
import math
import time

import torch

from rnncourse import corpora, models, ngrams, results, text

CORPORA = {"stump speeches": corpora.stump_speeches, "Python's source": corpora.python_source, "speeches of TP 6": corpora.trump_speeches}
SMOOTHING = {"Kneser-Ney": ngrams.kneser_ney, "Witten-Bell": ngrams.witten_bell, "add one": ngrams.add_k}
ORDERS, UPDATES, B, T = (3, 4, 5, 6, 8, 10), 2250, 32, 64


@functools.cache
def corpus(name: str) -> tuple[int, torch.Tensor, torch.Tensor]:
    """The size of the vocabulary, the training part and the held-out part, (N,) each."""
    train, held_out = CORPORA[name]()
    letters = text.Characters(train)
    return len(letters), letters.encode(train), letters.encode(held_out)


@functools.cache
def count(name: str, smoothing: str, n: int) -> list[float]:
    V, train, held_out = corpus(name)
    began = time.process_time()
    nats = SMOOTHING[smoothing](train.numpy(), n, V).nll(held_out.numpy()).mean()
    return [float(nats) / math.log(2), time.process_time() - began]


def learn(seed: int, name: str, updates: int, hidden_size: int = 256, lr: float = 0.006) -> list[float]:
    V, train, held_out = corpus(name)
    torch.manual_seed(seed)
    began = time.process_time()
    model = models.LanguageModel(V, 64, hidden_size)
    for _ in models.learn(model, models.Reading(model, train, B, T), updates, lr):
        pass
    return [models.held_out_nll(model, held_out) / math.log(2), time.process_time() - began]


def run(seed: int, corpus: str, model: str, n: int = 0, updates: int = UPDATES) -> list[float]:
    if model == "overlap":
        return [corpora.overlap(*CORPORA[corpus]())]
    return learn(seed, corpus, updates) if model == "LSTM" else count(corpus, model, n)


if __name__ == "__main__":
    counted = [{"corpus": name, "model": smoothing, "n": n} for name in CORPORA for smoothing in SMOOTHING for n in ORDERS]
    others = [{"corpus": "speeches of TP 6", "model": "overlap"}, *({"corpus": name, "model": "LSTM"} for name in list(CORPORA)[1:])]
    results.record(__file__, cases=counted + others, seeds=(0, 1, 2), updates=UPDATES)
