"""Parity of a string of signs, learned by a tanh network from data: from one label at the end, or from a label at every step.

The network is large enough: two of its units, set by hand, compute the parity of any string (book/recurrence/uses.md).
"""

import torch
from torch import nn
from torch.nn import functional as F

from rnncourse import results
from rnncourse.cells import RNN
from rnncourse.unfold import unfold

UNITS, BATCH, LEARNING_RATE = 32, 64, 0.01


def strings(T: int, B: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random signs, (T, B, 1), and at every step whether the number of +1 so far is odd, 0.0 or 1.0, (T, B, 1)."""
    bits = torch.randint(2, (T, B, 1))
    return 2.0 * bits - 1, (bits.cumsum(0) % 2).float()


def run(seed: int, length: int, labels: str, updates: int = 1000) -> list[float]:
    """Accuracy of the last answer on 1,000 fresh strings: of the length trained on, and of 200 signs.

    Parameters
    ----------
    seed : int
        For the weights, the training strings and the fresh ones.
    length : int
        Signs in a training string.
    labels : {"last", "every"}
        Which steps have a loss.
    updates : int
        Of Adam, each on 64 fresh strings.
    """
    torch.manual_seed(seed)
    cell, readout = RNN(1, UNITS), nn.Linear(UNITS, 1)
    adam = torch.optim.Adam([*cell.parameters(), *readout.parameters()], LEARNING_RATE)
    for _ in range(updates):
        x, y = strings(length, BATCH)
        logits = readout(unfold(cell, x)[0])  # (T, B, 1)
        steps = slice(-1, None) if labels == "last" else slice(None)
        adam.zero_grad()
        F.binary_cross_entropy_with_logits(logits[steps], y[steps]).backward()
        adam.step()
    accuracies = []
    with torch.no_grad():
        for T in (length, 200):
            x, y = strings(T, 1000)
            answer = readout(unfold(cell, x)[0][-1]) > 0  # (B, 1)
            accuracies.append((answer == y[-1].bool()).float().mean().item())
    return accuracies


if __name__ == "__main__":
    cases = [{"length": T, "labels": labels} for labels in ("last", "every") for T in (2, 3, 4, 5, 7, 10, 20)]
    cases += [{"length": 5, "labels": "every", "updates": 100}, {"length": 10, "labels": "last", "updates": 10_000}]
    results.record(__file__, cases=cases, seeds=range(5), updates=1000)
