"""Our unfolded RNN beside torch.nn.RNN: forward and backward, one thread, D = H, medians of interleaved pairs.

Target: as fast as torch (1.0 x); missed below 0.85 x at any size.
"""

import argparse
import statistics
import time

import torch

from rnncourse import cells, unfold

SIZES = ((32, 32, 64), (35, 20, 200), (64, 64, 256))
TARGET, MISSED = 1.0, 0.85


def seconds(run, x, parameters) -> float:
    """One forward and backward."""
    for p in (x, *parameters):
        p.grad = None
    began = time.perf_counter()
    run(x).sum().backward()
    return time.perf_counter() - began


def compare(T: int, B: int, H: int, pairs: int) -> tuple[float, float]:
    """Median milliseconds of ours and of torch's."""
    module = torch.nn.RNN(H, H)
    cell = cells.from_torch(module)
    x = torch.randn(T, B, H, requires_grad=True)
    runs = {"ours": (lambda z: unfold.unfold(cell, z)[0], [*cell.parameters()]), "torch": (lambda z: module(z)[0], [*module.parameters()])}
    times = {name: [] for name in runs}
    for i in range(pairs + 3):  # the first three warm up
        for name in (("ours", "torch"), ("torch", "ours"))[i % 2]:
            run, parameters = runs[name]
            times[name].append(seconds(run, x, parameters))
    return tuple(1000 * statistics.median(times[name][3:]) for name in ("ours", "torch"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=41, help="measured pairs at each size (default 41)")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    ratios = []
    print(f"{'T, B, H':>14}  {'ours ms':>8}  {'torch ms':>8}  {'torch/ours':>10}")
    for T, B, H in SIZES:
        ours, theirs = compare(T, B, H, arguments.pairs)
        ratios.append(theirs / ours)
        print(f"{f'{T}, {B}, {H}':>14}  {ours:8.2f}  {theirs:8.2f}  {theirs / ours:10.2f}")
    verdict = "reached" if min(ratios) >= TARGET else "not missed" if min(ratios) >= MISSED else "MISSED"
    print(f"cells: slowest ratio {min(ratios):.2f} x torch.nn.RNN; target {TARGET:.2f}, missed below {MISSED:.2f}: {verdict}")
    return min(ratios) < MISSED


if __name__ == "__main__":
    raise SystemExit(main())
