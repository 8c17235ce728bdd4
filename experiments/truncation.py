"""What truncated backpropagation teaches a tanh network about its past, and what it takes away.

Three tasks: say what was read some steps ago (echo), answer a question about a sign that was shown so many steps before it (cue),
say which of two rare signs came last (latch). Each window's gradient reaches at most k2 steps back, its own step counted.
"""

import torch
from torch import nn

from rnncourse import cells, results, tasks, training, unfold

UNITS, BATCH, STEPS, UPDATES, RATE, P = 32, 32, 1000, 2000, 3e-3, 0.02


class Reader(nn.Module):
    """A tanh cell and the readout of two classes."""

    def __init__(self, input_size: int):
        super().__init__()
        self.cell = cells.RNN(input_size, UNITS)
        self.W_hy, self.b_y = nn.Parameter(torch.zeros(UNITS, 2)), nn.Parameter(torch.zeros(2))

    def logits(self, h):
        return h @ self.W_hy + self.b_y  # (..., H) -> (..., 2)


def stream(task: str, lag: int, T: int, B: int, generator: torch.Generator):
    """x (T, B, D), targets (T, B) and mask (T, B) of one of the three tasks; the latch has no lag."""
    make, how = {"echo": (tasks.echo, lag), "cue": (tasks.cue, lag), "latch": (tasks.latch, P)}[task]
    return make(T, B, how, generator)


def losses(model: Reader, task: str, lag: int, k1: int, k2: int, carried: bool, generator: torch.Generator):
    """The losses of stream after stream, window by window, each divided by the size of a window."""
    while True:
        x, targets, mask = stream(task, lag, STEPS // k2 * k2, BATCH, generator)
        size = len(x) if carried else k2  # without carried state every window begins with zeros
        for begin in range(0, len(x), size):

            def loss(h, steps, begin=begin):
                these = slice(steps.start + begin, steps.stop + begin)
                real = mask[these]  # (n, B)
                nll = nn.functional.cross_entropy(model.logits(h[real]), targets[these][real], reduction="sum")
                return nll / (BATCH * k1)

            yield from training.tbptt(model.cell, x[begin : begin + size], loss, k1, k2)


@torch.no_grad()
def accuracy(model: Reader, task: str, lag: int, window: int, seed: int, carried: bool) -> float:
    """The share of right answers on a new stream, after its first hundred steps; the state carried, or reset in each window."""
    B = 64
    x, targets, mask = stream(task, lag, STEPS // window * window, B, torch.Generator().manual_seed(1000 + seed))
    if carried:
        h, _ = unfold.unfold(model.cell, x)  # (T, B, H)
    else:  # windows side by side, as if they were sequences of a larger batch
        side = x.unflatten(0, (-1, window)).transpose(0, 1).flatten(1, 2)  # (window, T / window * B, D)
        h, _ = unfold.unfold(model.cell, side)
        h = h.unflatten(1, (-1, B)).transpose(0, 1).flatten(0, 1)  # (T, B, H)
    seen = mask & (torch.arange(len(x)) >= 100)[:, None]  # (T, B)
    return (model.logits(h).argmax(-1) == targets)[seen].float().mean().item()


def run(seed: int, task: str, k1: int, k2: int, lag: int = 10, carried: bool = True, orthogonal: bool = False, rate: float = RATE) -> list[float]:
    """The accuracy of one trained network on a new stream: with the state carried, and with the state reset every k2 steps. And what
    training made of the input weights of the sign: their norm after it, relative to before.

    Parameters
    ----------
    seed : int
        For the weights and the streams.
    task : {"echo", "cue", "latch"}
    k1, k2 : int
        As in `rnncourse.training.tbptt`.
    lag : int
        Steps from a sign to the answer, in echo and cue.
    carried : bool
        Whether training carries the state from window to window; if not, each begins with zeros.
    orthogonal : bool
        Whether W_hh starts as a random rotation, which holds much of the past, or small, as the cell draws it.
    rate : float
        Learning rate of the cell; that of the readout stays. 0 keeps the cell as it was drawn.
    """
    torch.manual_seed(seed)
    model = Reader({"echo": 1, "cue": 3, "latch": 1}[task])
    if orthogonal:
        nn.init.orthogonal_(model.cell.W_hh)
    model.cell.requires_grad_(rate > 0)
    optimizer = torch.optim.Adam([{"params": model.cell.parameters(), "lr": rate}, {"params": [model.W_hy, model.b_y]}], RATE)
    windows = losses(model, task, lag, k1, k2, carried, torch.Generator().manual_seed(seed))
    before = model.cell.W_xh[0].norm().item()
    for _ in zip(range(UPDATES), training.fit(model, windows, optimizer, max_norm=1.0)):
        pass
    return [round(accuracy(model, task, lag, k2, seed, keep), 4) for keep in (True, False)] + [round(model.cell.W_xh[0].norm().item() / before, 4)]


if __name__ == "__main__":
    chunk = lambda task, k, **case: {"task": task, "k1": k, "k2": k} | case  # noqa: E731
    cases = [chunk(task, k) for task in ("echo", "cue", "latch") for k in (1, 2, 5, 8, 10, 11, 15, 20)]
    cases += [{"task": "echo", "k1": 1, "k2": k} for k in (10, 11)]
    cases += [chunk("echo", k, lag=5) for k in (1, 2, 4, 5, 6, 10)] + [chunk("echo", 21, lag=20)]
    cases += [chunk("echo", 2, lag=2, rate=rate) for rate in (0.0, RATE)]
    cases += [chunk(task, 10, orthogonal=True, rate=rate) for task in ("echo", "cue") for rate in (0.0, RATE, 1e-4)]
    cases += [chunk(task, 20, orthogonal=True) for task in ("echo", "cue")]
    cases += [chunk(task, k, carried=False) for task, k in (("echo", 20), ("cue", 20), ("latch", 10))]
    results.record(__file__, cases=cases, seeds=range(5), updates=UPDATES)
