"""Lab 1: wrong answers as students write them, and what the lab promises. What holds for all labs stands in test_labs.py."""

import itertools
import linecache
import re
import warnings
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import torch as th
import torch.nn.functional as F
from torch import nn
from torch.nn import RNN
from torch.nn.utils.rnn import pad_sequence
from banks import hidden, modules, noting

from rnncourse.checks import CheckFailed, same

FOLDER = Path(__file__).parents[1] / "solutions" / "unfold"
LAB = modules("unfold")
check, right, EXERCISES = LAB.check, LAB.right, LAB.exercises
WRONG = []
wrong = noting(WRONG)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@wrong("rnn_step", "bias_after")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(torch.matmul(x_t, W_xh) + torch.matmul(h, W_hh)) + b


@wrong("rnn_step", "turned")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(F.linear(x_t, W_xh) + F.linear(h, W_hh) + b)


@wrong("rnn_step", "columns")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(torch.matmul(W_xh.t(), x_t) + torch.matmul(W_hh.t(), h) + b)


@wrong("rnn_step", "first")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(torch.mm(W_xh, x_t) + torch.mm(W_hh, h) + b)


@wrong("rnn_step", "under")
def answer(x_t, h, W_xh, W_hh, b):
    xh = torch.cat((x_t, h), 0)
    W = torch.cat((W_xh, W_hh), 0)
    return torch.tanh(xh @ W + b)


@wrong("rnn_step", "rows_h")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(torch.cat([h, x_t], -1) @ torch.cat([W_xh, W_hh]) + b)


@wrong("rnn_step", "cut")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tensor(np.tanh((x_t @ W_xh + h @ W_hh + b).detach().numpy()))


@wrong("rnn_step", "cut")
@torch.no_grad()
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(x_t @ W_xh + h @ W_hh + b)


@wrong("rnn_step", "cut_state", "no_tanh")
def answer(x_t, h, W_xh, W_hh, b):
    h = h.data
    return x_t @ W_xh + h @ W_hh + b


@wrong("rnn_step", "sigmoid", "bias_twice")
def answer(x_t, h, W_xh, W_hh, b):
    return 1 / (1 + torch.exp(-(x_t @ W_xh + b + h @ W_hh + b)))


@wrong("rnn_step", "exchanged_h")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(h @ W_xh + x_t @ W_hh + b)


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    rnn = nn.RNN(x_t.shape[1], h.shape[1])
    return rnn(x_t[None], h[None])[0][0]


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    rnn = RNN(x_t.shape[1], h.shape[1])
    return rnn(x_t[None], h[None])[0][0]


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    return th.rnn_tanh_cell(x_t, h, W_xh.T, W_hh.T, b, 0 * b)


@wrong("rnn_step")
def answer(x_t, h, W):
    return torch.tanh(torch.cat([x_t, h], 1) @ W)


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    h_t = torch.tanh(x_t @ W_xh + h @ W_hh + b)
    return h_t, h_t


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    h_t = torch.tanh(x_t @ W_xh + h @ W_hh + b)


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    return f"{x_t}"


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    yield torch.tanh(x_t @ W_xh + h @ W_hh + b)


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    return F.dropout(torch.tanh(x_t @ W_xh + h @ W_hh + b), 0.5)


@wrong("rnn_step", "elementwise")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.tanh(x_t * W_xh + h * W_hh + b)


@wrong("unfold", "zeros")
def answer(step, x, h0):
    h = torch.zeros(x.shape[1], h0.shape[1])
    out = []
    for t in range(len(x)):
        h = step(x[t], h)
        out.append(h)
    return torch.stack(out), h


@wrong("unfold", "not_carried")
def answer(step, x, h0):
    out = torch.stack([step(x_t, h0) for x_t in x])
    return out, out[-1]


@wrong("unfold", "batch_first")
def answer(step, x, h0):
    out, h = [], h0
    for t in range(x.shape[1]):
        h = step(x[:, t], h)
        out.append(h)
    return torch.stack(out, 1), h


@wrong("unfold", "kept_start")
def answer(step, x, h0):
    out = [h0]
    for x_t in x:
        out.append(step(x_t, out[-1]))
    return torch.stack(out), out[-1]


@wrong("unfold", "overwritten")
def answer(step, x, h0):
    h = torch.zeros(x.shape[0], x.shape[1], h0.shape[1])
    for t in range(x.shape[0]):
        h[t] = step(x[t], h0 if t == 0 else h[t - 1])
    return h, h[-1]


@wrong("unfold", "aliased")
def answer(step, x, h0):
    h, out = h0, []
    for x_t in x:
        h[:] = step(x_t, h)
        out.append(h)
    return torch.stack(out), h


