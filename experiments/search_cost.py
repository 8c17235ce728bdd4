"""What a step of beam search costs: the model alone on as many rows, with its softmax, and the whole search. Sixteen sequences at a time."""

import time
from collections.abc import Callable

import torch

from rnncourse import decoding, models, results
from rnncourse.text import EOS

HIDDEN, SEQUENCES, STEPS, REPEATS = 256, 16, 20, 12


def seconds(work: Callable[[], object]) -> float:
    """CPU time."""
    began = time.process_time()
    work()
    return time.process_time() - began


@torch.no_grad()
def run(seed: int, V: int, k: int) -> list[float]:
    """Milliseconds per step of the model on 16 k rows, and of the search.

    Parameters
    ----------
    seed : int
        For the weights of an LSTM of 256 units.
    V, k : int
        Size of the vocabulary, width of the beam.
    """
    torch.manual_seed(seed)
    model = models.LanguageModel(V, HIDDEN, HIDDEN).eval()
    model.decoder.bias[EOS] = -100.0  # nothing ends early
    start = torch.full((SEQUENCES,), EOS)

    def alone() -> None:
        tokens, state = start.repeat_interleave(k), None
        for _ in range(STEPS):
            log_probs, state = model.step(tokens, state)  # (16 k, V)

    def search() -> None:
        decoding.beam(model.step, start, EOS, k, STEPS, select=decoding.columns)

    alone(), search()  # warm up
    pairs = [(seconds(alone), seconds(search)) for _ in range(REPEATS)]
    return [1000 * min(times) / STEPS for times in zip(*pairs, strict=True)]  # the best of each: a busy machine only adds


if __name__ == "__main__":
    results.record(__file__, [{"V": V, "k": k} for V in (100, 1000, 8000) for k in (1, 4, 16)], seeds=range(3), updates=0)
