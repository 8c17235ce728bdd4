"""Which language is this name from? Six readers of about 12,000 parameters each.

The names of `corpora.first_names` in three parts: one to learn from, one to choose the learning rate and the moment to
stop, and one that is looked at once.
"""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from rnncourse import results
from rnncourse.corpora import first_names

BUDGET, EVERY, UPDATES, BATCH = 12_000, 50, 600, 64


@functools.cache
def names(part: str) -> list[tuple[str, str]]:
    """Of each of twelve languages 100 names to learn from, 20 to choose by, 30 to test on."""
    known, test = first_names()
    groups = [known[i : i + 120] for i in range(0, len(known), 120)]  # one a language
    return test if part == "test" else [n for g in groups for n in (g[:100] if part == "learn" else g[100:])]


@functools.cache
def tensors(part: str) -> tuple[Tensor, Tensor, Tensor]:
    """Letters as numbers (T, N), padded with 0; lengths (N,); languages (N,)."""
    rows = names(part)
    ids = [torch.tensor([*name.encode()]) - ord("a") for name, _ in rows]
    languages = sorted({language for _, language in rows})
    return pad_sequence(ids), torch.tensor([*map(len, ids)]), torch.tensor([languages.index(language) for _, language in rows])


class Reader(nn.Module):
    """Layers of torch and a readout: of the last states, one answer a sequence, or of every step."""

    def __init__(self, cell: str, two_way: bool, layers: int, hidden_size: int, signs: int, classes: int, every: bool):
        super().__init__()
        self.signs, self.ways, self.every = signs, 1 + two_way, every
        self.layers = getattr(nn, cell)(signs, hidden_size, layers, bidirectional=two_way)
        self.readout = nn.Linear(self.ways * hidden_size, classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        x = F.one_hot(ids[: lengths.max()], self.signs).float()  # (T, B, D), as long as the longest
        out, s = self.layers(pack_padded_sequence(x, lengths, enforce_sorted=False))
        if self.every:
            return self.readout(pad_packed_sequence(out)[0])  # (T, B, classes)
        h_n = s[0] if isinstance(s, tuple) else s  # (layers * ways, B, H)
        return self.readout(torch.cat([*h_n[-self.ways :]], dim=1))  # (B, classes)


def size(model: nn.Module) -> int:
    """The number of its parameters."""
    return sum(p.numel() for p in model.parameters())


def largest(*kind, **rest) -> Reader:
    """The reader with the most units within the budget of parameters."""
    make = lambda H: Reader(*kind, hidden_size=H, **rest)  # noqa: E731
    return make(max(H for H in range(4, 128) if size(make(H)) <= BUDGET))


def loss(model: Reader, ids: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    """Mean nats over the answers that are asked for, target -1 where none is, and the share that is right."""
    logits = model(ids, lengths)  # (B, classes) or (T, B, classes)
    targets = targets[: len(logits)]
    logits, targets = logits[targets >= 0], targets[targets >= 0]  # (N, classes), (N,)
    return F.cross_entropy(logits, targets), (logits.argmax(-1) == targets).float().mean().item()


def learn(model: Reader, tensors, lr: float, updates: int, batch: int) -> list[float]:
    """What `run` returns, for a model and its three parts, which ``tensors`` gives by name."""
    data, choose, test = map(tensors, ("learn", "choose", "test"))
    adam, curve, best = torch.optim.Adam(model.parameters(), lr), [], []
    for update in range(1, updates + 1):
        some = torch.randint(len(data[1]), (batch,))
        adam.zero_grad()
        loss(model, *(tensor[..., some] for tensor in data))[0].backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        if update % EVERY == 0:
            with torch.no_grad():
                curve.append(loss(model, *choose)[0].item())
                if curve[-1] == min(curve):
                    nats, right = loss(model, *test)
                    best = [nats.item(), right]
    return curve + best


def run(seed: int, cell: str, two_way: bool, lr: float, updates: int = UPDATES) -> list[float]:
    """Loss of the second part after every 50 updates of Adam; at last, from the best of these moments, the loss and the
    share of right answers on the third part.

    Parameters
    ----------
    seed : int
        For the weights and the batches.
    cell : {"RNN", "GRU", "LSTM"}
    two_way : bool
        Both directions, each with fewer units.
    lr : float
        Of Adam; gradients are clipped at a norm of 1.
    """
    torch.manual_seed(seed)
    model = largest(cell, two_way, 1, signs=26, classes=12, every=False)
    return learn(model, tensors, lr, updates, BATCH)


if __name__ == "__main__":
    cases = [{"cell": "LSTM", "two_way": True, "lr": 0.01, "updates": 100}]
    rates = {"RNN": (0.0003, 0.001, 0.003), "GRU": (0.001, 0.003, 0.01), "LSTM": (0.001, 0.003, 0.01)}
    cases += [{"cell": c, "two_way": w, "lr": lr} for c in rates for w in (False, True) for lr in rates[c]]
    results.record(__file__, cases, seeds=range(3), updates=UPDATES)