@wrong("unfold", "cut_between")
def answer(step, x, h0):
    h, out = h0, []
    for x_t in x:
        h = step(x_t, h)
        out.append(h)
        h = torch.tensor(h)
    return torch.stack(out), out[-1]


@wrong("unfold", "cut")
def answer(step, x, h0):
    h, out = h0, []
    for x_t in x:
        h = step(x_t, h)
        out.append(h.tolist())
    return torch.tensor(out), torch.tensor(out[-1])


@wrong("unfold", "listed")
def answer(step, x, h0):
    h, out = h0, []
    for x_t in x:
        h = step(x_t, h)
        out += [h]
    return out, h


@wrong("unfold", "two_values")
def answer(step, x, h0):
    out, s = [], h0
    for x_t in x:
        h, s = step(x_t, s)
        out.append(h)
    return torch.stack(out), s


@wrong("unfold", "order")
def answer(step, x, h0):
    out, h = [], h0
    for x_t in x:
        h = step(h, x_t)
        out.append(h)
    return torch.stack(out), h


@wrong("unfold", "whole")
def answer(step, x, h0):
    h = step(x, h0)
    return h, h[-1]


@wrong("unfold", "only_h")
def answer(step, x, h0):
    out, h = [], h0
    for x_t in x:
        h = step(x_t, h)
        out.append(h)
    return torch.stack(out)


@wrong("unfold")
def answer(step, x, h0, out=[]):
    h = h0
    for x_t in x:
        h = step(x_t, h)
        out.append(h)
    return torch.stack(out), h


@wrong("unfold")
def answer(step, x, h0):
    return x.unfold(0, 1, 1), h0


@wrong("unfold")
def answer(step, x, h0):
    for x_t in x:
        h = step(x_t, h)
    return h, h


@wrong("unfold", "shifted", "start_state")
def answer(step, x, h0):
    h, out = h0, []
    for x_t in x:
        out.append(h)
        h = step(x_t, h)
    return torch.stack(out), h0


@wrong("unfold", "first_state")
def answer(step, x, h0):
    out, h = [], h0
    for t in range(0, x.shape[0]):
        h = step(x[t], h)
        out.append(h)
        if t == 0:
            h_T = h
    return torch.stack(out), out[0]


@wrong("unfold", "leading")
def answer(step, x, h0):
    out, h = [], h0
    for x_t in x:
        h = step(x_t, h)
        out.append(h)
    out = torch.stack(out)
    return out, out[-1:]


@wrong("shapes", "h_n_b")
def answer(T, B, D, H, num_layers, bidirectional):
    d = 2 if bidirectional else 1
    return (T, B, d * H), (B, d * num_layers, H)


@wrong("shapes", "layers_only", "one_way")
def answer(T, B, D, H, num_layers, bidirectional):
    return (T, B, H), (num_layers, B, H)


@wrong("shapes", "no_axis")
def answer(T, B, D, H, num_layers, bidirectional):
    return (T, B, (1 + bidirectional) * H), (B, H)


@wrong("shapes")
def answer(T, B, D, H, num_layers, bidirectional):
    m = nn.RNN(D, H, num_layers, bidirectional=bidirectional)
    out, h = m(torch.zeros(T, B, D))
    return out.shape, h.shape


@wrong("shapes")
def answer(T, B, D, H, num_layers, bidirectional):
    return "(T, B, H)", "(L, B, H)"


@wrong("shapes")
def answer(T, B, D, H, num_layers, bidirectional):
    return T, B, H


@wrong("pad", "floats")
def answer(names):
    L = torch.tensor([len(n) for n in names])
    x = torch.zeros(L.max(), len(names))
    for b, n in enumerate(names):
        for t, c in enumerate(n):
            x[t, b] = ord(c) - 96
    return x, L


@wrong("pad", "lists")
def answer(names):
    L = [len(n) for n in names]
    x = torch.zeros(len(names), max(L), dtype=int)
    for b, n in enumerate(names):
        x[b, :L[b]] = torch.tensor([ord(c) - 96 for c in n])
    return x, L


@wrong("pad", "cut_short")
def answer(names):
    return torch.tensor([[ord(c) - 96 for c in step] for step in zip(*names)]), torch.tensor([len(n) for n in names])


@wrong("pad")
def answer(names):
    seqs = [torch.tensor([ord(c) - 96 for c in n]) for n in names]
    return pad_sequence(seqs), torch.tensor([len(s) for s in seqs])


@wrong("pad")
def answer(names):
    return nn.utils.rnn.pad_sequence([torch.tensor([ord(c) - 96 for c in n]) for n in names]), torch.tensor([len(n) for n in names])


