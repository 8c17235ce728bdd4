"""Which forget bias can a small LSTM learn from, and over how many steps? The two-sequence problem says.

The class of a sequence is the sign of its first three inputs; the rest is noise. It is task 3a of Hochreiter & Schmidhuber
(1997) at one length, without their further conditions.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as loss_of

from rnncourse import cells, results, training, unfold

UNITS, BATCH, UPDATES, STREAK = 16, 50, 300, 40


def two_sequences(T: int, B: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs (T, B, 1), the class at the first three steps, then noise of variance 0.2; and the classes (B,), 0 or 1."""
    targets = torch.randint(2, (B,), generator=generator).float()
    x = math.sqrt(0.2) * torch.randn(T, B, 1, generator=generator)
    x[:3] = (2 * targets - 1)[:, None]
    return x, targets


class Network(nn.Module):
    """An LSTM, or a tanh RNN, and one logit from its last state.

    Parameters
    ----------
    bias : number, "chrono" or "RNN"
        What the forget gate's bias starts from; "chrono" is the start of Tallec & Ollivier (2018) for spans up to ``T``,
        "RNN" a tanh network.
    T : int
    seed : int
    """

    def __init__(self, bias: float | str, T: int, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        H = UNITS
        self.cell = cells.RNN(1, H) if bias == "RNN" else cells.LSTM(1, H, None if isinstance(bias, str) else bias)
        if bias == "chrono":
            with torch.no_grad():
                self.cell.b[H : 2 * H] = torch.empty(H).uniform_(1, T - 1).log()
                self.cell.b[:H] = -self.cell.b[H : 2 * H]
        self.readout = nn.Linear(H, 1)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = unfold.unfold(self.cell, x)  # (T, B, H)
        return self.readout(h[-1])[:, 0]  # (B,)


def reach(model: Network, T: int) -> float:
    """The gradient at the three inputs that count, as a share of that at the last three: mean norms over 200 sequences."""
    x, targets = two_sequences(T, 200, torch.Generator().manual_seed(1))
    (g,) = torch.autograd.grad(loss_of(model(x.requires_grad_()), targets), x)
    norms = g.norm(dim=(1, 2))  # (T,)
    return (norms[:3].mean() / norms[-3:].mean()).item()


def run(seed: int, bias: float | str, T: int, updates: int = UPDATES) -> list[float]:
    """Updates until 40 batches in a row, 2,000 sequences, were all classified right (0: never), and `reach` at the start.

    Adam with a rate of 0.01, 0.003 for the RNN; gradients clipped to 1.
    """
    model = Network(bias, T, seed)
    start = reach(model, T)
    generator = torch.Generator().manual_seed(1000 + seed)
    streak = 0

    def losses():
        nonlocal streak
        while True:
            x, targets = two_sequences(T, BATCH, generator)
            logits = model(x)  # (B,)
            streak = streak + 1 if ((logits > 0) == (targets > 0)).all() else 0
            yield loss_of(logits, targets)

    optimizer = torch.optim.Adam(model.parameters(), lr=0.003 if bias == "RNN" else 0.01)
    for record, _ in zip(training.fit(model, losses(), optimizer, max_norm=1.0), range(updates)):
        if streak == STREAK:
            return [record.step + 1, start]
    return [0, start]


if __name__ == "__main__":
    cases = [{"bias": b, "T": T} for T in (50, 100, 200) for b in (1, 2, 3, 4, 5, "chrono")]
    cases += [{"bias": b, "T": 50} for b in (0, "RNN")] + [{"bias": 1, "T": 50, "updates": 1000}]
    results.record(__file__, cases, seeds=range(5), updates=UPDATES)
