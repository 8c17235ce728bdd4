"""What the units of a character LSTM tell about the code that it reads: it learns from Python's own library, and is looked at on matplotlib.

Both are read from this machine (PSF licence, and one like it). The library's text differs a little from one Python to the
next, so the weights of seed 0 are stored, in book/results/units.pt; matplotlib is the version that requirements.txt pins.
"""

import copy
from pathlib import Path
from typing import NamedTuple

import matplotlib
import torch
from torch import Tensor
from torch.nn import functional as F

from rnncourse import corpora, models, results, text
from rnncourse.cells import from_torch
from rnncourse.unfold import unfold

tag = results.experiment("tag")  # its tokens: the same in each Python
HIDDEN, EMBEDDING, UPDATES, BATCH, STEPS, RATE = 128, 32, 3000, 32, 100, 0.01
FILES = {"choose": ("artist", "backend_bases", "figure", "ticker", "transforms"), "score": ("axis", "collections", "patches", "text", "widgets")}
FLAGS = ("string", "docstring", "comment", "condition", "brackets")
GRADES = ("depth", "column", "indentation")
LEVELS = tuple(n / 20 for n in range(4, 20))  # of strength: 0.2, 0.25, … 0.95
SIGNS = text.Characters("\n" + "".join(map(chr, range(32, 127))))
LENGTH, WARM, EACH = 1200, 200, 12  # characters of a piece, the first of which are read and not looked at; pieces of a file


def marks(source: str) -> Tensor:
    """For each character of a source, the eight properties once it has been read: int64 (8, N).

    An opening quote or bracket lies inside, a closing one outside. A condition goes from ``if``, ``elif`` or ``while`` at
    the beginning of a line to its colon; the depth counts the open brackets; the indentation, the spaces so far.
    """
    lines = source.splitlines(keepends=True)
    begins = torch.tensor([0, *map(len, lines)]).cumsum(0).tolist()
    turns = torch.zeros(5, len(source) + 1, dtype=torch.int64)  # +1 where something begins, -1 where it ends
    tokens = sorted((begins[a[0] - 1] + a[1], begins[b[0] - 1] + b[1], kind) for kind, a, b in tag.tokens(source))
    end, depth, asked = 0, 0, False  # asked: between an if and its colon
    for p, q, kind in tokens:
        if p < end:  # a part of an f-string, from Python 3.12 on
            continue
        end, sign = q, source[p:q]
        if kind in ("string", "comment"):
            row = 2 if kind == "comment" else sign.lstrip("rRbBuUfF")[:3] in ('"""', "'''")
            turns[int(row), p] += 1
            turns[int(row), q - (kind == "string")] -= 1
        elif sign in ("if", "elif", "while") and depth == 0 and not source[source.rfind("\n", 0, p) + 1 : p].strip():
            asked, turns[3, p] = True, 1
        elif kind == "operator" and sign in "([{)]}":
            depth += 1 if sign in "([{" else -1
            turns[4, p] += 1 if sign in "([{" else -1
        elif sign == ":" and depth == 0 and asked:
            asked, turns[3, p] = False, -1
    rows = turns.cumsum(1)[:, :-1]  # (5, N)
    column = torch.cat([torch.arange(1, len(line) + 1) * torch.tensor([1] * (len(line) - 1) + [0]) for line in lines])
    indent = torch.tensor([len(line) - len(line.lstrip(" ")) for line in lines]).repeat_interleave(torch.tensor([*map(len, lines)]))
    return torch.stack([*rows[:4], rows[4] > 0, rows[4], column, torch.minimum(column, indent)])