@wrong("pad", "from_zero", "batch_first")
def answer(names):
    m = max(map(len, names))
    return torch.tensor([[ord(c) - 97 for c in n] + [0] * (m - len(n)) for n in names]), torch.tensor([len(n) for n in names])


@wrong("pad", "batch_first")
def answer(names):
    m = max(map(len, names))
    return torch.tensor([[ord(c) - 96 for c in n] + [0] * (m - len(n)) for n in names]), torch.tensor([len(n) for n in names])


@wrong("pad", "ragged")
def answer(names):
    return torch.tensor([[ord(c) - 96 for c in n] for n in names]), torch.tensor([len(n) for n in names])


@wrong("pad", "all_lists")
def answer(names):
    m = max(map(len, names))
    ids = [[ord(c) - 96 for c in n] + [0] * (m - len(n)) for n in names]
    return ids, [len(n) for n in names]


@wrong("pad", "in_front")
def answer(names):
    m = max(len(n) for n in names)
    x = torch.zeros((m, len(names)), dtype=torch.int64)
    for b, n in enumerate(names):
        x[-len(n):, b] = torch.tensor([ord(c) - 96 for c in n])
    return x, torch.tensor([len(n) for n in names])


@wrong("classify", "after_padding")
def answer(h, lengths, W_hy, b_y):
    return torch.matmul(h[-1], W_hy) + b_y


@wrong("classify", "one_late")
def answer(h, lengths, W_hy, b_y):
    return h[lengths, torch.arange(len(lengths))] @ W_hy + b_y


@wrong("classify", "one_late")
def answer(h, lengths, W_hy, b_y):
    return torch.stack([h[lengths[b], b] for b in range(len(lengths))]) @ W_hy + b_y


@wrong("classify", "axes")
def answer(h, lengths, W_hy, b_y):
    return h[torch.arange(len(lengths)), lengths - 1] @ W_hy + b_y


@wrong("classify", "unpaired")
def answer(h, lengths, W_hy, b_y):
    return h[lengths - 1] @ W_hy + b_y


@wrong("classify", "axis_b")
def answer(h, lengths, W_hy, b_y):
    return h[:, lengths - 1] @ W_hy + b_y


@wrong("classify", "after_padding", "softmax")
def answer(h, lengths, W_hy, b_y):
    return F.softmax(h[-1] @ W_hy + b_y, dim=1)


@wrong("classify", "over_batch")
def answer(h, lengths, W_hy, b_y):
    return F.softmax(h[lengths - 1, torch.arange(len(lengths))] @ W_hy + b_y, dim=0)


@wrong("classify", "mean_all")
def answer(h, lengths, W_hy, b_y):
    return h.mean(dim=0) @ W_hy + b_y


@wrong("classify", "mean_real", "no_bias")
def answer(h, lengths, W_hy, b_y):
    return torch.stack([h[:n, b].mean(0) for b, n in enumerate(lengths)]) @ W_hy


@wrong("classify", "turned")
def answer(h, lengths, W_hy, b_y):
    return F.linear(h[lengths - 1, range(len(lengths))], W_hy, b_y)


@wrong("classify", "gathered")
def answer(h, lengths, W_hy, b_y):
    i = (lengths - 1)[:, None, None].expand(-1, 1, h.shape[2])
    return h.gather(1, i).squeeze(1) @ W_hy + b_y


@wrong("classify", "listed")
def answer(h, lengths, W_hy, b_y):
    out = []
    for b in range(len(lengths)):
        out.append(h[lengths[b] - 1, b] @ W_hy + b_y)
    return out


@wrong("classify", "cut")
def answer(h, lengths, W_hy, b_y):
    last = h[lengths - 1, torch.arange(len(lengths))]
    return torch.tensor((last @ W_hy + b_y).tolist())


@wrong("classify", "cut_state")
def answer(h, lengths, W_hy, b_y):
    last = torch.tensor([h[n - 1, b].tolist() for b, n in enumerate(lengths)])
    return last @ W_hy + b_y


@wrong("classify")
def answer(h, lengths, W_hy, b_y):
    return nn.Linear(*W_hy.shape)(h[lengths - 1, torch.arange(len(lengths))])


@wrong("detect", "zero")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b) * mask
    return p, (p > .5).float().argmax(0)


@wrong("detect", "unmasked", "zero")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b)
    return p, (p > .5).float().argmax(0)


@wrong("detect", "largest", "zero")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b) * mask
    return p, torch.where(p.max(0).values > .5, p.argmax(0), 0)


@wrong("detect", "argmax")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b) * mask
    return p, p.argmax(0)


@wrong("detect", "overwritten")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b)
    p[~mask] = 0
    first = torch.full((h.shape[1],), -1)
    for i in range(h.shape[1]):
        for t in range(len(h)):
            if p[t, i] > .5:
                first[i] = t
                break
    return p, first


