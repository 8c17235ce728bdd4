"""Lab 1 with one mistake at a time: what does each look like from outside?

The functions are those of the lab's own bank: each is right, with a switch for every mistake that its check can name. From `solutions/`, which
is the only source of a lab; asked for like an experiment, so that what is stored here is stale when the bank changes. Two tasks on first names:
which language is this (a tanh cell with 48 units), and at which letters do two vowels meet (16 units)?
"""

import functools
import re
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from rnncourse import corpora, gradients, results

bank = results.experiment("../solutions/unfold/check")
BATCH, UPDATES, EVERY, RATE = 60, 400, 10, 3e-3
SHOWN = "riitta", "luigina", "esperanza", "adesoji"  # held out
LANGUAGE, VOWELS = ("not_carried", "cut_between", "after_padding", "hh_turned"), ("inverted",)
TAKES = {"hh_turned": "step", "not_carried": "unfold", "cut_between": "unfold", "after_padding": "classify", "inverted": "detect"}


def given(name: str, mistake: str) -> dict[str, bool]:
    """The switch of one right function, if the mistake is one of its own."""
    return {mistake: True} if TAKES.get(mistake) == name else {}


@functools.cache
def names() -> tuple[list, list, list]:
    """Those to learn from, those held out, and the languages."""
    learn, held_out = corpora.first_names()
    return learn, held_out, sorted({language for _, language in learn})


def draw(seed: int, H: int, outputs: int) -> list[Tensor]:
    """W_xh, W_hh, b, W_hy, b_y, as small as `torch.nn.RNN` makes them."""
    torch.manual_seed(seed)
    shapes = (27, H), (H, H), (H,), (H, outputs), (outputs,)
    return [torch.empty(shape).uniform_(-(H**-0.5), H**-0.5).requires_grad_() for shape in shapes]


def read(weights: list[Tensor], words: list[str], mistake: str = "") -> tuple[Tensor, Tensor]:
    """States (T, B, H) and lengths (B,) of some names."""
    ids, lengths = bank.right_pad(words)  # (T, B), (B,)
    step = functools.partial(bank.right_step, **given("step", mistake))
    x, h0 = F.one_hot(ids, 27).float(), torch.zeros(len(words), len(weights[2]))  # (T, B, 27), (B, H)
    return bank.right_unfold(lambda x_t, h: step(x_t, h, *weights[:3]), x, h0, **given("unfold", mistake))[0], lengths


def language(weights: list[Tensor], some: list[tuple], mistake: str = "") -> tuple[Tensor, Tensor]:
    """The loss, and which names are right, (B,)."""
    h, lengths = read(weights, [name for name, _ in some], mistake)
    scores = bank.right_classify(h, lengths, *weights[3:], **given("classify", mistake))  # (B, 12)
    y = torch.tensor([names()[2].index(language) for _, language in some])  # (B,)
    return F.cross_entropy(scores, y), scores.argmax(1) == y


def vowels(weights: list[Tensor], some: list[tuple], mistake: str = "") -> tuple[Tensor, Tensor]:
    """The loss, over the steps where the mask is True, and the names in which the first place is right, (B,)."""
    words = [name for name, _ in some]
    h, lengths = read(weights, words, mistake)
    mask = torch.arange(len(h))[:, None] < lengths  # (T, B)
    p, first = bank.right_detect(h, weights[3][:, 0], weights[4][0], mask, **given("detect", mistake))  # (T, B), (B,)
    meet = torch.zeros(len(h), len(words))
    for b, name in enumerate(words):
        meet[[m.start() + 1 for m in re.finditer("(?=[aeiou]{2})", name)], b] = 1.0
    mask = ~mask if mistake == "inverted" else mask  # one mask for all, made in one line
    return F.binary_cross_entropy(p[mask], meet[mask]), first == torch.where(meet.any(0), meet.argmax(0), -1)


@torch.no_grad()
def held_out(task: Callable, weights: list[Tensor], mistake: str) -> list[float]:
    """Of the held-out names, read in one batch: the loss, and the share that is right."""
    loss, right = task(weights, names()[1], mistake)
    return [round(loss.item(), 4), round(right.float().mean().item(), 4)]


@torch.no_grad()
def said(task: Callable, weights: list[Tensor], mistake: str) -> list[list]:
    """Of some held-out names: the language, in the batch of all and alone; or where two vowels first meet, in both."""
    words, answers = [name for name, _ in names()[1]], []
    for batch in (words, *([name] for name in SHOWN)):
        h, lengths = read(weights, batch, mistake)
        if task is language:
            best = bank.right_classify(h, lengths, *weights[3:], **given("classify", mistake)).argmax(1)  # (B,)
            answers.append([names()[2][i] for i in best.tolist()])
        else:
            mask = torch.arange(len(h))[:, None] < lengths  # (T, B)
            answers.append(bank.right_detect(h, weights[3][:, 0], weights[4][0], mask, **given("detect", mistake))[1].tolist())
    return [[name, answers[0][words.index(name)], alone[0]] for name, alone in zip(SHOWN, answers[1:])]


def run(seed: int, mistake: str = "", task: str = "language", updates: int = UPDATES) -> dict[str, list]:
    """Train with a mistake of the bank, or with none.

    Returns
    -------
    dict
        "loss" and "norm" (of the gradient, before clipping) at every tenth update; "told": loss and share right of the held-out names, read as
        in training; "true": the same weights under the right functions.
    """
    of = language if task == "language" else vowels
    weights, g = draw(seed, *((48, 12) if task == "language" else (16, 1))), torch.Generator().manual_seed(seed)
    adam, (learn, *_), found = torch.optim.Adam(weights, RATE), names(), {"loss": [], "norm": []}
    for n in range(updates):
        loss, _ = of(weights, [learn[i] for i in torch.randint(len(learn), (BATCH,), generator=g)], mistake)
        adam.zero_grad()
        loss.backward()
        norm = gradients.clip(weights, 1.0)
        adam.step()
        if n % EVERY == 0:
            found["loss"].append(round(loss.item(), 4))
            found["norm"].append(round(norm, 5))
    return found | {"told": held_out(of, weights, mistake), "true": held_out(of, weights, ""), "said": said(of, weights, mistake)}


if __name__ == "__main__":
    cases = [{"mistake": m, "task": "language"} for m in ("", *LANGUAGE)] + [{"mistake": m, "task": "vowels"} for m in ("", *VOWELS)]
    results.record(__file__, [{"updates": 30}, *cases], seeds=range(3), updates=UPDATES)
