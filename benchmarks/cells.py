"""Our unfolded cells beside torch's and beside the textbook LSTM: forward and backward, one thread, D = H, medians of interleaved runs.

Targets: RNN, GRU and LSTM as fast as torch's (1.0 x; the LSTM's with oneDNN switched off, since only oneDNN brings a kernel for a whole
LSTM): missed below 0.85 (RNN) or 0.9 (GRU, LSTM). The LSTM 1.3 x the textbook's, which has four separate products at every step, at the first
two sizes: missed below 1.2. Beside them, without a bar: torch's LSTM with oneDNN, and how fast this machine multiplies matrices.
"""

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rnncourse import cells, unfold

SIZES = ((32, 32, 64), (35, 20, 200), (64, 64, 256))


class Textbook(nn.Module):
    """An LSTM as the equations stand: at every step four products with the input and four with the state."""

    def __init__(self, D: int, H: int):
        super().__init__()
        k = 1 / math.sqrt(H)
        for name, shape in {"W_x": (4, D, H), "W_h": (4, H, H), "b": (4, H)}.items():
            setattr(self, name, nn.ParameterList(torch.empty(s).uniform_(-k, k) for s in [shape[1:]] * 4))

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], self.b[0].shape[0])  # (B, H)
        outputs = []
        for x_t in x:  # (B, D)
            i, f, g, o = (x_t @ W_x + h @ W_h + b for W_x, W_h, b in zip(self.W_x, self.W_h, self.b))  # (B, H) each
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.stack(outputs)  # (T, B, H)


def without_onednn(module: nn.Module, x: Tensor) -> Tensor:
    with torch.backends.mkldnn.flags(enabled=False):
        return module(x)[0]


def contestants(H: int) -> dict[str, tuple[Callable[[Tensor], Tensor], nn.Module]]:
    """Name to what computes the outputs, (T, B, H) -> (T, B, H), and the module whose parameters it uses."""
    theirs = {"RNN": nn.RNN(H, H), "GRU": nn.GRU(H, H), "LSTM": nn.LSTM(H, H)}
    ours = {name: cells.from_torch(module) for name, module in theirs.items()}
    runs = {f"our {name}": (lambda x, cell=cell: unfold.unfold(cell, x)[0], cell) for name, cell in ours.items()}
    runs |= {f"nn.{name}": (lambda x, module=module: module(x)[0], module) for name, module in theirs.items()}
    runs["nn.LSTM without oneDNN"] = (lambda x: without_onednn(theirs["LSTM"], x), theirs["LSTM"])
    textbook = Textbook(H, H)
    return runs | {"textbook LSTM": (textbook, textbook)}


def seconds(run: Callable[[Tensor], Tensor], module: nn.Module, x: Tensor) -> float:
    """One forward and backward."""
    x.grad = None
    module.zero_grad()
    began = time.perf_counter()
    run(x).sum().backward()
    return time.perf_counter() - began


def measure(T: int, B: int, H: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of each contestant; all run in turn, every other round backwards."""
    runs, x = contestants(H), torch.randn(T, B, H, requires_grad=True)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(repeats + 3):  # the first three warm up
        for name in [*runs][:: 1 - 2 * (i % 2)]:
            times[name].append(seconds(*runs[name], x))
    return {name: 1000 * statistics.median(t[3:]) for name, t in times.items()}


def matrix_rate(n: int = 1024) -> float:
    """Gflop/s of one product of two n x n matrices, the best of five."""
    a, times = torch.randn(n, n), []
    for _ in range(5):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times) / 1e9


def verdict(what: str, ratios: list[float], target: float, missed: float) -> bool:
    """Print how the slowest ratio stands to its bar; True if it is missed."""
    word = "reached" if min(ratios) >= target else "not missed" if min(ratios) >= missed else "MISSED"
    print(f"{what}: {', '.join(f'{r:.2f}' for r in ratios)} x; target {target:.1f}, missed below {missed:.2f}: {word}")
    return min(ratios) < missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=21, help="measured rounds at each size (default 21)")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="TF32 acceleration")  # said by torch when oneDNN's switch is read
    torch.manual_seed(0)
    torch.set_num_threads(1)
    sizes = [measure(*size, arguments.repeats) for size in SIZES]
    rate = matrix_rate()
    print(f"{'milliseconds at T, B, H =':26}" + "".join(f"{f'{T}, {B}, {H}':>14}" for T, B, H in SIZES))
    for name in sizes[0]:
        print(f"{name:26}" + "".join(f"{ms[name]:14.2f}" for ms in sizes))
    flops = [48 * T * B * H * H for T, B, H in SIZES]  # an LSTM's products: 2 x 8 H^2 forward, twice that backward
    shares = [f"{f / ms['our LSTM'] / 1e6 / rate:.0%}" for f, ms in zip(flops, sizes)]
    print(f"matrices are multiplied at {rate:.0f} Gflop/s; our LSTM's products alone reach {', '.join(shares)} of that")
    ratio = lambda other, ours: [ms[other] / ms[ours] for ms in sizes]  # noqa: E731
    print(f"our LSTM beside nn.LSTM with oneDNN: {', '.join(f'{r:.2f}' for r in ratio('nn.LSTM', 'our LSTM'))} x, no bar")
    return any([
        verdict("our RNN beside nn.RNN", ratio("nn.RNN", "our RNN"), 1.0, 0.85),
        verdict("our GRU beside nn.GRU", ratio("nn.GRU", "our GRU"), 1.0, 0.9),
        verdict("our LSTM beside nn.LSTM without oneDNN", ratio("nn.LSTM without oneDNN", "our LSTM"), 1.0, 0.9),
        verdict("our LSTM beside the textbook's", ratio("textbook LSTM", "our LSTM")[:2], 1.3, 1.2),
    ])  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