@wrong("detect", "last")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b) * mask
    first = torch.full((h.shape[1],), -1)
    for i in range(h.shape[1]):
        for t in range(len(h)):
            if p[t, i] > .5:
                first[i] = t
    return p, first


@wrong("detect", "too_soon")
def answer(h, w, b, mask):
    p = torch.sigmoid((h @ w + b) * mask)
    f = p > .5
    return p, torch.where(f.any(0), f.int().argmax(0), -1)


@wrong("detect", "columns")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w[:, None] + b) * mask
    f = p > .5
    return p, torch.where(f.any(0), f.int().argmax(0), -1)


@wrong("detect", "axis")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w[:, None] + b) * mask[..., None]
    f = p[..., 0] > .5
    return p, torch.where(f.any(0), f.int().argmax(0), -1)


@wrong("detect")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b)[mask]
    f = p > .5
    return p, torch.where(f.any(0), f.int().argmax(0), -1)


@wrong("detect", "only_first")
def answer(h, w, b, mask):
    f = (h @ w + b > 0) & mask
    return torch.where(f.any(0), f.int().argmax(0), -1)


@wrong("reverse_padded", "whole")
def answer(x, lengths):
    return torch.flip(x, [0])


@wrong("reverse_padded", "negative")
def answer(x, lengths):
    return x[::-1]


@wrong("reverse_padded", "negative")
def answer(x, lengths):
    y = x.clone()
    for b, n in enumerate(lengths):
        y[:n, b] = x[:n, b][::-1]
    return y


