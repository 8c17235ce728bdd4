"""What truncated backpropagation costs: bytes kept for the backward pass, and processor time for each step of the stream."""

import time

import torch
from torch import nn

from rnncourse import cells, gradients, results, training

B, D, H, V = 32, 16, 64, 16


def problem(seed: int, T: int):
    """A tanh network that classifies every step of a random stream: its cell, the stream, the loss."""
    torch.manual_seed(seed)
    cell, readout = cells.RNN(D, H), nn.Linear(H, V)
    x, targets = torch.randn(T, B, D), torch.randint(V, (T, B))  # (T, B, D), (T, B)

    def loss(h, steps):
        return nn.functional.cross_entropy(readout(h).flatten(0, 1), targets[steps].flatten(), reduction="sum")

    return cell, x, loss, [*cell.parameters(), *readout.parameters(), x, targets]


def run(seed: int, what: str, k1: int, k2: int, T: int) -> float:
    """Bytes or milliseconds of a pass over one stream, forward and backward; weights do not change.

    Parameters
    ----------
    seed : int
        For weights and stream; times are repeated once for each seed.
    what : {"bytes", "ms"}
        "bytes": the most that waited for a backward pass at any time, without weights, inputs and targets.
        "ms": processor time for each step of the stream.
    k1, k2 : int
        As in `rnncourse.training.tbptt`; k1 = k2 = T is full backpropagation.
    T : int
        Length of the stream.
    """
    cell, x, loss, given = problem(seed, T)
    if what == "bytes":
        return gradients.kept(lambda: [E.backward() for E in training.tbptt(cell, x, loss, k1, k2)], given)
    for _ in range(2):  # the first pass warms up
        began = time.process_time()
        for E in training.tbptt(cell, x, loss, k1, k2):
            E.backward()
    return 1000 * (time.process_time() - began) / T


if __name__ == "__main__":
    windows = [(1, 1), (1, 10), (1, 50), (1, 100), (10, 10), (10, 50), (10, 100), (50, 50), (50, 100), (100, 100), (400, 400)]
    lengths = [(k, T) for T in (100, 200, 400, 800, 1600) for k in (50, T)]
    cases = [{"what": what, "k1": k1, "k2": k2, "T": 400} for what in ("bytes", "ms") for k1, k2 in windows]
    cases += [{"what": "bytes", "k1": k, "k2": k, "T": T} for k, T in lengths]
    results.record(__file__, cases=cases, seeds=range(3), updates=0)
