"""What the readout of a language model costs as its vocabulary grows: milliseconds of one thread, beside the recurrent layer."""

import time
from statistics import median

import torch
from torch import Tensor

from rnncourse import metrics, models, results

D, H, T, B, REPEATS = 64, 128, 32, 16, 7
SIZES = (100, 300, 1000, 3000, 10_000, 30_000)


def seconds(work, *inputs: Tensor) -> tuple[float, Tensor]:
    """CPU seconds of some work, and what it returns."""
    began = time.process_time()
    done = work(*inputs)
    return time.process_time() - began, done


def run(seed: int, V: int) -> list[float]:
    """Median CPU milliseconds, forward and backward, of the embedding with the LSTM, and of the readout with the loss.

    Parameters
    ----------
    seed : int
        For weights and tokens.
    V : int
        Size of the vocabulary.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = models.LanguageModel(V, D, H)
    ids, targets = torch.randint(V, (2, T, B))  # (T, B) each
    below, above = [], []
    for _ in range(REPEATS + 1):  # the first warms up
        model.zero_grad()
        forth, h = seconds(lambda: model.rnn(model.embedding(ids))[0])  # (T, B, H)
        cut = h.detach().requires_grad_()
        top, _ = seconds(lambda: metrics.token_nll(model.decoder(cut), targets).backward())
        back, _ = seconds(lambda: h.backward(cut.grad))
        below.append(1000 * (forth + back))
        above.append(1000 * top)
    return [median(below[1:]), median(above[1:])]


if __name__ == "__main__":
    results.record(__file__, cases=[{"V": V} for V in SIZES], seeds=range(3), updates=0)