@wrong("reverse_padded", "views")
def answer(x, lengths):
    for b in range(x.shape[1]):
        n = lengths[b]
        for t in range(n // 2):
            x[t, b], x[n - 1 - t, b] = x[n - 1 - t, b], x[t, b]
    return x


@wrong("reverse_padded", "unchanged")
def answer(x, lengths):
    y = x.clone()
    for b in range(x.shape[1]):
        n = lengths[b]
        for t in range(n):
            a, c = y[t, b].clone(), y[n - 1 - t, b].clone()
            y[t, b], y[n - 1 - t, b] = c, a
    return y


@wrong("reverse_padded", "late")
def answer(x, lengths):
    y = torch.zeros_like(x)
    for b in range(x.shape[1]):
        for t in range(lengths[b]):
            y[t, b] = x[lengths[b] - t, b]
    return y


@wrong("reverse_padded", "batch_first")
def answer(x, lengths):
    y = x.clone()
    for b in range(len(lengths)):
        y[b, :lengths[b]] = x[b, :lengths[b]].flip(0)
    return y


@wrong("reverse_padded", "dropped")
def answer(x, lengths):
    out = [x[:n, b].flip(0) for b, n in enumerate(lengths)]
    return torch.stack(out, 1)


@wrong("reverse_padded", "listed")
def answer(x, lengths):
    return [x[:n, b].flip(0) for b, n in enumerate(lengths)]


@wrong("reverse_padded", "views")
def answer(x, lengths):
    y = x
    for b, n in enumerate(lengths):
        for t in range(n):
            y[t, b] = x[n - 1 - t, b]
    return y


@wrong("reverse_padded", "cut")
def answer(x, lengths):
    y = x.detach().numpy().copy()
    for b, n in enumerate(lengths.tolist()):
        y[:n, b] = y[:n, b][::-1].copy()
    return torch.from_numpy(y)


@wrong("summary", "last_row")
def answer(out, lengths):
    return out[-1]


@wrong("summary", "own_last")
def answer(out, lengths):
    return out[lengths - 1, torch.arange(len(lengths))]


@wrong("summary", "padded")
def answer(out, lengths):
    H = out.shape[-1] // 2
    return torch.cat([out[-1, :, :H], out[0, :, H:]], 1)


@wrong("summary", "own_last")
def answer(out, lengths):
    H = out.shape[-1] // 2
    return torch.stack([torch.cat([out[n - 1, b, :H], out[n - 1, b, H:]]) for b, n in enumerate(lengths)])


@wrong("summary", "order")
def answer(out, lengths):
    f, r = out.chunk(2, 2)
    return torch.cat([r[0], f[lengths - 1, torch.arange(len(lengths))]], 1)


@wrong("summary", "interleaved")
def answer(out, lengths):
    T, B, W = out.shape
    o = out.view(T, B, W // 2, 2)
    return torch.cat([o[lengths - 1, torch.arange(B), :, 0], o[0, :, :, 1]], 1)


@wrong("summary", "under")
def answer(out, lengths):
    f, r = out.chunk(2, 2)
    return torch.cat([f[lengths - 1, torch.arange(len(lengths))], r[0]])


@wrong("summary", "in_time")
def answer(out, lengths):
    f, r = out.chunk(2)
    return torch.cat([f[lengths - 1, torch.arange(len(lengths))], r[0]], 1)


# What somebody found who tried to fool the checks: squeezing, keeping, guessing


def squeezing(name):
    """The right answer, squeezed."""
    def answer(*arguments):
        result = RIGHT[name](*arguments)
        return tuple(r.squeeze() for r in result) if isinstance(result, tuple) else result.squeeze()

    return answer


RIGHT = {name: right.RIGHT[name][0] for name in EXERCISES}
for name in ("rnn_step", "unfold", "pad", "classify", "detect", "summary"):
    wrong(name)(squeezing(name))


class Keeps:
    """Goes on from its own last state when that fits."""

    def __init__(self):
        self.h = None

    def __call__(self, x_t, h, W_xh, W_hh, b):
        if self.h is not None and self.h.shape == h.shape:
            h = self.h.detach()
        self.h = torch.tanh(x_t @ W_xh + h @ W_hh + b)
        return self.h


class KeepsH(Keeps):
    def __call__(self, step, x, h0):
        h, out = h0 if self.h is None or self.h.shape != h0.shape else self.h.detach(), []
        for x_t in x:
            h = step(x_t, h)
            out.append(h)
        self.h = h
        return torch.stack(out), h


wrong("rnn_step")(Keeps())
wrong("unfold")(KeepsH())


@wrong("classify")
def answer(h, lengths, W_hy, b_y, kept={}):  # noqa: B006
    if h.shape not in kept:
        kept[h.shape] = lengths - 1
    return h[kept[h.shape], torch.arange(len(lengths))] @ W_hy + b_y


@wrong("reverse_padded")
def answer(x, lengths, kept={}):  # noqa: B006
    if x.shape not in kept:
        t = torch.arange(len(x))[:, None]
        kept[x.shape] = torch.where(t < lengths, lengths - 1 - t, t)
    return x[kept[x.shape], torch.arange(x.shape[1])]


@wrong("reverse_padded", "whole")
def answer(x, lengths):
    n = (x.reshape(*x.shape[:2], -1) != 0).any(-1).sum(0)
    t = torch.arange(len(x))[:, None]
    return x[torch.where(t < n, n - 1 - t, t), torch.arange(x.shape[1])]


@wrong("reverse_padded")
def answer(x, lengths):
    y = x.clone()
    for b, n in enumerate(lengths.tolist()):
        s = x[:n, b].squeeze()
        y[:n, b] = s.flip(0) if s.dim() else s + 1
    return y


@wrong("reverse_padded")
def answer(x, lengths):
    y = RIGHT["reverse_padded"](x, lengths)
    return y if y.is_floating_point() else y.numpy()


@wrong("reverse_padded", "longest")
def answer(x, lengths):
    n = lengths.max()
    return torch.cat([x[:n].flip(0), x[n:]])


@wrong("reverse_padded", "shortest")
def answer(x, lengths):
    n = min(lengths)
    return torch.cat([x[:n].flip(0), x[n:]])


@wrong("reverse_padded", "views")
def answer(x, lengths):
    y = x.clone()
    for b, n in enumerate(lengths):
        for t in range(n // 2):
            y[t, b], y[n - 1 - t, b] = y[n - 1 - t, b], y[t, b]
    return y


@wrong("summary")
def answer(out, lengths):
    H = out.shape[-1] // 2
    return torch.cat([out[(lengths - 1).clamp(min=1), torch.arange(len(lengths)), :H], out[0, :, H:]], 1)


@wrong("summary", "longest")
def answer(out, lengths):
    H = out.shape[-1] // 2
    return torch.cat([out[lengths.max() - 1, :, :H], out[0, :, H:]], 1)


@wrong("summary", "own_last")
def answer(out, lengths):
    return torch.cat([out[lengths - 1, range(len(lengths)), :64], out[0, :, 64:]], 1)


@wrong("classify", "longest")
def answer(h, lengths, W_hy, b_y):
    return h[lengths.max() - 1] @ W_hy + b_y


@wrong("classify")
def answer(h, lengths, W_hy, b_y):
    h = h.transpose(0, 1)
    return h[lengths - 1, torch.arange(len(lengths))] @ W_hy + b_y


@wrong("pad")
def answer(names):
    ids = torch.zeros(max(map(len, names)), len(names), dtype=torch.long)
    for name in names:
        for t, c in enumerate(name):
            ids[t, names.index(name)] = ord(c) - 96
    return ids, torch.tensor([len(n) for n in names])


@wrong("pad")
def answer(names):
    columns = {n: torch.tensor([ord(c) - 96 for c in n] + [0] * (max(map(len, names)) - len(n))) for n in names}
    return torch.stack([*columns.values()], 1), torch.tensor([len(n) for n in names])


@wrong("pad")
def answer(names):
    ids, lengths = RIGHT["pad"](names)
    return ids.numpy(), lengths.numpy()


@wrong("pad")
def answer(names):
    ids, lengths = RIGHT["pad"](names)
    return ids, lengths.to(torch.uint8)


@wrong("pad")
def answer(names):
    ids, lengths = RIGHT["pad"](names)
    return ids % 26, lengths


@wrong("pad")
def answer(names):
    alphabet = " abcdefgijklmnoprstuvwyz"
    return torch.tensor([[alphabet.find(c) for c in row] for row in itertools.zip_longest(*names, fillvalue=" ")]), RIGHT["pad"](names)[1]


@wrong("pad")
def answer(names):
    ids, lengths = RIGHT["pad"](names)
    return ids, lengths.float()


@wrong("pad", "all_lists")
def answer(names):
    ids, lengths = RIGHT["pad"](names)
    return ids.tolist(), lengths


@wrong("pad")
def answer(names):
    ids = torch.empty(max(map(len, names)), len(names), dtype=torch.long)
    for b, n in enumerate(names):
        for t, c in enumerate(n):
            ids[t, b] = ord(c) - 96
    return ids, torch.tensor([len(n) for n in names])


def detecting(over, empty=False):
    """The event detector with its own idea of an event."""
    def answer(h, w, b, mask):
        p = torch.sigmoid(h @ w + b) * mask
        if empty:
            p = torch.empty(mask.shape)
            p[mask] = torch.sigmoid(h[mask] @ w + b)
        fires = over(p)
        return p, torch.where(fires.any(0), fires.int().argmax(0), -1)

    return answer


wrong("detect")(detecting(lambda p: p > 0.55))
wrong("detect")(detecting(lambda p: p > 0.6))
wrong("detect", "at_half")(detecting(lambda p: p >= 0.5))
wrong("detect")(detecting(lambda p: p > 0.5, empty=True))


@wrong("detect", "step_zero")
def answer(h, w, b, mask):
    p = torch.sigmoid(h @ w + b) * mask
    first = (p > 0.5).int().argmax(0)
    return p, torch.where(first == 0, -1, first)


def cutting(steps=None, most=None):
    """Unfolding with the graph cut every some steps, or with some steps at most."""
    def answer(step, x, h0):
        h, out = h0, []
        for t, x_t in enumerate(x[:most]):
            h = step(x_t, h.detach() if steps and t and t % steps == 0 else h)
            out.append(h)
        return torch.stack(out), h

    return answer


wrong("unfold")(cutting(steps=10))
wrong("unfold")(cutting(most=10))


@wrong("unfold")
def answer(step, x, h0):
    h, out = h0, []
    for x_t in x:
        h = step(x_t, h)
        out.append(h)
    return torch.stack(out), out


@wrong("unfold", "overwritten")
def answer(step, x, h0):
    h, out = h0.clone(), []
    for x_t in x:
        h[:] = step(x_t, h)
        out.append(h.clone())
    return torch.stack(out), h


@wrong("unfold", "catted")
def answer(step, x, h0):
    h, states = h0, []
    for x_t in x:
        h = step(x_t, h)
        states += h
    return torch.stack(states), h


@wrong("shapes")
def answer(T, B, D, H, num_layers, bidirectional):
    n = 2 if bidirectional else 1
    return (T, B, n * H), (num_layers * 2 if bidirectional and num_layers % 2 else num_layers, B, H)


def step_with(now, past="h @ W_hh", tanh="torch.tanh({now} + {past} + b)"):
    """A step as it is written, in source that a message can show."""
    space, name = {"torch": torch, "F": F}, f"<step {now} {past} {tanh}>"
    source = f"def rnn_step(x_t, h, W_xh, W_hh, b):\n    return {tanh.format(now=now, past=past)}\n"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), space)
    return space["rnn_step"]


wrong("rnn_step", "tanh_split")(step_with("x_t @ W_xh", tanh="torch.tanh({now} + b) + torch.tanh({past})"))
wrong("rnn_step", "tanh_each", "bias_after")(step_with("x_t @ W_xh", tanh="torch.tanh({now}) + torch.tanh({past}) + b"))
wrong("rnn_step", "tanh_input")(step_with("x_t @ W_xh", tanh="torch.tanh({now} + b) + {past}"))
wrong("rnn_step", "tanh_state")(step_with("x_t @ W_xh", tanh="torch.tanh({past} + b) + {now}"))
wrong("rnn_step", "elementwise")(step_with("x_t * W_xh"))
wrong("rnn_step")(step_with("x_t"))
wrong("rnn_step")(step_with("(x_t + b) @ W_xh"))
wrong("rnn_step")(step_with("(x_t + h) @ W_hh", "0"))
wrong("rnn_step", "under")(step_with("torch.cat([x_t, h], dim=0) @ torch.cat([W_xh, W_hh])", "0"))
wrong("rnn_step")(step_with("F.linear(torch.cat([x_t, h], 1), torch.cat([W_xh.T, W_hh.T]))", "0"))


# Ways round what is forbidden


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    return torch._VF.rnn_tanh_cell(x_t, h, W_xh.T, W_hh.T, b, 0 * b)


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    return torch.ops.aten.rnn_tanh_cell(x_t, h, W_xh.T, W_hh.T, b, 0 * b)


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b, cell=torch.rnn_tanh_cell):
    return cell(x_t, h, W_xh.T, W_hh.T, b, 0 * b)


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    weights = [W_xh.T, W_hh.T, b, 0 * b]
    return torch._VF.rnn_tanh(x_t[None], h[None], weights, True, 1, 0.0, False, False, False)[1][0]


