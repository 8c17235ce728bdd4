"""Right answers that look different; the checks have to accept every one."""

import itertools
import string
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


# ---- Exercise 1
def step_side_by_side(x_t, h, W_xh, W_hh, b):
    return torch.tanh(torch.cat([h, x_t], dim=1) @ torch.cat([W_hh, W_xh], dim=0) + b)


def step_by_linear(x_t, h, W_xh, W_hh, b):
    return F.linear(x_t, W_xh.T, b).add(F.linear(h, W_hh.t())).tanh()


def step_by_einsum(x_t, h, W_xh, W_hh, b):
    return torch.tanh(torch.einsum("bd,dh->bh", x_t, W_xh) + torch.einsum("bi,ij->bj", [h, W_hh]) + b.unsqueeze(0))


def step_in_columns(x_t, h, W_xh, W_hh, b):
    return torch.tanh(W_xh.T @ x_t.T + W_hh.T @ h.T + b[:, None]).T


def step_by_loops(x_t, h, W_xh, W_hh, b):
    rows = []
    for i in range(x_t.shape[0]):
        row = []
        for k in range(len(b)):
            total = b[k]
            for d in range(x_t.size(1)):
                total = total + x_t[i][d] * W_xh[d][k]
            for j in range(h.size(1)):
                total = total + h[i, j] * W_hh[j, k]
            row.append(torch.tanh(total))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def step_in_place(x_t, h, W_xh, W_hh, b):
    out = torch.empty(len(x_t), len(b))
    for i in range(len(x_t)):
        out[i] = torch.tanh(x_t[i] @ W_xh + h[i] @ W_hh + b)
    return out


def step_in_double(x_t, h, W_xh, W_hh, b):
    a = x_t.double() @ W_xh.double() + h.double() @ W_hh.double()
    a += b
    e = torch.exp(-2 * a)
    return (1 - e) / (1 + e)


class Step(nn.Module):
    def forward(self, x_t, h, W_xh, W_hh, b):
        print("one step")
        return torch.addmm(torch.addmm(b, x_t, W_xh), h, W_hh).tanh_()


# ---- Exercise 2
def unfold_with_list(step, x, h0):
    h, states = h0, []
    for t in range(x.shape[0]):
        h = step(x[t], h)
        states.append(h)
    return torch.stack(states, dim=0), states[-1]


def unfold_filling(step, x, h0):
    T, B, _ = x.shape
    h = torch.zeros(T, B, h0.shape[-1])
    state = h0.clone()
    for t in range(T):
        state = step(x[t, :, :], state)
        h[t] = state
    return h, h[-1]


def unfold_recursive(step, x, h0):
    first = step(x[0], h0)
    if len(x) == 1:
        return first[None], first
    rest, last = unfold_recursive(step, x[1:], first)
    return torch.cat([first.unsqueeze(0), rest]), last


def unfold_accumulating(step, x, h0):
    states = list(itertools.accumulate(x, lambda h, x_t: step(x_t, h), initial=h0))[1:]
    return [torch.stack(states), states[-1]]


def unfold_reduced(step, x, h0):
    states = reduce(lambda past, x_t: past + [step(x_t, past[-1])], x.unbind(0), [h0])
    return torch.stack(states[1:]), states.pop()


def unfold_growing(step, x, h0):
    h, t = None, 0
    while t < len(x):
        new = step(x_t=x[t], h=h0 if h is None else h[-1]).unsqueeze(0)
        h = new if h is None else torch.cat((h, new), 0)
        t += 1
    return h.double(), h[t - 1]


def unfold_with_generator(step, x, h0, *, keep=True):
    def walk(h=h0):
        for x_t in x:
            h = step(x_t, h)
            yield h

    h = torch.stack(tuple(walk()))
    return h, h.select(0, -1)


# ---- Exercise 3
def shapes_by_size(T, B, D, H, num_layers, bidirectional):
    d = 1 + bidirectional
    return torch.Size([T, B, d * H]), torch.Size([d * num_layers, B, H])


def shapes_in_lists(T, B, D, H, num_layers, bidirectional):
    if bidirectional:
        return [[T, B, H + H], [num_layers + num_layers, B, H]]
    return [[T, B, H], [num_layers, B, H]]


def shapes_of_empty(T, B, D, H, num_layers, bidirectional):
    out = torch.empty(T, B, H).repeat(1, 1, int(bidirectional) + 1)
    h_n = np.zeros(((2 if bidirectional is True else 1) * num_layers, B, H))
    return out.shape, h_n.shape


def shapes_in_tensors(T, B, D, H, num_layers, bidirectional):
    d = {False: 1, True: 2}[bidirectional]
    return torch.tensor([T, B, d * H]), np.array([d * num_layers, B, H])


