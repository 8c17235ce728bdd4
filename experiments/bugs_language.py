"""Lab 4 with one mistake at a time: a language model on stump speeches, trained, and made to write.

The functions are those of the lab's own bank: each is right, with a switch for every mistake that its check can name. From `solutions/`, which
is the only source of a lab; asked for like an experiment, so that what is stored here is stale when the bank changes.
LSTM 64 on characters, 32 sentences an update, Adam with a falling rate, clipping at 1.
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from rnncourse import corpora, metrics, models, results, stump, text
from rnncourse.text import EOS, PAD

bank = results.experiment("../solutions/language/check")
HIDDEN, EMBEDDING, BATCH, RATE, UPDATES, EVERY = 64, 32, 32, 0.02, 400, 8
WRITTEN, LONGEST, TEMPERATURES = 100, 100, (0.5, 1.0, 2.0)  # sentences that are judged, characters of one at most
MISTAKES = {"inverted": "masked_cross_entropy", "over_time": "masked_cross_entropy", "copies": "train_step", "over_batch": "train_step",
            "times": "draw"}  # fmt: skip


def right(exercise: str, mistake: str, *given: object) -> object:
    """What the lab's right function answers; with the mistake, if it is one of this function's."""
    return getattr(bank, exercise).truth(*given, **({mistake: True} if MISTAKES.get(mistake) == exercise else {}))


@cache
def corpus() -> tuple[text.Characters, list[Tensor], list[str]]:
    """The characters, the training sentences as numbers, and the held-out sentences."""
    learn, held_out = (part.splitlines() for part in corpora.stump_speeches(6000, 300))
    letters = text.Characters("".join(learn))
    return letters, [letters.encode(line) for line in learn], held_out


def batches(seed: int) -> Iterator[Tensor]:
    """Batches (T, B) for ever; the order of an epoch is random."""
    generator, samples = torch.Generator().manual_seed(seed), corpus()[1]
    while True:
        for some in torch.randperm(len(samples), generator=generator).split(BATCH):
            yield right("pad_collate_fn", "", [samples[i] for i in some])


def update(model: models.LanguageModel, adam: torch.optim.Adam, batch: Tensor, mistake: str) -> tuple[float, float]:
    """One step of training: the loss before it and the norm of the gradient before clipping."""
    if MISTAKES.get(mistake) == "masked_cross_entropy":  # in the lab, train_step calls it
        loss = right("masked_cross_entropy", mistake, model(batch[:-1])[0], batch[1:], PAD)
        adam.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    else:
        loss, norm = right("train_step", mistake, model, adam, batch, 1.0)
    return loss.item(), norm.item()


@torch.no_grad()
def write(model: models.LanguageModel, temperature: float, mistake: str, seed: int) -> list[list[int]]:
    """100 sentences of at most 100 characters, with EOS where it was written; each begins with a held-out sentence's first character."""
    letters, _, held_out = corpus()
    tokens, state = letters.encode("".join(line[0] for line in held_out[:WRITTEN])), None  # (B,)
    drawn = [tokens]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        while len(drawn) < LONGEST:
            logits, state = model(tokens[None], state)  # (1, B, V)
            tokens = right("draw", mistake, logits[0], temperature)  # (B,)
            drawn.append(tokens)
    rows = torch.stack(drawn, dim=1).tolist()  # (B, N)
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]


def judge(rows: list[list[int]]) -> tuple[float, float]:
    """Share of the sentences that end, and that the grammar of the corpus allows."""
    ended = [row[-1] == EOS for row in rows]
    allowed = [end and stump.grammar().parses(corpus()[0].decode(row)) for end, row in zip(ended, rows)]
    return sum(ended) / len(rows), sum(allowed) / len(rows)


def shown(row: list[int]) -> str:
    """A sentence as text: ¶ ends it, · is padding that was written, … what was cut off."""
    signs = ["·" if i == PAD else "¶" if i == EOS else corpus()[0].tokens[i] for i in row]
    return "".join(signs) + ("" if row[-1] == EOS else " …")


@torch.no_grad()
def held_out(model: models.LanguageModel) -> float:
    """The right loss on held-out sentences, nats per character."""
    letters, _, lines = corpus()
    batch = right("pad_collate_fn", "", [letters.encode(line) for line in lines])
    return metrics.token_nll(model(batch[:-1])[0], batch[1:], batch[1:] != PAD).item()


@cache
def trained(seed: int, mistake: str, updates: int) -> tuple[models.LanguageModel, list[tuple[float, float]]]:
    """A model after its updates, and of each the loss and the norm, as the owner of the run sees them."""
    torch.manual_seed(seed)
    model, stream, seen = models.LanguageModel(len(corpus()[0]), EMBEDDING, HIDDEN), batches(seed), []
    adam = torch.optim.Adam(model.parameters(), RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, updates, eta_min=RATE / 50)
    for _ in range(updates):
        seen.append(update(model, adam, next(stream), mistake))
        falling.step()
    return model, seen


def run(seed: int, mistake: str = "", updates: int = UPDATES) -> dict:
    """Train, and write.

    Returns
    -------
    dict
        "loss" and "norm" at every eighth update; "held_out", the right loss in the end; for each of the TEMPERATURES "ended" and "allowed",
        the shares of the written sentences, and one sentence, "said".
    """
    model, seen = trained(seed, "" if MISTAKES.get(mistake) == "draw" else mistake, updates)
    texts = [write(model, temperature, mistake, seed) for temperature in TEMPERATURES]
    ended, allowed = zip(*map(judge, texts))
    return {"loss": [round(loss, 4) for loss, _ in seen[::EVERY]], "norm": [round(norm, 5) for _, norm in seen[::EVERY]],
            "held_out": round(held_out(model), 4), "ended": ended, "allowed": allowed, "said": [shown(rows[0]) for rows in texts]}


if __name__ == "__main__":
    cases = [{"updates": 24}] + [{"mistake": mistake} for mistake in ("", *MISTAKES)]  # the page runs the first anew
    results.record(__file__, cases, seeds=range(3), updates=UPDATES)