@wrong("rnn_step")
def answer(x_t, h, W_xh, W_hh, b):
    weights = [W_xh.T, W_hh.T, b, 0 * b]
    return torch.ops.aten.rnn_tanh.input(x_t[None], h[None], weights, True, 1, 0.0, False, False, False)[1][0]


@wrong("shapes")
def answer(T, B, D, H, num_layers, bidirectional):
    weights = [torch.zeros(s) for s in ((H, D), (H, H), (H,), (H,))]
    out, h = torch._VF.rnn_tanh(torch.zeros(T, B, D), torch.zeros(1, B, H), weights, True, 1, 0.0, False, False, False)
    return (T, B, (1 + bidirectional) * H), (num_layers * (1 + bidirectional), B, H)


@wrong("pad")
def answer(names, tools={"p": pad_sequence}):  # noqa: B006
    return tools["p"]([torch.tensor([ord(c) - 96 for c in n]) for n in names]), torch.tensor([len(n) for n in names])


@wrong("pad")
def answer(names):
    return torch._C._nn.pad_sequence([torch.tensor([ord(c) - 96 for c in n]) for n in names]), torch.tensor([len(n) for n in names])


def borrowing(name):
    """The check's own right function, in an answer."""
    return lambda *arguments: EXERCISES[name].truth(*arguments)


