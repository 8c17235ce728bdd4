"""The adding problem, for four cells: how many training sequences until the sum of two marked numbers is right.

Right as in Hochreiter & Schmidhuber (1997), on the scale of numbers in [0, 1]: of the last 2,000 training sequences, each seen
once and before it was learned from, all are less than 0.08 off, and less than 0.02 on average.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from rnncourse import cells, results, tasks, training, unfold

UNITS, BATCH, LATEST, BUDGET = 32, 50, 2000, 200_000
RATES = {"RNN": 0.001, "IRNN": 0.001, "GRU": 0.01, "LSTM": 0.01, "LSTM, bias 3": 0.01}


def network(model: str, D: int, outputs: int, units: int = UNITS) -> nn.ModuleDict:
    """A cell and a linear readout. "IRNN" is Le et al.'s (2015): ReLU units that start from the identity, small input weights."""
    if model.startswith("LSTM"):
        cell = cells.LSTM(D, units, forget_bias=3.0 if model == "LSTM, bias 3" else None)
    else:
        cell = cells.GRU(D, units) if model == "GRU" else cells.RNN(D, units, "relu" if model == "IRNN" else "tanh")
    if model == "IRNN":
        with torch.no_grad():
            cell.W_hh.copy_(torch.eye(units))
            cell.b.zero_()
            cell.W_xh.normal_(0, 0.001)
    return nn.ModuleDict({"cell": cell, "readout": nn.Linear(units, outputs)})


def train(net: nn.ModuleDict, losses: Iterator[Tensor], rate: float) -> Iterator[training.Record]:
    """Adam, gradients clipped to norm 1."""
    return training.fit(net, losses, torch.optim.Adam(net.parameters(), rate), max_norm=1.0)


def run(seed: int, model: str, T: int, rate: float | None = None, budget: int = BUDGET) -> list[float]:
    """Train until the sums are right, or the budget is spent.

    Parameters
    ----------
    seed : int
        For the weights and the sequences.
    model : {"RNN", "IRNN", "GRU", "LSTM", "LSTM, bias 3"}
    T : int
        Length of the sequences.
    rate : float, optional
        Adam's learning rate, the model's own of `RATES` if None.
    budget : int
        Sequences at most.

    Returns
    -------
    list of float
        The number of sequences used when the sums were right (0 if never); then the mean absolute error over each 2,000 sequences.
    """
    torch.manual_seed(seed)
    net, errors = network(model, 2, 1), torch.empty(0)

    def losses() -> Iterator[Tensor]:
        nonlocal errors
        for _ in range(budget // BATCH):
            x, targets = tasks.adding(T, BATCH)  # (T, B, 2), (B,)
            error = net["readout"](unfold.unfold(net["cell"], x)[0][-1])[:, 0] - targets  # (B,)
            errors = torch.cat([errors, error.detach().abs()])
            yield (error**2).mean()

    solved = 0
    for _ in train(net, losses(), rate or RATES[model]):
        latest = errors[-LATEST:]
        if len(latest) == LATEST and latest.max() < 0.08 and latest.mean() < 0.02:
            solved = len(errors)
            break
    return [solved, *errors[: len(errors) // LATEST * LATEST].view(-1, LATEST).mean(1).tolist()]


if __name__ == "__main__":
    cases = [{"model": model, "T": T} for T in (50, 100, 200) for model in RATES]
    cases += [{"model": model, "T": 50, "rate": 0.003} for model in ("RNN", "IRNN")]
    results.record(__file__, cases=cases, seeds=range(3), updates=BUDGET // BATCH)
