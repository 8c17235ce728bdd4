"""How many random bits a recurrent network of H units can say after it has read them, one a step, and waited.

All bits are asked for at once: a linear readout of the last output gives each its probability. A readout that knows
nothing recalls 0 bits, a perfect one all of them.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from rnncourse import cells, results, training, unfold

BITS, BATCH, UPDATES = 8, 64, 600


def run(seed: int, cell: str, units: int, wait: int, lr: float) -> float:
    """Bits recalled of 8: 8 minus the cross-entropy, in bits, summed over the eight answers, on 2,000 new sequences.

    Parameters
    ----------
    seed : int
        For the weights and the data.
    cell : {"RNN", "LSTM", "LSTM 3"}
        The last is the LSTM whose forget gate starts with a bias of 3.
    units : int
        H.
    wait : int
        Steps between the last bit and the question.
    lr : float
        Adam's rate at the start; it falls to a hundredth of that, along a cosine.
    """
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = cells.RNN(2, units) if cell == "RNN" else cells.LSTM(2, units, 3.0 if cell == "LSTM 3" else None)
    model = nn.ModuleList([net, nn.Linear(units, BITS)])
    optimizer = torch.optim.Adam(model.parameters(), lr)

    def loss(batch: int) -> torch.Tensor:
        bits = torch.randint(2, (BITS, batch), generator=rng)
        x = torch.zeros(BITS + wait, batch, 2)  # (T, B, 2): the sign of the bit, and whether there is one
        x[:BITS] = torch.stack([2.0 * bits - 1, torch.ones(BITS, batch)], dim=-1)
        h, _ = unfold.unfold(net, x)
        return F.binary_cross_entropy_with_logits(model[1](h[-1]), bits.T.float())  # (B, 8) each

    def losses():
        for k in range(UPDATES):
            optimizer.param_groups[0]["lr"] = lr * (0.505 + 0.495 * math.cos(math.pi * k / UPDATES))
            yield loss(BATCH)

    for _ in training.fit(model, losses(), optimizer, 1.0):
        pass
    with torch.no_grad():
        return BITS * (1 - loss(2000).item() / math.log(2))


if __name__ == "__main__":
    kinds, rates = ("RNN", "LSTM", "LSTM 3"), (0.03, 0.1)
    short = [{"cell": c, "units": n, "wait": 4, "lr": r} for c in kinds for n in (1, 2, 4, 8, 16) for r in rates]
    long = [{"cell": c, "units": 8, "wait": 30, "lr": r} for c in kinds for r in rates]
    results.record(__file__, cases=short + long, seeds=range(3), updates=UPDATES)
