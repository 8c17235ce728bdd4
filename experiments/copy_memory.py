"""Copy memory, for four cells: ten symbols of eight kinds, a wait of T steps, then the same ten; beside the loss of a model without memory."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from rnncourse import results, tasks, unfold

adding = results.experiment("adding")
N, K, UNITS, UPDATES, EVERY = 10, 8, 64, 4000, 100
RATES = {"RNN": 0.001, "IRNN": 0.001, "GRU": 0.003, "LSTM": 0.003, "LSTM, bias 3": 0.003}


def baseline(T: int) -> float:
    """Nats a step of the best model without memory: it knows when to answer, and not what."""
    return N * math.log(K) / (T + 2 * N)


def run(seed: int, model: str, T: int, updates: int = UPDATES) -> list[float]:
    """Train on fresh sequences.

    Parameters
    ----------
    seed : int
        For the weights and the sequences.
    model : {"RNN", "IRNN", "GRU", "LSTM", "LSTM, bias 3"}
    T : int
        Steps of waiting.
    updates : int
        Of Adam, 50 sequences each.

    Returns
    -------
    list of float
        The share of right symbols among the ten, over the last 100 updates; then the loss (nats a step) over each 100 updates.
    """
    torch.manual_seed(seed)
    net, right = adding.network(model, K + 2, K + 1, UNITS), []

    def losses() -> Iterator[Tensor]:
        for _ in range(updates):
            x, targets = tasks.copy(T, adding.BATCH, N, K)  # (T + 2N, B, K + 2), (T + 2N, B)
            logits = net["readout"](unfold.unfold(net["cell"], x)[0])  # (T + 2N, B, K + 1)
            right.append((logits[-N:, :, :K].argmax(-1) == targets[-N:]).float().mean().item())
            yield F.cross_entropy(logits.flatten(0, 1), targets.flatten())  # ((T + 2N) * B, K + 1), ((T + 2N) * B,)

    curve = torch.tensor([record.loss for record in adding.train(net, losses(), RATES[model])])
    return [sum(right[-EVERY:]) / EVERY, *curve.view(-1, EVERY).mean(1).tolist()]


if __name__ == "__main__":
    cases = [{"model": model, "T": T} for T in (10, 50) for model in RATES]
    results.record(__file__, cases=cases, seeds=range(3), updates=UPDATES)