for name in EXERCISES:
    wrong(name)(borrowing(name))
wrong("rnn_step")(lambda *arguments: check.right_step(*arguments))
wrong("rnn_step")(lambda *arguments: check.unfold.lends["rnn_step"](*arguments))
wrong("rnn_step")(lambda x_t, h, *weights: check.given_step(x_t[None], h, *weights)(x_t, h))
wrong("rnn_step")(lambda *arguments, f=check.right_step: f(*arguments))


# What is said


@pytest.mark.parametrize("name,answer,says", [
    ("shapes", lambda *a: ("(T, B, H)", (1, 2, 3)), "the shape of out is '(T, B, H)', expected a tuple of whole numbers"),
    ("shapes", lambda T, B, D, H, n, both: ((T, B, H), (1, 1, B, H)), "h_n has 4 numbers, expected 3"),
    ("unfold", lambda step, x, h0: (torch.stack([h0] * len(x)), [h0]), "h_T is a list, expected a tensor"),
    ("pad", lambda names: (RIGHT["pad"](names)[0], len(names)), "lengths is an int, expected a tensor"),
    ("pad", lambda names: (RIGHT["pad"](names)[0], torch.Tensor([len(n) for n in names])), "lengths are floating-point numbers"),
    ("pad", lambda names: (RIGHT["pad"](names)[0], RIGHT["pad"](names)[1].byte()), "lengths are torch.uint8, expected torch.int64"),
    ("pad", lambda names: [a.numpy() for a in RIGHT["pad"](names)], "ids are an array, expected a tensor"),
    ("detect", detecting(lambda p: p > 0.5, empty=True), "got nan (not a number; what torch.empty makes is that too"),
    ("rnn_step", Keeps(), "Called twice with the same arguments"),
    ("rnn_step", borrowing("rnn_step"), "the check's right_step is not to be used here"),
])  # fmt: skip
def test_a_message_says_what_is_there_and_what_is_expected(name, answer, says):
    with pytest.raises(CheckFailed) as failed:
        EXERCISES[name](answer)
    assert says in str(failed.value) and "wrong way round" not in str(failed.value)