# ---- Exercise 4
def pad_filling(names):
    lengths = torch.tensor([len(name) for name in names])
    ids = torch.zeros(lengths.max(), len(names), dtype=torch.long)
    for b, name in enumerate(names):
        for t, letter in enumerate(name):
            ids[t, b] = string.ascii_lowercase.index(letter) + 1
    return ids, lengths


def pad_by_zip(names):
    rows = list(itertools.zip_longest(*names, fillvalue="`"))
    return torch.tensor([[ord(letter) - 96 for letter in row] for row in rows]), torch.LongTensor(list(map(len, names)))


def pad_by_bytes(names):
    longest = max(map(len, names))
    columns = [F.pad(torch.tensor(list(name.encode())) - 96, (0, longest - len(name))) for name in names]
    return torch.stack(columns, dim=1), torch.tensor([len(c) for c in names], dtype=torch.int32)


def pad_in_numpy(names):
    lengths = np.array([len(name) for name in names])
    ids = np.zeros((lengths.max(), len(names)), dtype=np.int64)
    for b, name in enumerate(names):
        ids[: len(name), b] = [ord(letter) - ord("a") + 1 for letter in name]
    return torch.from_numpy(ids), torch.from_numpy(lengths)


def pad_then_turn(names):
    alphabet = {letter: i for i, letter in enumerate("_abcdefghijklmnopqrstuvwxyz")}
    n = max(len(name) for name in names)
    names = [name.ljust(n, "_") for name in names]
    ids = torch.tensor([[alphabet[letter] for letter in name] for name in names]).t().contiguous()
    return ids.to(torch.uint8), (ids != 0).sum(dim=0)


# ---- Exercise 5
def classify_by_index(h, lengths, W_hy, b_y):
    return h[lengths - 1, torch.arange(h.size(1))] @ W_hy + b_y


def classify_by_gather(h, lengths, W_hy, b_y):
    index = (lengths - 1).view(1, -1, 1).expand(1, h.shape[1], h.shape[2])
    return torch.addmm(b_y, h.gather(0, index).squeeze(0), W_hy)


def classify_by_loop(h, lengths, W_hy, b_y):
    out = []
    for b in range(len(lengths)):
        n = lengths[b].item()
        out.append(W_hy.T @ h[n - 1, b] + b_y)
    return torch.stack(out)


def classify_batch_first(h, lengths, W_hy, b_y):
    h = h.transpose(0, 1)
    last = torch.cat([sequence[n - 1 : n] for sequence, n in zip(h, lengths)])
    return F.linear(last, W_hy.T, b_y)


def classify_then_choose(h, lengths, W_hy, b_y):
    scores = torch.einsum("tbh,hc->tbc", h, W_hy) + b_y
    chosen = F.one_hot(lengths - 1, len(h)).T.unsqueeze(-1)
    return (scores * chosen).sum(0)


def classify_by_mask(h, lengths, W_hy, b_y):
    t = torch.arange(len(h)).unsqueeze(1)
    return h.transpose(0, 1)[(t == lengths - 1).T].double() @ W_hy.double() + b_y


# ---- Exercise 6
def detect_by_where(h, w, b, mask):
    p = torch.where(mask, torch.sigmoid(h @ w + b), torch.zeros(()))
    fires = p > 0.5
    return p, torch.where(fires.any(dim=0), fires.int().argmax(dim=0), torch.tensor(-1))


def detect_by_product(h, w, b, mask):
    p = 1 / (1 + torch.exp(-(h * w).sum(-1) - b)) * mask
    first = []
    for column in p.T:
        hits = (column > 0.5).nonzero().flatten()
        first.append(hits[0].item() if len(hits) else -1)
    return p, torch.tensor(first)


def detect_by_infinity(h, w, b, mask):
    z = torch.einsum("tbh,h->tb", h, w).add(b).masked_fill(~mask, float("-inf"))
    before = ((z <= 0).cumprod(0) == 1).sum(0)
    before[before == len(z)] = -1
    return z.sigmoid(), before


def detect_step_by_step(h, w, b, mask):
    T, B, _ = h.shape
    p, first = torch.zeros(T, B), -torch.ones(B)
    for t in range(T):
        for i in range(B):
            if mask[t, i]:
                p[t, i] = torch.sigmoid(h[t, i].dot(w) + b)
                if p[t, i] > 0.5 and first[i] == -1:
                    first[i] = t
    return p, first


def detect_with_numpy(h, w, b, mask):
    p = mask.float() * F.linear(h, w[None], b).squeeze(-1).sigmoid()
    fires = p.detach().numpy() > 0.5
    return [p, np.where(fires.any(axis=0), fires.argmax(axis=0), -1)]


