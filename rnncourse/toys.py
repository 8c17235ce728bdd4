"""Models that write, small enough to be searched: layers of torch over a little alphabet, with weights made to tell right from wrong.

They are what the checks of `generate` and `generate_beam` hand to an answer (Labs 4 and 5).
"""

from collections import namedtuple

import torch
from torch import Tensor, nn

from .text import EOS, PAD

LETTERS = "_bacdefghijklmn"  # by number; 0 is padding


def string2code(text):
    """The numbers of a text in the checks' own little alphabet."""
    return torch.tensor([LETTERS.index(c) for c in text], dtype=torch.long)


def code2string(ids):
    """The text of some numbers, (N,) or a list."""
    ids = ids.flatten().tolist() if isinstance(ids, Tensor) else ids
    return "".join(LETTERS[int(i)] for i in ids)


LETTER, NUMBER = dict(enumerate(LETTERS)), {c: i for i, c in enumerate(LETTERS)}
ALPHABET = {"string2code": string2code, "code2string": code2string, "letters": LETTER, "id2lettre": LETTER, "ids": NUMBER, "lettre2id": NUMBER, "PAD": PAD,
            "PAD_IX": PAD, "EOS": EOS, "EOS_IX": EOS}  # fmt: skip
Toy = namedtuple("Toy", "rnn emb decoder")


def toy(cell, weights):
    """Layers of torch with these weights; the recurrent one can also take one step, as the cells of TP 6 do."""
    (V, D), H = weights[0].shape, weights[-2].shape[1]
    with torch.random.fork_rng():
        emb, rnn, decoder = nn.Embedding(V, D), getattr(nn, cell)(D, H), nn.Linear(H, V)
    with torch.no_grad():
        for p, w in zip([*emb.parameters(), *rnn.parameters(), *decoder.parameters()], weights, strict=True):
            p.copy_(w)

    def one_step(x, h=None, c=None):
        pair = c is not None
        h = torch.zeros(len(x), H) if h is None else h
        new = rnn(x[None], (h[None], c[None]) if pair else h[None])[1]
        return tuple(a[0] for a in new) if pair else new[0]

    rnn.one_step, rnn.decode = one_step, decoder
    return Toy(rnn, emb, decoder)


class Remembered:
    """A small model that looks up what it has read before: its state is the tuple of all tokens that it has read."""

    def __init__(self, model, bias=None):
        self.model, self.seen, self.bias = model, {}, bias

    def read(self, ids, state=None):
        key = (*(state or ()), *ids)
        if key not in self.seen:
            self.seen[key] = read_on(self.model, ids, self.seen[state][1] if state else None)
        return self.seen[key][0] + (0 if self.bias is None else self.bias), key


@torch.no_grad()
def read_on(model, ids, state=None):
    """The scores of what comes next after some tokens, (V,), and the state."""
    if isinstance(model, Remembered):
        return model.read(ids, state)
    out, state = model.rnn(model.emb(torch.tensor(ids)[:, None]), state)  # (T, 1, H)
    return model.decoder(out[-1, 0]), state


def drawn_toy(seed, bias, cell, V, D, H, eos, k, n, maxlen):
    """Weights of a small model whose next token depends on all that was read, and the rest of a case; ``bias`` makes EOS likelier."""
    g = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        shapes = [p.shape for m in (nn.Embedding(V, D), getattr(nn, cell)(D, H), nn.Linear(H, V)) for p in m.parameters()]
    weights = [torch.randn(shape, generator=g) * (1.0 if i == 0 else 1.8 if i == len(shapes) - 2 else 1.4) for i, shape in enumerate(shapes)]
    weights[-1] *= 0.3
    weights[-1][eos] += bias
    weights[-1][PAD] = -30.0
    tokens = [i for i in range(1, V) if i != eos]
    start = [tokens[int(torch.randint(V - 2, (), generator=g))] for _ in range(n)]
    return weights, eos, k, code2string(start), maxlen


def pooled(g, *form, pool=None):
    """A case of one form, from those in the pool: most models write nothing that tells right from wrong. A test says what these have."""
    seeds = (pool or POOL)[form]
    return drawn_toy(*seeds[int(torch.randint(len(seeds), (), generator=g))], *form)


POOL = {  # by form: cell, V, D, H, eos, k, length of the start, maxlen; each a seed, and what is added to the bias of EOS
    ('GRU', 6, 4, 5, 4, 3, 3, 8): ((1156, 1.5), (1326, 0.5), (1355, 0.5), (1367, -1.5), (1401, 2.5), (1427, 0.5), (1471, 0.5), (1700, -0.5)),
    ('RNN', 6, 4, 6, 2, 4, 2, 9): ((1041, 1.5), (1106, -1.5), (1141, 0.5), (1242, -0.5), (1568, -0.5), (1632, -1.5), (1714, -1.5)),
    ('GRU', 5, 3, 4, 3, 8, 1, 7): ((28, -1.5), (103, 0.5), (156, 0.5), (166, -1.5), (181, -1.5), (188, -1.5), (207, -0.5), (211, -1.5), (233, -1.5), (236, -1.5)),
    ('GRU', 7, 3, 5, 2, 3, 3, 8): ((1009, -1.5), (1065, 1.5), (1099, -1.5), (1219, 0.5), (1222, -1.5), (1281, 1.5), (1320, 0.5), (1365, 0.5)),
    ('LSTM', 7, 3, 6, 5, 4, 2, 9): ((1012, -1.5), (1154, -0.5), (1224, 1.5), (1395, 0.5), (1495, -1.5), (1567, -1.5)),
    ('LSTM', 5, 3, 5, 1, 9, 1, 7): ((3, -1.5), (94, 0.5), (110, -0.5), (130, -1.5), (178, -1.5)),
    ('LSTM', 7, 3, 5, 1, 2, 2, 8): ((1121, -0.5), (1340, -1.5), (1388, -1.5), (1425, 0.5), (1431, 1.5), (1472, 0.5), (1477, -0.5)),
    ('LSTM', 6, 4, 5, 5, 3, 2, 5): ((10, -30), (16, -30), (28, -30), (33, -30), (47, -30), (51, -30), (64, -30), (68, -30), (118, -30), (123, -30)),
    ('LSTM', 6, 4, 6, 4, 3, 1, 9): ((1122, -1.5), (1367, 1.5), (1464, 2.5), (1587, 1.5), (1602, -1.5), (1687, -0.5), (1789, 0.5), (2017, 0.5)),
    ('LSTM', 6, 4, 5, 1, 2, 2, 8): ((1066, 2.5), (1082, -0.5), (1187, -0.5), (1463, 0.5), (1691, -0.5), (1717, 0.5), (1726, 0.5)),
    ('GRU', 6, 4, 5, 3, 3, 2, 5): ((13, -30), (25, -30), (37, -30), (39, -30), (49, -30), (55, -30), (58, -30), (89, -30), (92, -30), (102, -30)),
    ('RNN', 6, 4, 6, 3, 3, 1, 9): ((1137, -1.5), (1280, -1.5), (1370, 1.5), (1666, 1.5)),
    ('GRU', 6, 4, 5, 2, 4, 2, 7): ((3008, -0.5), (3097, -1.5), (3124, -0.5), (3220, -1.5), (3260, -0.5), (3434, -1.5), (3567, -1.5), (3602, 0.5)),
    ('LSTM', 6, 4, 5, 3, 4, 2, 6): ((3180, 0.5), (3325, -0.5), (3406, -1.5), (3676, -0.5), (3726, -1.5), (4180, 0.5), (4310, 0.5), (4387, -0.5)),
}  # fmt: skip
