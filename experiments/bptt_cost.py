"""What backpropagation through time costs against the number of steps: bytes kept for the backward pass, and seconds.

The network is a tanh cell with a softmax readout at every step; autograd goes forward and back once.
"""

import time
from statistics import median

import torch
from torch import Tensor

from rnncourse import cells, results, unfold

D, H, V, B = 32, 64, 32, 16  # features, units, classes, sequences


def network(seed: int, T: int) -> tuple[list[Tensor], callable]:
    """The parameters, and a function that computes the loss, summed over steps and sequences."""
    torch.manual_seed(seed)
    cell, readout = cells.RNN(D, H).float(), torch.nn.Linear(H, V).float()  # float32, whatever the default is
    x, targets = torch.randn(T, B, D, dtype=torch.float32), torch.randint(V, (T, B))

    def forward() -> Tensor:
        h, _ = unfold.unfold(cell, x)  # (T, B, H)
        return torch.nn.functional.cross_entropy(readout(h).flatten(0, 1), targets.flatten(), reduction="sum")  # (T*B, V), (T*B,)

    return [*cell.parameters(), *readout.parameters()], forward


def kept(forward: callable, parameters: list[Tensor]) -> int:
    """Bytes that autograd keeps for the backward pass, each storage once, the parameters not counted."""
    storages = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage  # held on to, so that no other takes its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = forward()
    ours = {p.untyped_storage().data_ptr() for p in parameters}
    del loss  # until here the graph held everything
    return sum(storage.nbytes() for address, storage in storages.items() if address not in ours)


def seconds(forward: callable, parameters: list[Tensor], repeats: int = 7) -> list[float]:
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


def run(seed: int, what: str, T: int) -> int | list[float]:
    """One network and one batch, forward and back.

    Parameters
    ----------
    seed : int
        For weights and data.
    what : {"bytes", "seconds"}
        Bytes kept for the backward pass, or CPU seconds of [forward, backward].
    T : int
        Steps.
    """
    parameters, forward = network(seed, T)
    return kept(forward, parameters) if what == "bytes" else seconds(forward, parameters)


if __name__ == "__main__":
    steps = (10, 30, 100, 200, 300, 500, 700, 1000)
    results.record(__file__, cases=[{"what": what, "T": T} for what in ("bytes", "seconds") for T in steps], seeds=range(5), updates=0)
