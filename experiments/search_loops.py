"""How much a character model of Python's source repeats itself when it writes on and on, by how its characters are chosen.

The model is the live one of the chapter on neural language models, but for its text: 128 units, streams, 1,500 updates.
"""

from functools import cache

import torch
from torch import Tensor

from rnncourse import corpora, decoding, metrics, models, results, text

HIDDEN, EMBEDDING, READERS, WINDOW, RATE = 128, 32, 16, 64, 0.02
STARTS, READ, LENGTH, SPAN = 8, 300, 600, 20  # texts, characters read before each, characters written, and of a span that may return
WAYS = {"beam 8": {"k": 8}} | {f"temperature {t}": {"temperature": t} for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)} | {
    "top-k 5": {"top_k": 5}, "nucleus 0.9": {"top_p": 0.9}}  # fmt: skip


@cache
def corpus() -> tuple[text.Characters, Tensor, Tensor]:
    """The characters, and both parts as numbers."""
    train, held_out = corpora.python_source(1_000_000)
    letters = text.Characters(train)
    return letters, letters.encode(train), letters.encode(held_out)


def repeated(row: list[int], span: int = SPAN) -> float:
    """The share of the spans of a text that stood in it before."""
    spans = [tuple(row[i : i + span]) for i in range(len(row) - span + 1)]
    return 1 - len(set(spans)) / len(spans)


@torch.no_grad()
def cost(model: models.LanguageModel, before: Tensor, rows: Tensor) -> float:
    """What the model thinks of some texts (B, N) that follow others (B, M): nats per character."""
    ids = torch.cat([before, rows], dim=1).T  # (M + N, B)
    return metrics.token_nll(model(ids[:-1])[0][len(before[0]) - 1 :], rows.T).item()


def written(model: models.LanguageModel, before: Tensor, way: dict, seed: int) -> Tensor:
    """What follows some texts (B, M) -> (B, LENGTH). EOS, which no stream has, is not met."""
    with torch.no_grad():
        state = model(before[:, :-1].T)[1]
    if "k" in way:
        found = decoding.beam(model.step, before[:, -1], text.PAD, way["k"], LENGTH, state, select=decoding.columns)
        return torch.tensor([several[0].tokens for several in found])
    return torch.tensor(decoding.sample(model.step, before[:, -1], -1, LENGTH, torch.Generator().manual_seed(seed), state=state, **way))


def run(seed: int, updates: int) -> list[list[float]]:
    """For held-out text and for each of WAYS: the share of repeated spans, and nats per character that the model pays for the text.

    Parameters
    ----------
    seed : int
        For the weights and for what is drawn.
    updates : int
        Of 16 windows of 64 characters.
    """
    letters, train, held_out = corpus()
    torch.manual_seed(seed)
    model = models.LanguageModel(len(letters), EMBEDDING, HIDDEN)
    for _ in models.learn(model, models.Reading(model, train, READERS, WINDOW), updates, RATE):
        pass
    model.eval()
    pieces = torch.stack([held_out[n : n + READ + LENGTH] for n in torch.linspace(0, len(held_out) - READ - LENGTH - 1, STARTS).long()])
    before, answers = torch.cat([train[-1000:].expand(STARTS, -1), pieces[:, :READ]], dim=1), []  # (B, M): from zeros the model is lost at first
    for rows in [pieces[:, READ:], *(written(model, before, way, seed) for way in WAYS.values())]:
        answers.append([sum(map(repeated, rows.tolist())) / STARTS, cost(model, before, rows)])
    return answers


if __name__ == "__main__":
    results.record(__file__, [{"updates": 50}, {"updates": 1500}], seeds=range(3), updates=1500)  # the chapter runs the first anew