def pieces(sources: list[str], each: int = EACH) -> tuple[Tensor, Tensor]:
    """Pieces of LENGTH characters, evenly spread over each source, that begin with a line: ids (LENGTH, B), marks (8, LENGTH, B)."""
    ids, found = [], []
    for source in sources:
        every, rows = SIGNS.encode(source), marks(source)
        for n in range(each):
            begin = source.index("\n", n * (len(source) - 2 * LENGTH) // each) + 1
            ids.append(every[begin : begin + LENGTH])
            found.append(rows[:, begin : begin + LENGTH])
    return torch.stack(ids, dim=1), torch.stack(found, dim=2)


def plain(source: str) -> str:
    """A source in the signs that the network knows."""
    return source.expandtabs(4).replace("\f", "").encode("ascii", "replace").decode()


def sources(part: str) -> list[str]:
    """The files of matplotlib to choose units by, or those to score them on."""
    return [plain(Path(matplotlib.__file__).with_name(f"{name}.py").read_text("utf8")) for name in FILES[part]]


@torch.no_grad()
def states(model: models.LanguageModel, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The output h and the memory c after each character, without the first WARM: from (T, B) to two (T - WARM, B, H)."""
    record = {}
    h, _ = unfold(from_torch(model.rnn), model.embedding(ids), record=record)  # (T, B, H)
    return h[WARM:], record["c"][WARM:]


def ranks(values: Tensor) -> Tensor:
    """The rank of each number in its column, from 1; equal ones share their mean rank: (N, ...) -> (N, ...)."""
    rows = []
    for column in values.flatten(1).T if values.dim() > 1 else [values]:
        _, which, many = column.unique(return_inverse=True, return_counts=True)
        rows.append((many.cumsum(0).double() - (many - 1) / 2)[which])
    return torch.stack(rows, dim=1).view(values.shape)


def score(rank: Tensor, mark: Tensor) -> Tensor:
    """How well each column of ranks (N, H) tells a property (N,): the AUC of a flag, the rank correlation of a grade; (H,)."""
    if mark.max() > 1:
        other = ranks(mark)  # (N,)
        return torch.corrcoef(torch.cat([other[None], rank.T]))[0, 1:]
    inside, n = mark.bool(), mark.sum().item()
    return (rank[inside].sum(0) - n * (n + 1) / 2) / (n * (len(mark) - n))


def train(seed: int, updates: int) -> models.LanguageModel:
    """A model that has read Python's library for so many updates, in the precision that is stored: float16."""
    torch.manual_seed(seed)
    model = models.LanguageModel(len(SIGNS), EMBEDDING, HIDDEN)
    if updates:
        ids = SIGNS.encode(corpora.python_source()[0])
        for _ in models.learn(model, models.Reading(model, ids, BATCH, STEPS), updates, RATE):
            pass
    return model.half().float()


def load(path: Path) -> models.LanguageModel:
    """The model of seed 0, from its stored weights."""
    model = models.LanguageModel(len(SIGNS), EMBEDDING, HIDDEN)
    model.load_state_dict({name: w.float() for name, w in torch.load(path, weights_only=True).items()})
    return model


def probe(states: Tensor, mark: Tensor, decay: float = 0.01) -> Tensor:
    """Ridge regression of a property on standardised states, (N, D) and (N,) -> weights (D,)."""
    y = mark.double() - mark.double().mean()
    return torch.linalg.solve(states.T @ states / len(y) + decay * torch.eye(states.shape[1]), states.T @ y / len(y))


@torch.no_grad()
def losses(model: models.LanguageModel, ids: Tensor, unit: int | None = None, value: float = 0.0) -> Tensor:
    """Nats of each character of (T, B) after the first WARM + 1, (T - WARM - 1, B); a unit's memory c can be held at a value."""
    layer, H = copy.deepcopy(model.rnn), model.rnn.hidden_size
    h, c = torch.zeros(2, 1, ids.shape[1], H)  # (1, B, H) each
    if unit is not None:  # its input gate shut, its forget gate open: c stays what it was
        c[..., unit] = value
        layer.bias_ih_l0[unit], layer.bias_ih_l0[H + unit] = -1e4, 1e4
    logits = model.decoder(layer(model.embedding(ids[:-1]), (h, c))[0])[WARM:]  # (T - WARM - 1, B, V)
    return F.cross_entropy(logits.flatten(0, 1), ids[WARM + 1 :].flatten(), reduction="none").view(logits.shape[:2])


def telling(ids: Tensor, found: Tensor) -> Tensor:
    """For each property, the predicted characters that ask for it: bool (8, T - WARM - 1, B), in step with `losses`.

    Where a flag ends, a bracket closes, or a line; at its beginning, each one, for the indentation. A docstring ends with
    three quotes, of which the first one counts.
    """
    now, then = found[:, WARM:-1], found[:, WARM + 1 :]  # before and after the predicted character
    end = (now[:5] > 0) & (then[:5] == 0)
    end[1, :-2], end[1, -2:] = end[1, 2:].clone(), False
    return torch.stack([*end, then[5] < now[5], ids[WARM + 1 :] == SIGNS.ids["\n"], now[6] == now[7]])


class Look(NamedTuple):
    """What is seen of a model on both parts, "choose" and "score"; N characters of each, H units."""

    states: dict[str, Tensor]  # c, then h, standardised by the part to choose by: (N, 2H)
    scores: dict[str, Tensor]  # of each property and each memory c: (8, H)
    found: dict[str, Tensor]  # the properties: (8, N)
    mean: Tensor  # of c on the part to choose by: (H,)


def look(model: models.LanguageModel, parts: dict[str, tuple[Tensor, Tensor]]) -> Look:
    """Read both parts, and score each unit for each property."""
    both = {part: [s.flatten(0, 1).double() for s in states(model, ids)] for part, (ids, _) in parts.items()}  # h and c, (N, H)
    found = {part: m[:, WARM:].flatten(1) for part, (_, m) in parts.items()}
    rank = {part: ranks(c) for part, (_, c) in both.items()}
    scores = {part: torch.stack([score(rank[part], mark) for mark in found[part]]) for part in parts}
    whole = {part: torch.cat([c, h], dim=1) for part, (h, c) in both.items()}
    mean, std = whole["choose"].mean(0), whole["choose"].std(0) + 1e-6
    return Look({part: (z - mean) / std for part, z in whole.items()}, scores, found, mean[: model.rnn.hidden_size])


def strength(scores: Tensor) -> Tensor:
    """How far scores (8, H) are from those of a unit that knows nothing, 0.5 for a flag and 0 for a grade: from 0 to 1."""
    flag = torch.tensor([True] * 5 + [False] * 3)[:, None]
    return torch.where(flag, 2 * scores - 1, scores).abs()


def costs(model: models.LanguageModel, parts: dict, mean: Tensor) -> Tensor:
    """Nats that each telling character costs more when a unit is held at its mean: (8, H)."""
    ids, found = parts["score"]
    before, where = losses(model, ids), telling(ids, found)
    more = [losses(model, ids, unit, value.item()) - before for unit, value in enumerate(mean)]  # (T - WARM - 1, B) each
    return torch.stack([torch.stack([m[w].mean() for m in more]) for w in where])


def run(seed: int, updates: int, hold: bool = False) -> list[list[float]]:
    """A row for each property, and one more.

    A property's row: the unit that is best on the part to choose by; its strength there and on the part to score on; the
    strength of the probe there; with ``hold``, what it costs to hold the unit at its mean, in nats a telling character, and
    how many units cost more. The last row: how many units have each strength of LEVELS, in both parts for one property, and the
    nats a character.
    Seed 0 leaves its weights in book/results/units.pt.
    """
    model, parts = train(seed, updates), {part: pieces(sources(part)) for part in FILES}
    if seed == 0 and updates == UPDATES:
        weights = {name: w.half() for name, w in model.state_dict().items()}
        torch.save(weights, results.root() / "book" / "results" / "units.pt")
    seen = look(model, parts)
    strong = {part: strength(seen.scores[part]) for part in parts}  # (8, H)
    unit = strong["choose"].argmax(dim=1)  # (8,)
    guess = [seen.states["score"] @ probe(seen.states["choose"], mark) for mark in seen.found["choose"]]  # (N,) each
    known = torch.stack([score(ranks(g)[:, None], mark) for g, mark in zip(guess, seen.found["score"])])  # (8, 1)
    rows = [unit, *(strong[part][range(8), unit] for part in parts), strength(known)[:, 0]]
    if hold:
        cost = costs(model, parts, seen.mean)  # (8, H)
        rows += [cost[range(8), unit], (cost > cost[range(8), unit][:, None]).sum(1)]
    clear = torch.minimum(*strong.values()).max(dim=0).values  # (H,)
    last = [*((clear >= level).sum().item() for level in LEVELS), losses(model, parts["score"][0]).mean().item()]
    return [*torch.stack([row.double() for row in rows], dim=1).tolist(), last]


if __name__ == "__main__":
    results.record(__file__, [{"updates": 0}, {"updates": UPDATES, "hold": True}], seeds=range(3), updates=UPDATES)
