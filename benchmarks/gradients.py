"""Memory of truncated BPTT as the stream grows, beside full BPTT; and its exactness when the windows reach back to the start.

Each length runs in a fresh process, which reports how far its peak rose above the one before, with weights, inputs and targets in place,
and the bytes that waited for a backward pass at one time. Freed blocks go back to the system at once (a setting of glibc; elsewhere it is
ignored), so that the peak tells what is held and not how the allocator scatters it. Bars: the peak at the longest stream is at most 1.1 x
that at the shortest plus 2 MB for such noise; with k2 = T the summed gradient equals the full one to 1e-12 for k1 = 1, 7 and T.
"""

import argparse
import json
import os
import resource
import subprocess
import sys

import torch
from torch import nn

from rnncourse import cells, gradients, training, unfold

LENGTHS, K1, K2, B, D, H, V = (500, 1000, 2000, 4000), 50, 100, 64, 8, 128, 8
FACTOR, NOISE_MB, EXACT = 1.1, 2.0, 1e-12
UNIT = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in kilobytes on Linux


def peak_mb() -> float:
    """The largest memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def problem(T: int):
    """A tanh cell, a stream of T steps, its targets, and the loss through a readout of V classes, summed over steps."""
    torch.manual_seed(0)
    cell, readout = cells.RNN(D, H), nn.Linear(H, V)
    x, targets = torch.randn(T, B, D), torch.randint(V, (T, B))  # (T, B, D), (T, B)
    return cell, x, targets, lambda h, steps: nn.functional.cross_entropy(readout(h).flatten(0, 1), targets[steps].flatten(), reduction="sum")


def backward(cell, x, targets, loss, full: bool) -> None:
    """The gradient of the whole stream: in one piece, or window by window."""
    windows = [loss(unfold.unfold(cell, x)[0], slice(0, len(x)))] if full else training.tbptt(cell, x, loss, K1, K2)
    for E in windows:
        E.backward()


def saved_mb(cell, x, targets, loss, full: bool) -> float:
    """The most that waited for a backward pass at any time, each storage once, weights included, inputs and targets not."""
    return gradients.kept(lambda: backward(cell, x, targets, loss, full), (x, targets)) / 1e6


def measure(T: int, full: bool) -> dict[str, float]:
    """The peak of this process above its level before, in MB, and the bytes that autograd kept. For a fresh process."""
    torch.set_num_threads(1)
    backward(*problem(2 * K2), full=False)  # what a first backward pass sets up once for all
    stream = problem(T)
    before, ballast = peak_mb(), []
    while peak_mb() < before + 1:  # fill what was freed below the peak, so that the next megabyte is seen
        ballast.append(bytearray(b"x") * 500_000)
    before = peak_mb()
    backward(*stream, full)
    return {"peak": peak_mb() - before, "saved": saved_mb(*stream, full)}


def in_fresh_process(T: int, full: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(T)] + ["--full"] * full
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "16384"}
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)


def worst_error(T: int = 40) -> float:
    """The largest relative error of the summed gradient, in float64, over k1 = 1, 7 and T, with k2 = T."""
    torch.manual_seed(0)
    cell, x, y = cells.RNN(5, 20).double(), torch.randn(T, 3, 5).double(), torch.randn(T, 3, 20).double()
    loss = lambda h, steps: ((h - y[steps]) ** 2).sum()  # noqa: E731
    parameters, errors = [*cell.parameters()], []
    full = torch.autograd.grad(loss(unfold.unfold(cell, x)[0], slice(0, T)), parameters)
    for k1 in (1, 7, T):
        cell.zero_grad()
        for E in training.tbptt(cell, x, loss, k1, T):
            E.backward()
        errors += [((p.grad - g).norm() / g.norm()).item() for p, g in zip(parameters, full)]
        print(f"k1 = {k1:<3} k2 = T = {T}: relative error {max(errors[-3:]):.1e}")
    return max(errors)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=int, metavar="T", help="measure one length in this process, for the program's own use")
    parser.add_argument("--full", action="store_true", help="with --measure: full backpropagation")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.full)))
        return 0
    print(f"B = {B}, H = {H}, k1 = {K1}, k2 = {K2}; megabytes above weights, inputs and targets")
    print(f"{'T':>6} {'TBPTT peak':>11} {'saved':>7} {'full peak':>11} {'saved':>7}")
    peaks = []
    for T in LENGTHS:
        ours, full = in_fresh_process(T, False), in_fresh_process(T, True)
        peaks.append(ours["peak"])
        print(f"{T:6} {ours['peak']:11.1f} {ours['saved']:7.1f} {full['peak']:11.1f} {full['saved']:7.1f}")
    bar, error = FACTOR * peaks[0] + NOISE_MB, worst_error()
    missed = peaks[-1] > bar or not error <= EXACT
    print(f"gradients: TBPTT's peak at T = {LENGTHS[-1]} is {peaks[-1]:.1f} MB, bar {bar:.1f} MB ({FACTOR} x T = {LENGTHS[0]}, + {NOISE_MB:.0f}); "
          f"error with k2 = T {error:.0e}, bar {EXACT:.0e}: {'MISSED' if missed else 'reached'}")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
