"""Lab 6 with one mistake at a time: numbers in French words to digits, by an encoder and a decoder.

The functions are those of the lab's own bank: each is right, with a switch for every mistake that its check can name. From `solutions/`, which
is the only source of a lab; asked for like an experiment, so that what is stored here is stale when the bank changes.
An LSTM on each side, 16 pairs an update, Adam with a rate that rises and falls, clipping at 1.
"""

import random
from functools import cache
from statistics import mean

import torch
from torch import Tensor, nn

from rnncourse import bilingual, gradients, results
from rnncourse.text import EOS, Characters, Words

bank = results.experiment("../solutions/translation/check")
EMBEDDING, UNITS, BATCH, RATE, UPDATES, EVERY = 24, 48, 16, 0.02, 400, 8
TRAIN, LONGEST, SHOWN = 6000, 8, 5  # numbers to learn from, digits of an answer at most, answers that are stored
MISTAKES = {"not_shifted": "collate", "after_padding": "encode", "cut_state": "loss", "state_lost": "loss", "first_stops": "greedy"}
DIGITS = Characters("0123456789")


def right(name: str, mistake: str, *given: object) -> object:
    """What the lab's right function answers; with the mistake, if it is one of this function's."""
    return getattr(bank, f"right_{name}")(*given, **({mistake: True} if MISTAKES.get(mistake) == name else {}))


@cache
def words() -> Words:
    """All words of French numbers below 10,000, hyphens apart."""
    return Words(" ".join(map(spelled, range(10_000))), 100)


def spelled(n: int) -> str:
    """A number in French words."""
    return bilingual.french_number(n).replace("-", " ")


@cache
def corpus() -> tuple[list[int], list[int]]:
    """Numbers of 1 to 4 digits, long ones more often, to learn from; and others, of 2 to 4 digits, to ask for."""
    pick = random.Random(0)
    asked = [n for k, count in ((2, 20), (3, 30), (4, 50)) for n in pick.sample(range(10 ** (k - 1), 10**k), count)]
    pick.shuffle(asked)
    kept = {*asked}
    drawn = [pick.randrange(10**k) for k in pick.choices((1, 2, 3, 4), (1, 1, 3, 4), k=TRAIN)]
    return [n for n in drawn if n not in kept], asked


def collated(numbers: list[int], mistake: str) -> list[Tensor]:
    """Source, lengths, inputs, targets and mask."""
    return right("collate", mistake, [(words().encode(spelled(n)), DIGITS.encode(str(n))) for n in numbers])


class Translator(nn.Module):
    """An LSTM that reads, and one that writes."""

    def __init__(self, mistake: str):
        super().__init__()
        self.mistake, D, H = mistake, EMBEDDING, UNITS
        self.source_emb, self.encoder = nn.Embedding(len(words()), D), nn.LSTM(D, H)
        self.emb, self.rnn, self.decoder = nn.Embedding(len(DIGITS), D), nn.LSTM(D, H), nn.Linear(H, len(DIGITS))

    def read(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first digit."""
        return right("encode", self.mistake, self.source_emb, self.encoder, source, lengths)

    def loss(self, source: Tensor, lengths: Tensor, *target: Tensor) -> Tensor:
        """Teacher forcing."""
        return right("loss", self.mistake, self.emb, self.rnn, self.decoder, self.read(source, lengths), *target)

    def step(self, tokens: Tensor, state: dict) -> tuple[Tensor, dict]:
        """One step, for the lab's greedy, whose states are dictionaries."""
        out, new = self.rnn(self.emb(tokens[None]), state["hc"])  # (1, B, H)
        return self.decoder(out[0]).log_softmax(-1), {"hc": new}

    @torch.no_grad()
    def say(self, numbers: list[int], mistake: str) -> list[str]:
        """What it makes of some numbers, read side by side; the mistake may be the greedy function's."""
        source, lengths, *_ = collated(numbers, "")
        state = {"hc": None if self.mistake == "state_lost" else self.read(source, lengths)}
        return [DIGITS.decode(row) for row in right("greedy", mistake, self.step, state, len(numbers), EOS, LONGEST)]


def size(module: nn.Module) -> float:
    """The norm of its gradients."""
    return sum(p.grad.square().sum().item() for p in module.parameters() if p.grad is not None) ** 0.5


@cache
def trained(seed: int, mistake: str, updates: int) -> tuple[Translator, list[tuple[float, float, float]]]:
    """A translator after its updates, and of each the loss, the norm of the gradient, and that of the encoder's part."""
    torch.manual_seed(seed)
    model, pick, seen = Translator(mistake), random.Random(seed), []
    adam = torch.optim.Adam(model.parameters(), RATE)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, updates, pct_start=0.1, cycle_momentum=False)
    for _ in range(updates):
        loss = model.loss(*collated(pick.choices(corpus()[0], k=BATCH), mistake))
        adam.zero_grad()
        loss.backward()
        part = size(model.encoder)
        seen.append((loss.item(), gradients.clip(model.parameters(), 1.0), part))
        adam.step()
        cycle.step()
    return model, seen


def run(seed: int, mistake: str = "", updates: int = UPDATES) -> dict:
    """Train, and translate.

    Returns
    -------
    dict
        "loss", "norm" and "encoder", the norm of the encoder's part, at every eighth update; "together" and "alone", the shares of new
        numbers that come out right if they are read side by side and one by one, and "differ", that of answers in which it matters; "zipped",
        the share that a score counts which stops at the end of the shorter one, another mistake of the bank; "said", some of the answers.
    """
    model, seen = trained(seed, "" if MISTAKES.get(mistake) == "greedy" else mistake, updates)
    asked = corpus()[1]
    said, alone = model.say(asked, mistake), [model.say([n], mistake)[0] for n in asked]
    told = {name: [round(row[i], 5) for row in seen[::EVERY]] for i, name in enumerate(("loss", "norm", "encoder"))}
    rows = [(spelled(n), str(n), *both) for n, *both in zip(asked, said, alone)]
    told |= {"together": mean(s == n for _, n, s, _ in rows), "alone": mean(a == n for _, n, _, a in rows), "differ": mean(s != a for *_, s, a in rows)}
    found, wanted = [list(s) for _, _, s, _ in rows], [list(n) for _, n, _, _ in rows]
    told["zipped"] = bank.right_by_length(found, wanted, [1] * len(rows), [1, 2], cut=True)[0]
    return told | {"said": rows[:SHOWN]}


if __name__ == "__main__":
    cases = [{"updates": 20}] + [{"mistake": mistake} for mistake in ("", *MISTAKES)]  # the page runs the first anew
    results.record(__file__, cases, seeds=range(3), updates=UPDATES)
