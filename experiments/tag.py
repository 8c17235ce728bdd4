"""What is each sign of a line of Python? Name, keyword, number, string, comment or operator: six readers of one size, and deeper ones.

The lines come from the source of matplotlib (PSF-like licence), in the version that requirements.txt pins; `tokenize` of the
standard library knows the truth. Three parts, split by file: one to learn from, one to choose the learning rate and the
moment to stop, and one that decides nothing.
"""

import functools
import hashlib
import io
import keyword
import tokenize
from pathlib import Path

import matplotlib
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from rnncourse import results

classify = results.experiment("classify")  # the same readers, the same training
UPDATES, BATCH = 600, 64
KINDS = ("name", "keyword", "number", "string", "comment", "operator")
FILES = {"learn": ("axis", "collections", "figure", "patches", "ticker"), "choose": ("legend", "contour"), "test": ("animation", "quiver", "scale")}
LINES = {"learn": 6000, "choose": 300, "test": 600}


def tokens(source: str):
    """Kind, start and end of each token of a source. From Python 3.12 on `tokenize` cuts f-strings up; here they are one string."""
    types = {tokenize.NUMBER: "number", tokenize.STRING: "string", tokenize.COMMENT: "comment", tokenize.OP: "operator"}
    starts = []  # of the f-strings around this token
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":
            starts.append(token.start)
        elif name == "FSTRING_END":
            yield "string", starts.pop(), token.end
        elif token.type == tokenize.NAME:
            yield "keyword" if keyword.iskeyword(token.string) else "name", token.start, token.end
        elif token.type in types:
            yield types[token.type], token.start, token.end


def marks(source: str) -> list[list[int]]:
    """For each line of a source, the kind of each sign; -1 between tokens."""
    lines = source.splitlines()
    found = [[-1] * len(line) for line in lines]
    for kind, (first, left), (last, right) in tokens(source):  # an f-string comes after what is in it, and covers it
        for n in range(first, last + 1):
            begin, end = left if n == first else 0, right if n == last else len(lines[n - 1])
            found[n - 1][begin:end] = [KINDS.index(kind)] * (end - begin)
    return found


@functools.cache
def code(part: str) -> list[tuple[str, list[int]]]:
    """Different lines of 8 to 40 signs without their indentation, and the kind of each sign, -1 for a space. Which lines: by hash."""
    rows = {}
    for name in FILES[part]:
        source = Path(matplotlib.__file__).with_name(f"{name}.py").read_text("utf8")
        for line, kinds in zip(source.splitlines(), marks(source)):
            text = line.strip()
            begin = line.find(text)
            if text.isascii() and 8 <= len(text) <= 40:
                rows.setdefault(text, [-1 if s == " " else k for s, k in zip(text, kinds[begin:])])
    seen = {text for earlier in [*FILES][: [*FILES].index(part)] for text, _ in code(earlier)}
    new = sorted((t for t in rows if t not in seen), key=lambda t: hashlib.sha256(t.encode()).digest())
    return [(t, rows[t]) for t in new[: LINES[part]]]


@functools.cache
def tensors(part: str) -> tuple[Tensor, Tensor, Tensor]:
    """Signs as numbers (T, N), padded with 0; lengths (N,); kinds (T, N), -1 where none is asked for."""
    ids = [torch.tensor([*text.encode()]) - ord(" ") for text, _ in code(part)]
    kinds = [torch.tensor(kinds) for _, kinds in code(part)]
    return pad_sequence(ids), torch.tensor([*map(len, ids)]), pad_sequence(kinds, padding_value=-1)


class Window(nn.Module):
    """No recurrence: each answer from 26 signs to each side, by three convolutions. As many parameters as the readers."""

    def __init__(self):
        super().__init__()
        self.embed, self.readout = nn.Embedding(95, 8), nn.Linear(31, len(KINDS))
        self.look = nn.ModuleList(nn.Conv1d(D, 31, 5, padding=2 * gap, dilation=gap) for D, gap in ((8, 1), (31, 3), (31, 9)))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        ids = ids[: lengths.max()]  # (T, B)
        real = (torch.arange(len(ids)) < lengths[:, None])[:, None]  # (B, 1, T)
        h = self.embed(ids).permute(1, 2, 0) * real  # (B, 8, T)
        for look in self.look:
            h = look(h).relu() * real  # (B, 31, T)
        return self.readout(h.permute(2, 0, 1))  # (T, B, 6)


def run(seed: int, cell: str, two_way: bool, lr: float, layers: int = 1, updates: int = UPDATES) -> list[float]:
    """As in `classify`, but for the number of layers and the cell "window"; all have the same budget of parameters."""
    torch.manual_seed(seed)
    readers = functools.partial(classify.largest, signs=95, classes=len(KINDS), every=True)
    model = Window() if cell == "window" else readers(cell, two_way, layers)
    return classify.learn(model, tensors, lr, updates, BATCH)


if __name__ == "__main__":
    cases = [{"cell": "RNN", "two_way": False, "lr": 0.003, "updates": 50}]
    rates = {"RNN": (0.003, 0.01, 0.03), "GRU": (0.01, 0.03, 0.1), "LSTM": (0.01, 0.03, 0.1)}
    cases += [{"cell": c, "two_way": w, "lr": lr} for c in rates for w in (False, True) for lr in rates[c]]
    cases += [{"cell": "window", "two_way": True, "lr": lr} for lr in (0.01, 0.03, 0.1)]
    cases += [{"cell": "LSTM", "two_way": True, "layers": 2, "lr": lr} for lr in (*rates["LSTM"], 0.3)]
    results.record(__file__, cases, seeds=range(3), updates=UPDATES)
