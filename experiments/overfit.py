"""A language model on a text small enough to learn by heart, with and without dropout: two layers of LSTM, characters.

The Zen of Python and one of Python's help topics to learn from, another to choose the moment to stop, seven others to test on.
No passage of 40 characters stands in two of the parts; the topics are the same in Python 3.11, 3.12 and 3.13.
"""

import codecs
import contextlib
import io
from pydoc_data.topics import topics

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnncourse import results

with contextlib.redirect_stdout(io.StringIO()):
    import this  # it prints itself

TOPICS = {"learn": ("comparisons",), "choose": ("calls",),
          "test": ("with", "exceptions", "for", "global", "slicings", "id-classes", "context-managers")}  # fmt: skip
STEPS, BATCH, EVERY, UPDATES = 50, 32, 100, 1000
SIGNS = "".join(map(chr, range(32, 127)))


def text(part: str) -> str:
    """One part as a single line; every run of white space is one space, signs beyond ASCII are left out."""
    parts = [codecs.decode(this.s, "rot13")] * (part == "learn") + [topics[name] for name in TOPICS[part]]
    return "".join(sign for sign in " ".join(" ".join(parts).split()) if sign in SIGNS)


def numbers(part: str) -> Tensor:
    """Its signs as numbers, (n,)."""
    return torch.tensor([SIGNS.index(sign) for sign in text(part)])


def windows(part: str, steps: int = 100) -> Tensor:
    """The text cut into pieces of 100 signs and the sign after them, (steps + 1, pieces)."""
    return numbers(part).unfold(0, steps + 1, steps).T  # (steps + 1, pieces)


class Model(nn.Module):
    """Embedding, layers of LSTM, readout; dropout between the layers, and around them: below the first, above the last."""

    def __init__(self, layers: int, hidden_size: int, between: float, around: float):
        super().__init__()
        self.embed, self.around = nn.Embedding(len(SIGNS), 32), nn.Dropout(around)
        self.lstm = nn.LSTM(32, hidden_size, layers, dropout=between)
        self.readout = nn.Linear(hidden_size, len(SIGNS))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.around(self.embed(ids))  # (T, B, 32)
        return self.readout(self.around(self.lstm(x)[0]))  # (T, B, 95)


def nats(model: Model, ids: Tensor) -> Tensor:
    """Mean over all predicted signs of windows (T + 1, B)."""
    return F.cross_entropy(model(ids[:-1]).flatten(0, 1), ids[1:].flatten())


def run(seed: int, between: float, around: float, layers: int = 2, hidden_size: int = 64, lr: float = 0.01,
        updates: int = UPDATES) -> list[float]:
    """Nats a sign, dropout off: after every 100 updates on the text learned, then as often on the second part; at last on
    the third part, once at the best moment of the second and once at the end.

    Parameters
    ----------
    seed : int
        For the weights, the windows and the dropout.
    between, around : float
        Share of numbers dropped between layers, and below and above all of them.
    layers, hidden_size : int
    lr : float
        Of Adam.
    """
    torch.manual_seed(seed)
    model, ids, curves, best = Model(layers, hidden_size, between, around), numbers("learn"), ([], []), 0.0
    adam = torch.optim.Adam(model.parameters(), lr)
    for update in range(1, updates + 1):
        begins = torch.randint(len(ids) - STEPS, (BATCH,))  # any place of the text
        adam.zero_grad()
        nats(model.train(), ids[begins + torch.arange(STEPS + 1)[:, None]]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        if update % EVERY == 0:
            model.eval()
            with torch.no_grad():
                learned, held_out, test = (nats(model, windows(part)).item() for part in TOPICS)
            curves[0].append(learned)
            curves[1].append(held_out)
            best = test if held_out == min(curves[1]) else best
    return [*curves[0], *curves[1], best, test]


if __name__ == "__main__":
    cases = [{"between": 0.0, "around": 0.0, "lr": 0.01, "updates": 100}]
    kinds = [{"between": p, "around": q} for p, q in ((0.0, 0.0), (0.5, 0.0), (0.3, 0.3))]
    kinds += [{"between": 0.0, "around": 0.0, "layers": 1, "hidden_size": 32}]
    cases += [kind | {"lr": lr} for kind in kinds for lr in (0.003, 0.01, 0.03)]
    results.record(__file__, cases, seeds=range(3), updates=UPDATES)
