"""Cures for exploding and vanishing gradients, each tried on one task: remember a sign over 15 steps of noise.

Two networks need a cure. "identity", ReLU units whose recurrent weights start at the identity, carries the gradient
too well; "tanh", with the usual start, carries it too badly. Both learn by plain SGD unless a case says otherwise.
"""

import math
import time
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnncourse import cells, results, tasks, training, unfold

UNITS, BATCH, UPDATES = 32, 32, 800


class Residual(cells.RNN):
    """``h_t = keep * h_{t-1} + scale * tanh(…)``: residual with keep = 1, leaky with keep = 1 - scale."""

    keep, scale = 1.0, 0.1

    def step(self, p_t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        h_t = self.keep * s + self.scale * super().step(p_t, s)[0]  # (B, H)
        return h_t, h_t


class GRU(nn.GRUCell):
    """torch's gated cell in two halves; the next part opens it."""

    def start(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[-2], self.hidden_size)

    def inputs(self, x: Tensor) -> Tensor:
        return x

    def step(self, p_t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        h_t = self(p_t, s)  # (B, H)
        return h_t, h_t


class Network(nn.Module):
    """A cell of one kind and a readout of two classes."""

    def __init__(self, kind: str, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        make = {"GRU": GRU, "residual": Residual, "leaky": Residual}.get(kind, cells.RNN)
        self.cell = make(3, UNITS, **({"nonlinearity": "relu"} if "identity" in kind or "ReLU" in kind else {}))
        if kind == "leaky":
            self.cell.keep = 1 - self.cell.scale
        if "orthogonal" in kind:
            nn.init.orthogonal_(self.cell.W_hh)
        if kind == "identity":
            nn.init.eye_(self.cell.W_hh)
            nn.init.zeros_(self.cell.b)
        self.readout = nn.Linear(UNITS, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(unfold.unfold(self.cell, x)[0])  # (T, B, 2)


def batch_loss(model: Network, x: Tensor, targets: Tensor, mask: Tensor, k2: int | None = None) -> Tensor:
    """Mean loss of the questions in nats; the gradient goes back to the start, or through windows of k2 steps."""
    if k2 is None:
        return cross_entropy(model(x)[mask], targets[mask])
    of = lambda h, t: cross_entropy(model.readout(h)[mask[t]], targets[t][mask[t]], reduction="sum")  # noqa: E731
    return sum(training.tbptt(model.cell, x, of, k2, k2)) / mask.sum()


def reach(model: Network, lag: int, k2: int | None = None) -> float:
    """Norm of the gradient at the sign's input, relative to that at the question's: 0 where nothing arrives."""
    x, targets, mask = tasks.cue(lag + 1, 64 * (lag + 1), lag, torch.Generator().manual_seed(1))
    whole = mask[-1]  # (B,): sequences that begin with a sign and end with its question
    x = x[:, whole].requires_grad_()  # (T, ~64, 3)
    (g,) = torch.autograd.grad(batch_loss(model, x, targets[:, whole], mask[:, whole], k2), x)
    first, last = g[0].norm().item(), g[-1].norm().item()
    return first / last if last > 0 else 0.0


def train(seed: int, network: str, optimizer: str = "SGD", lr: float = 0.3, clip: float = math.inf, value: float = math.inf,
          k2: int | None = None, lag: int = 15) -> tuple[Network, list[training.Record], list[float]]:
    """A trained network, its records and the CPU seconds of each update. The records end where a gradient is not finite."""
    model = Network(network, seed)
    step = getattr(torch.optim, optimizer)(model.parameters(), lr=lr)
    if value < math.inf:
        step.register_step_pre_hook(lambda *_: nn.utils.clip_grad_value_(model.parameters(), value))
    generator = torch.Generator().manual_seed(1000 + seed)
    batches = (tasks.cue(2 * lag + 10, BATCH, lag, generator) for _ in range(UPDATES))
    records, seconds, began = [], [], time.process_time()
    try:
        for record in training.fit(model, (batch_loss(model, *batch, k2) for batch in batches), step, clip):
            records.append(record)
            seconds.append(time.process_time() - began)
            began = time.process_time()
    except FloatingPointError:
        pass
    return model, records, seconds


def run(seed: int, **case) -> list[float]:
    """Updates before a gradient is infinite or NaN (all of them: never), mean loss of the last 50, accuracy on 500 fresh
    sequences, `reach` at the start and at the end (0 after a blow-up), the largest gradient norm, CPU milliseconds an
    update (median).

    Parameters
    ----------
    seed : int
        For the weights and the batches.
    **case
        Of `train`.
    """
    model, records, seconds = train(seed, **case)
    lag, k2 = case.get("lag", 15), case.get("k2")
    start = reach(Network(case["network"], seed), lag, k2)
    end = reach(model, lag, k2) if len(records) == UPDATES else 0.0
    x, targets, mask = tasks.cue(2 * lag + 10, 500, lag, torch.Generator().manual_seed(1))
    with torch.no_grad():
        right = (model(x)[mask].argmax(-1) == targets[mask]).double().mean().item()
    last = [r.loss for r in records[-50:]]
    return [len(records), sum(last) / len(last), right, start, end, max(r.norm for r in records), 1000 * median(seconds)]


if __name__ == "__main__":
    sick = ({"network": "identity"}, {"network": "tanh"})
    adam, clip = {"optimizer": "Adam", "lr": 0.003}, {"clip": 0.2}
    tried = ({}, clip, {"value": 0.02}, {"lr": 0.003}, {"k2": 5}, adam, adam | clip)
    built = ("orthogonal ReLU", "orthogonal", "residual", "leaky", "GRU")
    cases = [s | t for s in sick for t in tried] + [{"network": n} | c for n in built for c in ({}, clip)]
    cases += [{"network": "identity", "clip": theta} for theta in (0.02, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0)]
    cases += [{"network": "identity", "value": c} for c in (0.005, 0.05, 0.2)]
    cases += [{"network": "identity", "lr": lr} for lr in (0.1, 0.03, 0.01)]
    cases += [{"network": n, "lag": 40} | adam | clip for n in ("identity", "tanh", *built[1:])]
    results.record(__file__, cases, seeds=range(5), updates=UPDATES)
