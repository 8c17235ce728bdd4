"""What truncated backpropagation teaches a tanh network about its past, when it must remember for ten steps or longer.

Three tasks: say what was read 10 steps ago (echo), answer a question about a sign that was shown 10 steps before it (cue),
say which of two rare signs came last (latch). Each window's gradient reaches at most k2 steps back.
"""

import torch
from torch import nn

from rnncourse import cells, results, tasks, training, unfold

UNITS, BATCH, STEPS, UPDATES, LAG, P = 32, 32, 1000, 2000, 10, 0.02


class Reader(nn.Module):
    """A tanh cell and the readout of two classes."""

    def __init__(self, input_size: int):
        super().__init__()
        self.cell = cells.RNN(input_size, UNITS)
        self.W_hy, self.b_y = nn.Parameter(torch.zeros(UNITS, 2)), nn.Parameter(torch.zeros(2))

    def logits(self, h):
        return h @ self.W_hy + self.b_y  # (..., H) -> (..., 2)


def stream(task: str, T: int, B: int, generator: torch.Generator):
    """x (T, B, D), targets (T, B) and mask (T, B) of one of the three tasks."""
    make, how = {"echo": (tasks.echo, LAG), "cue": (tasks.cue, LAG), "latch": (tasks.latch, P)}[task]
    return make(T, B, how, generator)


def losses(model: Reader, task: str, k1: int, k2: int, carried: bool, generator: torch.Generator):
    """The losses of stream after stream, window by window, each divided by the size of a window."""
    while True:
        x, targets, mask = stream(task, STEPS // k2 * k2, BATCH, generator)
        size = len(x) if carried else k2  # without carried state every window begins with zeros
        for begin in range(0, len(x), size):

            def loss(h, steps, begin=begin):
                these = slice(steps.start + begin, steps.stop + begin)
                real = mask[these]  # (n, B)
                nll = nn.functional.cross_entropy(model.logits(h[real]), targets[these][real], reduction="sum")
                return nll / (BATCH * k1)

            yield from training.tbptt(model.cell, x[begin : begin + size], loss, k1, k2)


@torch.no_grad()
def accuracy(model: Reader, task: str, window: int, seed: int, carried: bool) -> float:
    """The share of right answers on a new stream, after its first hundred steps; the state carried, or reset in each window."""
    B = 64
    x, targets, mask = stream(task, STEPS // window * window, B, torch.Generator().manual_seed(1000 + seed))
    if carried:
        h, _ = unfold.unfold(model.cell, x)  # (T, B, H)
    else:  # windows side by side, as if they were sequences of a larger batch
        side = x.unflatten(0, (-1, window)).transpose(0, 1).flatten(1, 2)  # (window, T / window * B, D)
        h, _ = unfold.unfold(model.cell, side)
        h = h.unflatten(1, (-1, B)).transpose(0, 1).flatten(0, 1)  # (T, B, H)
    seen = mask & (torch.arange(len(x)) >= 100)[:, None]  # (T, B)
    return (model.logits(h).argmax(-1) == targets)[seen].float().mean().item()


def run(seed: int, task: str, k1: int, k2: int, carried: bool = True, trained: bool = True) -> list[float]:
    """The accuracy of one trained network on a new stream: with the state carried, and with the state reset every k2 steps.

    Parameters
    ----------
    seed : int
        For the weights and the streams.
    task : {"echo", "cue", "latch"}
    k1, k2 : int
        As in `rnncourse.training.tbptt`.
    carried : bool
        Whether training carries the state from window to window; if not, each begins with zeros.
    trained : bool
        False keeps the cell as it was drawn: only the readout learns.
    """
    torch.manual_seed(seed)
    model = Reader({"echo": 1, "cue": 3, "latch": 1}[task])
    model.cell.requires_grad_(trained)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    windows = losses(model, task, k1, k2, carried, torch.Generator().manual_seed(seed))
    for _ in zip(range(UPDATES), training.fit(model, windows, optimizer, max_norm=1.0)):
        pass
    return [round(accuracy(model, task, k2, seed, keep), 4) for keep in (True, False)]


if __name__ == "__main__":
    sweep = [{"task": task, "k1": k, "k2": k} for task in ("echo", "cue", "latch") for k in (2, 5, 8, 10, 11, 12, 15, 20)]
    each_step = [{"task": "echo", "k1": 1, "k2": k} for k in (10, 11)]
    reset = [{"task": task, "k1": k, "k2": k, "carried": False} for task, k in (("echo", 20), ("cue", 20), ("latch", 10))]
    untrained = [{"task": task, "k1": 10, "k2": 10, "trained": False} for task in ("echo", "cue", "latch")]
    results.record(__file__, cases=sweep + each_step + reset + untrained, seeds=range(5), updates=UPDATES)