def detect_in_double(h, w, b, mask):
    p = torch.zeros(mask.shape, dtype=torch.float64)
    p[mask] = torch.sigmoid(h[mask].double() @ w.double() + b)
    t = torch.arange(len(h)).view(-1, 1).expand_as(p)
    first = t.masked_fill(p <= 0.5, 10**6).min(0).values
    return p, first.where(first < 10**6, -torch.ones_like(first))


# ---- Exercise 7
def reverse_by_index(x, lengths):
    t = torch.arange(x.shape[0]).unsqueeze(1)
    back = torch.where(t < lengths, lengths - 1 - t, t)
    return x[back, torch.arange(x.shape[1])]


def reverse_copying(x, lengths):
    y = x.clone()
    for b, n in enumerate(lengths):
        y[:n, b] = x[:n, b].flip(0)
    return y


def reverse_onto_zeros(x, lengths):
    y = torch.zeros_like(x)
    for b in range(x.size(1)):
        for t in range(int(lengths[b])):
            y[t, b] = x[lengths[b] - 1 - t, b]
    return y


def reverse_in_place(x, lengths):
    for b in range(len(lengths)):
        x[: lengths[b], b] = torch.flip(x[: lengths[b], b], dims=[0])
    return x


def reverse_by_roll(x, lengths):
    return torch.stack([torch.roll(x[:, b].flip(0), int(n) - len(x), dims=0) for b, n in enumerate(lengths)], dim=1)


def reverse_with_lists(x, lengths):
    columns = []
    for sequence, n in zip(x.transpose(0, 1), lengths.tolist()):
        steps = list(sequence)
        columns.append(torch.stack(steps[:n][::-1] + steps[n:]))
    return torch.stack(columns).transpose(0, 1)


def reverse_by_remainder(x, lengths):
    back = (lengths - 1 - torch.arange(len(x))[:, None]) % len(x)  # what stands in the padding is of no matter
    index = back.reshape(*back.shape, *[1] * (x.dim() - 2)).expand_as(x)
    return x.gather(0, index)


def reverse_counting_down(x, lengths):
    y = x.clone()
    for t in range(len(x)):
        for b in range(x.shape[1]):
            if lengths[b] > 0:
                lengths[b] -= 1
                y[t, b] = x[lengths[b], b]
    return y


# ---- Exercise 8
def summary_by_chunk(out, lengths):
    forth, back = out.chunk(2, dim=-1)
    return torch.cat([forth[lengths - 1, torch.arange(len(lengths))], back[0]], dim=-1)


def summary_by_view(out, lengths):
    T, B, width = out.shape
    h = out.view(T, B, 2, width // 2)
    return torch.stack([h[lengths - 1, range(B), 0], h[0, :, 1]], dim=1).flatten(1)


def summary_by_loop(out, lengths):
    H = out.shape[2] // 2
    rows = [torch.hstack((out[lengths[b] - 1, b, :H], out[0, b, H:])) for b in range(out.shape[1])]
    return torch.stack(rows)


def summary_filling(out, lengths):
    H = out.size(-1) // 2
    s = torch.empty(out.size(1), 2 * H, dtype=torch.float64)
    s[:, H:] = out[0, :, -H:]
    for b, n in enumerate(lengths.tolist()):
        s[b, :H] = out[n - 1][b][:H]
    return s


def summary_by_gather(out, lengths):
    own = out.gather(0, (lengths - 1)[None, :, None].expand(1, -1, out.shape[-1]))[0]
    left = torch.arange(out.shape[-1]) < out.shape[-1] // 2
    return torch.where(left, own, out[0])


RIGHT = {
    "rnn_step": [step_side_by_side, step_by_linear, step_by_einsum, step_in_columns, step_by_loops, step_in_place, step_in_double, Step()],
    "unfold": [unfold_with_list, unfold_filling, unfold_recursive, unfold_accumulating, unfold_reduced, unfold_growing,
               unfold_with_generator],
    "shapes": [shapes_by_size, shapes_in_lists, shapes_of_empty, shapes_in_tensors],
    "pad": [pad_filling, pad_by_zip, pad_by_bytes, pad_in_numpy, pad_then_turn],
    "classify": [classify_by_index, classify_by_gather, classify_by_loop, classify_batch_first, classify_then_choose, classify_by_mask],
    "detect": [detect_by_where, detect_by_product, detect_by_infinity, detect_step_by_step, detect_with_numpy, detect_in_double],
    "reverse_padded": [reverse_by_index, reverse_copying, reverse_onto_zeros, reverse_in_place, reverse_by_roll, reverse_with_lists,
                       reverse_by_remainder, reverse_counting_down],
    "summary": [summary_by_chunk, summary_by_view, summary_by_loop, summary_filling, summary_by_gather],
}
