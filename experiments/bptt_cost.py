"""What backpropagation through time costs: bytes kept for the backward pass and seconds, plain and with checkpoints.

The network is a tanh cell with a softmax readout at every step; autograd goes forward and back once.
"""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rnncourse import cells, gradients, results, unfold

D, H, V, B = 32, 64, 32, 16  # features, units, classes, sequences
SIZES = ((16, 1), (64, 16), (512, 64))  # units and sequences of the three networks whose times are compared


def network(seed: int, T: int, H: int, B: int) -> tuple[list[Tensor], Callable[[], Tensor], Callable[[int], Tensor]]:
    """The parameters, and two functions that compute the loss, summed over steps and sequences: at once and in segments."""
    torch.manual_seed(seed)
    cell, readout = cells.RNN(D, H).float(), torch.nn.Linear(H, V).float()  # float32, whatever the default is
    x, targets = torch.randn(T, B, D, dtype=torch.float32), torch.randint(V, (T, B))

    def segment(x: Tensor, targets: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        h, s = unfold.unfold(cell, x, s)  # (n, B, H), (B, H)
        return torch.nn.functional.cross_entropy(readout(h).flatten(0, 1), targets.flatten(), reduction="sum"), s  # (n*B, V), (n*B,)

    def forward() -> Tensor:
        return segment(x, targets, cell.start(x))[0]

    def in_segments(n: int) -> Tensor:
        s, loss = cell.start(x), 0
        for x_n, y_n in zip(x.split(n), targets.split(n)):  # (n, B, D), (n, B)
            part, s = checkpoint(segment, x_n, y_n, s, use_reentrant=False)
            loss = loss + part
        return loss

    return [*cell.parameters(), *readout.parameters()], forward, in_segments


def seconds(forward: Callable[[], Tensor], parameters: list[Tensor], repeats: int = 7) -> list[float]:
    """CPU seconds of the forward and of the backward pass, each the median of some repeats after one to warm up."""
    forth, back = [], []
    for _ in range(repeats + 1):
        began = time.process_time()
        loss = forward()
        turned = time.process_time()
        torch.autograd.grad(loss, parameters)
        forth.append(turned - began)
        back.append(time.process_time() - turned)
    return [median(forth[1:]), median(back[1:])]


def run(seed: int, what: str, T: int, H: int = H, B: int = B) -> int | list[float]:
    """One network and one batch, forward and back.

    Parameters
    ----------
    seed : int
        For weights and data.
    what : {"bytes", "seconds", "checkpoint"}
        Bytes kept for the backward pass, or CPU seconds of [forward, backward]: plain, or in checkpointed segments of
        20 steps, whose backward pass goes forward once more.
    T, H, B : int
        Steps, units, sequences.
    """
    parameters, forward, in_segments = network(seed, T, H, B)
    if what == "bytes":
        return gradients.kept(forward, parameters)
    return seconds(forward if what == "seconds" else lambda: in_segments(20), parameters)


if __name__ == "__main__":
    steps = (10, 30, 100, 200, 300, 500, 700, 1000)
    cases = [{"what": what, "T": T} for what in ("bytes", "seconds") for T in steps]
    cases += [{"what": what, "T": 200, "H": H, "B": B} for H, B in SIZES for what in ("seconds", "checkpoint")]
    results.record(__file__, cases=cases, seeds=range(5), updates=0)
