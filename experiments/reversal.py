"""Where feeding a decoder its own symbols harms: say 6 to 10 random symbols backwards. What is right never depends on what was said.

A GRU reads the symbols, another writes from its last state. After a first training with the truth as input, several second ones.
"""

import copy
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnncourse import results, training

SYMBOLS, EOS, PAD, START = 16, 16, 17, 17
SHORT, LONG, UNITS, BATCH = 6, 10, 64, 128
UPDATES, MORE, POINTS, NUDGED = 1600, 400, 10, 2  # NUDGED: the place, from 0, of the one wrong symbol


def strings(B: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Symbols (LONG, B), their lengths (B,), and the targets (LONG + 1, B): the symbols backwards, EOS, padding."""
    lengths = torch.randint(SHORT, LONG + 1, (B,), generator=generator)
    x = torch.randint(SYMBOLS, (LONG, B), generator=generator)
    t = torch.arange(LONG + 1)[:, None]  # (LONG + 1, 1)
    y = x.gather(0, (lengths - 1 - t).clamp(min=0))  # (LONG + 1, B)
    y = torch.where(t < lengths, y, torch.where(t == lengths, EOS, PAD))
    return x, lengths, y


class Writer(nn.Module):
    """Encoder and decoder, each an embedding and a GRU; one vector between them."""

    def __init__(self):
        super().__init__()
        self.embed_x, self.embed_y = nn.Embedding(SYMBOLS, 32), nn.Embedding(SYMBOLS + 2, 32)
        self.reads, self.writes = nn.GRU(32, UNITS), nn.GRU(32, UNITS)
        self.readout = nn.Linear(UNITS, SYMBOLS + 1)

    def encode(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The state after the last real symbol, (1, B, H)."""
        h, _ = self.reads(self.embed_x(x))  # (LONG, B, H)
        return h[lengths - 1, torch.arange(len(lengths))][None]

    def step(self, fed: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """Any number of known symbols (n, B) -> logits (n, B, 17), state."""
        h, s = self.writes(self.embed_y(fed), s)  # (n, B, H)
        return self.readout(h), s

    def forward(self, x: Tensor, lengths: Tensor, y: Tensor, own: float = 0.0, draw: bool = False,
                generator: torch.Generator | None = None) -> Tensor:  # fmt: skip
        """Logits (LONG + 1, B, 17), each fed symbol with probability ``own`` what the net said: the likeliest symbol, or one drawn."""
        s, first = self.encode(x, lengths), torch.full_like(y[:1], START)  # (1, B, H), (1, B)
        if own == 0:
            return self.step(torch.cat([first, y[:-1]]), s)[0]
        fed, logits = first, []
        for y_t in y:  # (B,)
            z_t, s = self.step(fed, s)  # (1, B, 17)
            logits.append(z_t[0])
            said = torch.multinomial(z_t[0].detach().softmax(-1), 1, generator=generator)[:, 0] if draw else z_t[0].argmax(-1)  # (B,)
            fed = torch.where(torch.rand(len(y_t), generator=generator) < own, said, y_t)[None]  # (1, B)
        return torch.stack(logits)


def own(mode: str, progress: float) -> float:
    """The probability of feeding the network's own symbol at a moment of training, from 0 to 1."""
    return {"teacher": 0.0, "alone": 1.0}.get(mode, 0.25 * progress)


def losses(net: Writer, mode: str, updates: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One batch after another."""
    for i in range(updates):
        x, lengths, y = strings(BATCH, generator)
        logits = net(x, lengths, y, own(mode, i / updates), mode == "drawn", generator)
        yield cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=PAD)


@torch.no_grad()
def exact(net: Writer, B: int = 1000) -> tuple[float, list[float], list[float], list[float]]:
    """Share of held-out strings said without an error; the error at each place on its own, with the truth fed, and with one wrong symbol fed."""
    x, lengths, y = strings(B, torch.Generator().manual_seed(99))
    real, wrong = y != PAD, []  # (LONG + 1, B)
    nudged = y.clone()
    nudged[NUDGED] = (y[NUDGED] + torch.randint(1, SYMBOLS, (B,), generator=torch.Generator().manual_seed(97))) % SYMBOLS
    for share, fed in ((1.0, y), (0.0, y), (0.0, nudged)):
        wrong.append((net(x, lengths, fed, share).argmax(-1) != y) & real)
    by_place = ((w.sum(1) / real.sum(1)).tolist() for w in wrong)
    return (~wrong[0].any(0)).float().mean().item(), *by_place


def train(net: Writer, mode: str, updates: int, rates: tuple[float, float], generator: torch.Generator) -> tuple[list[float], list[float]]:
    """CPU seconds up to each of the POINTS, and the exact share there; the learning rate goes evenly from the first to the second."""
    adam = torch.optim.Adam(net.parameters(), rates[0])
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1.0, rates[1] / rates[0], updates)
    records = training.fit(net, losses(net, mode, updates, generator), adam, max_norm=1.0)
    seconds, shares, spent = [], [], 0.0
    for _ in range(POINTS):
        began = time.process_time()
        for _ in range(updates // POINTS):
            next(records)
            schedule.step()
        spent += time.process_time() - began
        seconds.append(spent)
        shares.append(exact(net)[0])
    return seconds, shares


def run(seed: int, mode: str, updates: int = UPDATES, more: int = MORE) -> list[float]:
    """Train with the truth, or from the first update with own symbols ("alone"), then go on in one of four ways.

    Parameters
    ----------
    seed : int
    mode : {"alone", "second"}
        "alone": own symbols throughout, no second training. "second": the truth, then each of the ways below.
    updates, more : int
        Of the first and of the second training.

    Returns
    -------
    list of float
        CPU seconds up to each of the POINTS and the share of strings without an error there; the error at each place: own
        symbols fed, true ones, and true ones but for a wrong one at the place NUDGED. For "second", then the share after
        going on with: the truth; own symbols ever more often, up to a quarter, the likeliest; the same, drawn; own symbols alone.
    """
    torch.manual_seed(seed)
    net, generator = Writer(), torch.Generator().manual_seed(seed)
    seconds, shares = train(net, "alone" if mode == "alone" else "teacher", updates, (3e-3, 2e-4), generator)
    places = sum(exact(net)[1:], [])
    after = []
    for way in ("teacher", "likeliest", "drawn", "alone") if mode == "second" else ():
        again = copy.deepcopy(net)
        after.append(train(again, way, more, (2e-4, 2e-4), torch.Generator().manual_seed(seed + 1))[1][-1])
    return [*seconds, *shares, *places, *after]


if __name__ == "__main__":
    cases = [{"mode": "second"}, {"mode": "alone"}, {"mode": "second", "updates": 20, "more": 10}]  # the last: for the chapter to run anew
    results.record(__file__, cases, seeds=range(3), updates=UPDATES + MORE)