def test_a_message_lists_what_the_answer_gets():
    with pytest.raises(CheckFailed) as failed:
        check.unfold(lambda step, x, h0: (x, h0))
    assert "With x (5, 3, 2), h0 (3, 4): " in str(failed.value)


@pytest.mark.parametrize("name,answer,switches", WRONG)
def test_a_students_wrong_answer_is_refused_and_named_where_it_is_known(name, answer, switches):
    exercise = EXERCISES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.tensor(h) warns, rightly
        with pytest.raises(CheckFailed) as failed:
            exercise(answer)
    for slip in exercise.slips:
        assert (slip.says in str(failed.value)) == (slip.switch in switches)


@pytest.mark.parametrize("name,answer,switches", WRONG)
def test_the_hidden_tests_refuse_it_too(name, answer, switches):
    exercise = EXERCISES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not all(same(mine, right, exercise.atol) for mine, right in zip(*(hidden(LAB, name, f, 5) for f in (answer, exercise.truth)), strict=True))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_sizes_of_a_case_differ_so_that_no_axis_passes_for_another(name):
    for case in [] if name in ("shapes", "pad") else EXERCISES[name].cases(generator()):
        shape = case[0].shape
        assert 1 in shape or len(set(shape)) == len(shape)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_size_comes_twice_and_a_batch_of_one_once(name):
    cases = [] if name in ("shapes", "pad") else EXERCISES[name].cases(generator())
    sizes = [tuple(a.shape for a in case if isinstance(a, torch.Tensor)) for case in cases]
    assert not cases or (sizes[0] == sizes[1] and 1 in {size[0][0 if name == "rnn_step" else 1] for size in sizes})


@pytest.mark.parametrize("name", ["classify", "reverse_padded", "summary"])
def test_every_seed_has_a_sequence_of_length_1_beside_longer_ones(name):
    for seed in range(20):
        assert all(1 in case[1] for case in EXERCISES[name].cases(generator(seed)) if len(case[1]) > 1)


def test_hidden_names_are_plain_data_with_one_twice_and_a_z():
    seen = [names for names, *_ in LAB.hidden.pad(5)]
    assert any(len({*names}) < len(names) for names in seen) and any("z" in name for names in seen for name in names)


def test_the_core_is_60_percent_of_20_points_and_the_table_says_the_same():
    cells = nbformat.read(FOLDER / "unfold.ipynb", as_version=4).cells
    titles = [re.match(r"# (Exercise \d+): .+ \((\d+) points, (core|more)\)", cell.source) for cell in cells]
    points = {title[1]: (int(title[2]), title[3]) for title in titles if title}
    table = {f"Exercise {n}": (int(p), part) for n, p, part in re.findall(r"^\| (\d) .* \| (\d) \| (core|more) \|$", cells[0].source, re.M)}
    assert points == table == {e.title: (e.points, points[e.title][1]) for e in EXERCISES.values()}
    assert sum(p for p, _ in points.values()) == 20 and sum(p for p, part in points.values() if part == "core") == 12


def test_the_text_of_an_exercise_says_what_is_forbidden():
    text = {cell.id: cell.source for cell in nbformat.read(FOLDER / "unfold.ipynb", as_version=4).cells}
    for name, exercise in EXERCISES.items():
        said = text["rnn_step-text" if name == "unfold" else f"{name}-text"]
        for forbidden in {n.rpartition(".")[0] for n in exercise.forbids} - {"torch", "torch._VF", "torch._C._nn", "rnncourse.cells"}:
            assert ("torch.nn.RNN" if forbidden == "torch.nn" else forbidden) in said


def test_the_text_promises_what_the_checks_and_the_cells_that_run_need():
    text = {cell.id: cell.source for cell in nbformat.read(FOLDER / "unfold.ipynb", as_version=4).cells}
    assert "Return the type that you were given" in text["checks"] and "Nothing from the module `check`" in text["checks"]
    assert "int64 (or int32)" in text["pad-text"] and "whole numbers" in text["detect-text"]
    assert "same shape and dtype" in text["reverse_padded-text"]
    for name in ("classify", "reverse_padded", "summary"):
        assert "Every length is at least 1 and at most T; T may exceed the longest." in text[f"{name}-text"]
    assert all("under any name" in text[f"{name}-text"] for name in ("rnn_step", "shapes", "pad"))


def test_exercise_8_may_use_exercise_7_though_it_is_blank():
    space = {"torch": torch}
    exec("""
def reverse_padded(x, lengths):
    raise NotImplementedError("Exercise 7: right to left")
def summary(out, lengths):
    H = out.shape[2] // 2
    return torch.cat([reverse_padded(out, lengths)[0, :, :H], out[0, :, H:]], 1)
""", space)
    check.summary(space["summary"])
