"""What packing costs: CPU milliseconds of one update's forward and backward pass, of a padded batch as it is and packed.

The lengths are uniform in 1 to T, so that half of the padded places are empty. Packed and padded runs take turns.
"""

import time
from statistics import median

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from rnncourse import results

T, B, D, TURNS = 64, 32, 32, 25


def run(seed: int, cell: str, hidden_size: int) -> list[float]:
    """Medians of 25 turns: padded, packed.

    Parameters
    ----------
    seed : int
        For the weights, the inputs and the lengths.
    cell : {"RNN", "GRU", "LSTM"}
        Of ``torch.nn``; one layer, one direction.
    hidden_size : int
    """
    torch.manual_seed(seed)
    model, x, lengths = getattr(nn, cell)(D, hidden_size), torch.randn(T, B, D), torch.randint(1, T + 1, (B,))
    lengths[0] = T  # so that all seeds have the same T
    ways = (lambda: model(x)[0], lambda: model(pack_padded_sequence(x, lengths, enforce_sorted=False))[0].data)
    times: tuple[list, list] = [], []
    for _ in range(TURNS):
        for way, spent in zip(ways, times):
            began = time.process_time()
            way().sum().backward()
            spent.append(1000 * (time.process_time() - began))
    return [median(spent) for spent in times]


if __name__ == "__main__":
    cases = [{"cell": c, "hidden_size": H} for c in ("RNN", "GRU", "LSTM") for H in (32, 128)]
    results.record(__file__, cases, seeds=range(3), updates=0)
