"""Cures for exploding and vanishing gradients, each tried on one task: remember a sign over 15 steps of noise.

Two networks need a cure. "identity", ReLU units whose recurrent weights start at the identity, carries the gradient
too well; "tanh", with the usual start, carries it too badly. Both learn by plain SGD unless a case says otherwise.
"""

import math
import time
from statistics import mean, median

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnncourse import cells, results, tasks, training, unfold

UNITS, BATCH, UPDATES = 32, 32, 800


class Residual(cells.RNN):
    """``h_t = keep * h_{t-1} + scale * tanh(…)``, or ReLU for tanh: residual with keep = 1, leaky with keep = 1 - scale."""

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
        make = {"GRU": GRU, "residual": Residual, "leaky": Residual}.get(kind.split()[0], cells.RNN)
        self.cell = make(3, UNITS, **({"nonlinearity": "relu"} if "identity" in kind or "ReLU" in kind else {}))
        if "leaky" in kind:
            self.cell.keep = 1 - self.cell.scale
        if "orthogonal" in kind:
            nn.init.orthogonal_(self.cell.W_hh)
        if "identity" in kind:
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


def rotation() -> Tensor:
    """A fixed orthogonal matrix, shape (3, 3)."""
    return torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(7)))[0]


def train(
    seed: int, network: str, optimizer: str = "SGD", lr: float = 0.3, clip: float = math.inf, value: float = math.inf,
    k2: int | None = None, lag: int = 15, updates: int = UPDATES, mix: bool = False,
) -> tuple[Network, list[training.Record], list[float]]:  # fmt: skip
    """A trained network, its records and the CPU seconds of each update. The records end where a gradient is not finite.

    With ``mix`` a fixed rotation takes the inputs, so that no input has a row of W_xh to itself.
    """
    model = Network(network, seed)
    step = getattr(torch.optim, optimizer)(model.parameters(), lr=lr)
    if value < math.inf:
        step.register_step_pre_hook(lambda *_: nn.utils.clip_grad_value_(model.parameters(), value))
    generator = torch.Generator().manual_seed(1000 + seed)
    batches = (tasks.cue(2 * lag + 10, BATCH, lag, generator) for _ in range(updates))
    turn = rotation() if mix else torch.eye(3)  # (3, 3)
    records, seconds, began = [], [], time.process_time()
    try:
        for record in training.fit(model, (batch_loss(model, x @ turn, *rest, k2) for x, *rest in batches), step, clip):
            records.append(record)
            seconds.append(time.process_time() - began)
            began = time.process_time()
    except FloatingPointError:
        pass
    return model, records, seconds


def run(seed: int, **case) -> list[float]:
    """Updates before a gradient is infinite or NaN (all of them: never), mean and median loss of the last 50, accuracy on
    500 fresh sequences, `reach` at the start and at the end (0 after a blow-up), the largest gradient norm, CPU
    milliseconds an update (median).

    Parameters
    ----------
    seed : int
        For the weights and the batches.
    **case
        Of `train`; `reach` is always that of the unmixed inputs.
    """
    model, records, seconds = train(seed, **case)
    lag, k2, updates = case.get("lag", 15), case.get("k2"), case.get("updates", UPDATES)
    turn = rotation() if case.get("mix") else torch.eye(3)  # (3, 3)
    start = reach(Network(case["network"], seed), lag, k2)
    end = reach(model, lag, k2) if len(records) == updates else 0.0
    x, targets, mask = tasks.cue(2 * lag + 10, 500, lag, torch.Generator().manual_seed(1))
    with torch.no_grad():
        right = (model(x @ turn)[mask].argmax(-1) == targets[mask]).double().mean().item()
    last = [r.loss for r in records[-50:]]
    return [len(records), mean(last), median(last), right, start, end, max(r.norm for r in records), 1000 * median(seconds)]


if __name__ == "__main__":
    adam, clip = {"optimizer": "Adam", "lr": 0.003}, {"clip": 0.2}
    tried = ({}, clip, {"value": 0.02}, {"lr": 0.003}, {"k2": 5}, adam)
    cases = [{"network": n} | t for n in ("identity", "tanh") for t in tried]
    cases += [{"network": "identity", "clip": theta} for theta in (0.02, 0.6, 2.0)]
    cases += [{"network": "identity", "lr": 0.03} | c for c in ({}, *({"clip": theta} for theta in (0.2, 2.0, 6.0, 20.0)))]
    cases += [{"network": "identity", "value": 0.05}]
    cases += [{"network": n} | c for n in ("orthogonal", "residual", "leaky") for c in ({}, clip, adam)]
    cases += [{"network": n} | c for n in ("orthogonal ReLU", "residual identity", "leaky identity") for c in ({}, clip)]
    cases += [{"network": "GRU"} | c for c in ({}, adam)]
    cases += [{"network": "orthogonal", "lr": lr} for lr in (0.1, 0.03)]
    cases += [{"network": "tanh", "updates": 2400} | clip, {"network": "tanh", "mix": True} | adam]
    cases += [{"network": n, "lag": 40} | adam | clip for n in ("identity", "tanh", "orthogonal")]
    results.record(__file__, cases, seeds=range(5), updates=UPDATES)
