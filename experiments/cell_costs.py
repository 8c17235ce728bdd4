"""What one forward and one backward pass of each cell costs: weights, and milliseconds of one thread.

All are measured in turns, so that a busy moment of the machine falls on all of them alike. The LSTM and the GRU of
torch are measured twice, with oneDNN and without: it is oneDNN that has a kernel for a whole LSTM, and none that torch
uses for a GRU.
"""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from rnncourse import cells, results, unfold

SIZES = ((32, 32, 64), (35, 20, 200), (64, 64, 256))  # steps, sequences, units; as many features as units
NAMES = ("nn.RNN", "nn.GRU", "nn.LSTM", "nn.GRU without oneDNN", "nn.LSTM without oneDNN", "our GRU", "our LSTM", "LSTM in four products")
REPEATS = 15


class Textbook(nn.Module):
    """An LSTM as the equations have it: at every step one product a gate, over the state and the input side by side."""

    def __init__(self, cell: cells.LSTM):
        super().__init__()
        self.start = cell.start
        W = torch.cat([cell.W_hh, cell.W_xh]).detach()  # (H + D, 4H)
        self.W = nn.ParameterList(part.clone() for part in W.chunk(4, dim=1))  # (H + D, H) each
        self.b = nn.ParameterList(part.clone() for part in cell.b.detach().chunk(4))  # (H,) each

    def inputs(self, x: Tensor) -> Tensor:
        return x

    def step(self, x_t: Tensor, s: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = s
        both = torch.cat([h, x_t], dim=1)  # (B, H + D)
        i, f, g, o = (both @ W + b for W, b in zip(self.W, self.b))  # (B, H) each
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


def contestants(H: int) -> dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]]:
    """By name, a module and the function from x to its outputs, (T, B, H). Those of one kind have the same weights."""
    new = {kind: kind(H, H, dtype=torch.float32) for kind in (nn.RNN, nn.GRU, nn.LSTM)}
    gru, lstm = cells.from_torch(new[nn.GRU]), cells.from_torch(new[nn.LSTM])
    textbook = Textbook(lstm)

    def without(module: nn.Module) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            with torch.backends.mkldnn.flags(enabled=False):
                return module(x)[0]
        return forward

    pairs = [(new[kind], lambda x, m=new[kind]: m(x)[0]) for kind in (nn.RNN, nn.GRU, nn.LSTM)]
    pairs += [(new[kind], without(new[kind])) for kind in (nn.GRU, nn.LSTM)]
    pairs += [(cell, lambda x, c=cell: unfold.unfold(c, x)[0]) for cell in (gru, lstm, textbook)]
    return dict(zip(NAMES, pairs))


def milliseconds(forward: Callable[[Tensor], Tensor], module: nn.Module, x: Tensor) -> float:
    """CPU milliseconds of one forward and one backward pass."""
    for p in (x, *module.parameters()):
        p.grad = None
    began = time.process_time()
    forward(x).sum().backward()
    return 1000 * (time.process_time() - began)


def run(seed: int, what: str, T: int, B: int, H: int) -> list:
    """One value for each of ``NAMES``.

    Parameters
    ----------
    seed : int
        For weights and inputs.
    what : {"ms", "weights"}
        Median CPU milliseconds of one pass forward and back, or how many numbers are learned.
    T, B, H : int
        Steps, sequences, units.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    runs = contestants(H)
    x = torch.randn(T, B, H, dtype=torch.float32, requires_grad=True)
    if what == "weights":
        return [sum(p.numel() for p in module.parameters()) for module, _ in runs.values()]
    first = {kind: runs[f"nn.{kind}"][1](x) for kind in ("RNN", "GRU", "LSTM")}
    for name, (_, forward) in runs.items():  # those of one kind compute the same
        kind = next(k for k in ("GRU", "LSTM", "RNN") if k in name)
        assert (forward(x) - first[kind]).abs().max() < 1e-5, name
    times = {name: [] for name in NAMES}
    for i in range(REPEATS + 2):  # the first two warm up
        for name in NAMES if i % 2 else NAMES[::-1]:
            times[name].append(milliseconds(*runs[name][::-1], x))
    return [median(t[2:]) for t in times.values()]


if __name__ == "__main__":
    cases = [{"what": what, "T": T, "B": B, "H": H} for T, B, H in SIZES for what in ("weights", "ms")]
    results.record(__file__, cases=cases, seeds=range(3), updates=0)
