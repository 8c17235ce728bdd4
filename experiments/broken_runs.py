"""A language model on stump speeches, trained with one mistake at a time: what does each look like from outside?

LSTM 64 on characters, 32 sentences an update, Adam with a falling rate, clipping at 1.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from rnncourse import corpora, decoding, gradients, metrics, models, results, stump, text

HIDDEN, EMBEDDING, BATCH, RATE, UPDATES, EVERY = 64, 32, 32, 0.02, 600, 12
WRITTEN, SHOWN, LONGEST = 100, 3, 100  # sentences that are judged, sentences that are stored, tokens of one
MISTAKES = ("", "softmax", "padding", "heap", "rate", "vocabulary", "endless", "sorted")


def sentences() -> tuple[list[str], list[str]]:
    """Those to learn from and those held out."""
    return tuple(part.splitlines() for part in corpora.stump_speeches(6000, 300))


def batches(ids: list[Tensor], seed: int, mistake: str = "") -> Iterator[text.Batch]:
    """32 sentences side by side, for ever; the order of an epoch is random."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.arange(len(ids)) if mistake == "sorted" else torch.randperm(len(ids), generator=generator)
        for some in order.split(BATCH):
            yield text.batch([ids[i] for i in some])


def criterion(logits: Tensor, batch: text.Batch, mistake: str = "") -> Tensor:
    """The loss, (T, B, V) -> (), as the owner of a run computes it."""
    inputs, targets, mask = batch
    if mistake == "copy":  # not shifted
        targets = inputs
    elif mistake == "padding":  # counted as if it were text
        mask = torch.ones_like(mask)
    elif mistake == "inverted":
        mask = ~mask
    elif mistake == "endless":  # EOS is no target
        mask = mask & (targets != text.EOS)
    elif mistake == "softmax":  # cross-entropy has one of its own
        logits = logits.softmax(-1)
    return metrics.token_nll(logits, targets, mask)


def optimizer(model: models.LanguageModel, rate: float, mistake: str = "") -> torch.optim.Adam:
    """Adam, and what its owner forgot to give it."""
    given = model.decoder.parameters() if mistake == "frozen" else model.parameters()
    return torch.optim.Adam(given, 30 * rate if mistake == "rate" else rate)


def update(model: models.LanguageModel, adam: torch.optim.Adam, batch: text.Batch, mistake: str = "") -> tuple[float, float]:
    """One step of training: the loss before it and the norm of the gradient before clipping."""
    loss = criterion(model(batch.inputs)[0], batch, mistake)
    if mistake != "heap":  # gradients are added to those that are there
        model.zero_grad()
    loss.backward()
    norm = gradients.clip(model.parameters(), 1.0)
    adam.step()
    return loss.item(), norm


@torch.no_grad()
def write(model: models.LanguageModel, seed: int) -> list[list[int]]:
    """100 sentences of at most 100 tokens, with EOS where it was written."""
    generator, start = torch.Generator().manual_seed(seed), torch.full((WRITTEN,), text.EOS)
    drawn = decoding.sample(model.step, start, text.EOS, LONGEST, generator)
    return [[*ids, text.EOS] if len(ids) < LONGEST else ids for ids in drawn]


def judge(drawn: list[list[int]], letters: text.Characters) -> tuple[float, float]:
    """Share of the sentences that end, and that the grammar of the corpus allows."""
    ended = [ids[-1] == text.EOS for ids in drawn]
    right = [end and stump.grammar().parses(letters.decode(ids)) for end, ids in zip(ended, drawn)]
    return sum(ended) / len(drawn), sum(right) / len(drawn)


def shuffled(letters: text.Characters, seed: int) -> text.Characters:
    """The same characters under other numbers: a vocabulary from ``list(set(text))``, made anew in another process."""
    order = torch.randperm(len(letters) - len(text.MARKS), generator=torch.Generator().manual_seed(seed)) + len(text.MARKS)
    other = text.Characters("".join(letters.tokens[len(text.MARKS) :]))
    other.ids |= {letters.tokens[i]: n for n, i in enumerate(order.tolist(), len(text.MARKS))}
    return other


def run(seed: int, mistake: str = "", rate: float = RATE, updates: int = UPDATES) -> list[list[float]]:
    """What the owner of a run sees, and what is true.

    Returns
    -------
    list of lists
        Loss and gradient norm at every 12th update; the owner's held-out loss and the right one, nats per token, after
        every tenth of the updates; the share of written sentences that end, and that are right; three of them, as numbers.
    """
    torch.manual_seed(seed)
    learn, held_out = sentences()
    letters = text.Characters("".join(learn))
    theirs = shuffled(letters, seed) if mistake == "vocabulary" else letters
    tests = [text.batch([signs.encode(line) for line in held_out]) for signs in (theirs, letters)]
    model, losses, norms, told, true = models.LanguageModel(len(letters), EMBEDDING, HIDDEN), [], [], [], []
    adam = optimizer(model, rate, mistake)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, updates, eta_min=rate / 50)
    order = sorted(learn) if mistake == "sorted" else learn  # alphabetical, and never mixed
    stream = batches([letters.encode(line) for line in order], seed, mistake)
    for n in range(updates):
        if n % (updates // 10) == 0:
            test(model, tests, mistake, told, true)
        loss, norm = update(model, adam, next(stream), mistake)
        falling.step()
        if n % EVERY == 0:
            losses.append(round(loss, 4))
            norms.append(round(norm, 5))
    test(model, tests, mistake, told, true)
    drawn = write(model, seed)
    return [losses, norms, told, true, judge(drawn, letters), *drawn[:SHOWN]]


@torch.no_grad()
def test(model: models.LanguageModel, tests: list[text.Batch], mistake: str, told: list[float], true: list[float]) -> None:
    """The held-out loss, once as the owner computes it and once as it should be."""
    told.append(round(criterion(model(tests[0].inputs)[0], tests[0], mistake).item(), 4))
    true.append(round(criterion(model(tests[1].inputs)[0], tests[1]).item(), 4))


if __name__ == "__main__":
    cases = [{"mistake": mistake} for mistake in MISTAKES] + [{"rate": 10 ** (k / 2), "updates": 200} for k in range(-6, 1)]
    results.record(__file__, [{"updates": 40}, *cases], seeds=range(3), updates=UPDATES)
