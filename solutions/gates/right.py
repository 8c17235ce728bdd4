"""Right answers that look different; the checks have to accept every one."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


# ---- Exercise 1
class OtherOrder(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(OtherOrder, self).__init__()
        size = input_size + hidden_size
        self.Wo, self.Wc, self.Wi, self.Wf = (nn.Linear(size, hidden_size) for _ in range(4))

    def one_step(self, x, h, c):
        xh = torch.cat((x, h), -1)
        c = c * F.sigmoid(self.Wf(xh)) + F.sigmoid(self.Wi(xh)) * F.tanh(self.Wc(xh))
        return F.sigmoid(self.Wo(xh)) * F.tanh(c), c


class CellFirst(nn.Module):
    """(c, h) is returned, and the gates too."""

    def __init__(self, input_size, hidden_size, output_size=7, device=None):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)
        self.new = nn.Sequential(nn.Linear(input_size + hidden_size, hidden_size), nn.Tanh())
        self.decoder = nn.Linear(hidden_size, output_size)

    def one_step(self, x, h, c):
        v = torch.hstack([h, x])
        o, f, i = self.gates(v).sigmoid().chunk(3, 1)
        c = torch.addcmul(f * c, i, self.new(v))
        return c, o * torch.tanh(c), (f, i, o)


class Split(nn.Module):
    """x and h have layers of their own, with a bias each."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        D, H = input_size, hidden_size
        self.xf, self.hf, self.xi, self.hi = nn.Linear(D, H), nn.Linear(H, H), nn.Linear(D, H), nn.Linear(H, H)
        self.xo, self.ho, self.xg, self.hg = nn.Linear(D, H), nn.Linear(H, H), nn.Linear(D, H), nn.Linear(H, H)

    def one_step(self, x, h, c):
        f, i, o = [torch.sigmoid(a(x) + b(h)) for a, b in ((self.xf, self.hf), (self.xi, self.hi), (self.xo, self.ho))]
        c_new = f * c + i * torch.tanh(self.xg(x) + self.hg(h))
        return [o * torch.tanh(c_new), c_new]


class SplitApart(nn.Module):
    """The layers for h come in another order than those for x, and have no bias."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x = nn.ModuleList([nn.Linear(input_size, hidden_size) for _ in range(4)])
        self.h = nn.ModuleDict({name: nn.Linear(hidden_size, hidden_size, bias=False) for name in "gofi"})

    def one_step(self, x, h, c):
        i, f, g, o = [layer(x) + self.h[name](h) for layer, name in zip(self.x, "ifgo")]
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Fused(nn.Module):
    """All gates in two raw matrices, as torch keeps them."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.randn(4 * hidden_size, hidden_size))
        self.bias_ih, self.bias_hh = nn.Parameter(torch.zeros(4 * hidden_size)), nn.Parameter(torch.zeros(4 * hidden_size))

    def one_step(self, x, h, c):
        i, f, g, o = (x @ self.weight_ih.T + h @ self.weight_hh.T + self.bias_ih + self.bias_hh).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Raw(nn.Module):
    """Raw matrices that multiply from the right, biases as rows."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        for gate in "ifoc":
            setattr(self, f"W_{gate}", nn.Parameter(torch.randn(input_size, hidden_size)))
            setattr(self, f"U_{gate}", nn.Parameter(torch.randn(hidden_size, hidden_size)))
            setattr(self, f"b_{gate}", nn.Parameter(torch.zeros(1, hidden_size)))

    def one_step(self, x, h, c):
        i, f, o, g = [x.mm(getattr(self, f"W_{k}")) + h.mm(getattr(self, f"U_{k}")) + getattr(self, f"b_{k}") for k in "ifoc"]
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Raw4(nn.Module):
    """One raw tensor with an axis for the gates."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W = nn.Parameter(torch.randn(4, hidden_size + input_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(4, 1, hidden_size))

    def one_step(self, x, h, c):
        f, i, o, g = torch.cat([x, h], 1) @ self.W + self.b
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class KeepsCell(nn.Module):
    """c is an attribute, and no argument."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size, self.c = hidden_size, None
        self.f, self.i, self.g, self.o = [nn.Linear(hidden_size + input_size, hidden_size) for _ in range(4)]

    def one_step(self, x, h):
        if self.c is None:
            self.c = torch.zeros(x.shape[0], self.hidden_size)
        v = torch.cat([h, x], 1)
        self.c = torch.sigmoid(self.f(v)) * self.c + torch.sigmoid(self.i(v)) * torch.tanh(self.g(v))
        return torch.sigmoid(self.o(v)) * torch.tanh(self.c)


class KeepsToo(nn.Module):
    """c is an argument, and the new one is kept and not returned."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.internal_state = torch.zeros(1, hidden_size)
        self.f, self.i, self.c, self.o = [nn.Linear(hidden_size + input_size, hidden_size) for _ in range(4)]

    def one_step(self, x, h, c=None):
        v = torch.cat([h, x], 1)
        self.internal_state = torch.sigmoid(self.f(v)) * c + torch.sigmoid(self.i(v)) * torch.tanh(self.c(v))
        return torch.sigmoid(self.o(v)) * torch.tanh(self.internal_state)


class Mixed(nn.Module):
    """[h, x] here and [x, h] there."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.f, self.i, self.c, self.o = [nn.Linear(hidden_size + input_size, hidden_size) for _ in range(4)]

    def one_step(self, x, h, c):
        hx, xh = torch.cat([h, x], 1), torch.cat([x, h], 1)
        c = torch.sigmoid(self.f(hx)) * c + torch.sigmoid(self.i(xh)) * torch.tanh(self.c(hx))
        return torch.sigmoid(self.o(xh)) * torch.tanh(c), c


class Beside(nn.Module):
    """A list and a tuple of the layers beside the attributes; a readout of one number that one_step does not use."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.layers = []
        for k in range(4):
            self.add_module(f"gate{k}", layer := nn.Linear(input_size + hidden_size, hidden_size))
            self.layers.append(layer)
        self.all, self.decoder = (*self.layers,), nn.Linear(hidden_size, 1)

    def one_step(self, x, h, c):
        f, i, g, o = [layer(torch.cat([x, h], 1)) for layer in self.layers]
        c = c * f.sigmoid() + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Axes(nn.Module):
    """Three parameters with an axis for the gates, a row of biases for each."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.U = nn.Parameter(0.1 * torch.randn(4, input_size, hidden_size))
        self.V = nn.Parameter(0.1 * torch.randn(4, hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(4, hidden_size))

    def one_step(self, x, h, c):
        a = torch.einsum("bd,kdh->kbh", x, self.U) + torch.einsum("bj,kjh->kbh", h, self.V) + self.b[:, None]
        i, f, o = torch.sigmoid(a[:3])
        c = f * c + i * torch.tanh(a[3])
        return o * torch.tanh(c), c


class BiasRows(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W, self.bias = nn.Linear(input_size + hidden_size, 4 * hidden_size, bias=False), nn.Parameter(torch.ones(4, hidden_size))

    def one_step(self, x, h, c):
        a = self.W(torch.cat([h, x], 1)).reshape(len(x), 4, -1) + self.bias
        f, i, o = a[:, :3].sigmoid().unbind(1)
        c = f * c + i * a[:, 3].tanh()
        return o * c.tanh(), c


class InPlace(nn.Module):
    """It changes tensors in place, its own ones."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def one_step(self, x, h, c):
        v = x.new_zeros(len(x), x.shape[1] + h.shape[1])
        v[:, : h.shape[1]], v[:, h.shape[1] :] = h, x
        f, i, g, o = self.gates(v).chunk(4, 1)
        c = c.clone()
        c *= torch.sigmoid(f)
        c += torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class KeepsInPlace(KeepsCell):
    """c is an attribute, and changed in place."""

    def one_step(self, x, h):
        if self.c is None:
            self.c = torch.zeros(x.shape[0], self.hidden_size)
        v = torch.cat([h, x], 1)
        self.c *= torch.sigmoid(self.f(v))
        self.c += torch.sigmoid(self.i(v)) * torch.tanh(self.g(v))
        return torch.sigmoid(self.o(v)) * torch.tanh(self.c)


class TwoOverBoth(nn.Module):
    """Three gates over [h, x]; the candidate over x and h apart, declared first."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.h, self.x = nn.Linear(hidden_size, hidden_size, bias=False), nn.Linear(input_size, hidden_size)
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def one_step(self, x, h, c):
        f, i, o = self.gates(torch.cat([x, h], 1)).sigmoid().chunk(3, 1)
        c = f * c + i * torch.tanh(self.x(x) + self.h(h))
        return o * c.tanh(), c


# ---- Exercise 2
class GruNoBias(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.Wz, self.Wr, self.W = [nn.Linear(input_size + hidden_size, hidden_size, bias=False) for _ in range(3)]

    def one_step(self, x, h):
        z, r = torch.sigmoid(self.Wz(torch.cat([h, x], 1))), torch.sigmoid(self.Wr(torch.cat([h, x], 1)))
        return (1 - z) * h + z * torch.tanh(self.W(torch.cat([r * h, x], 1)))


class GruFused(nn.Module):
    """r and z in one layer, the candidate over [x, r h]; gates are returned too."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)
        self.gates = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def one_step(self, x, h):
        r, z = self.gates(torch.cat([h, x], 1)).sigmoid().chunk(2, 1)
        return torch.lerp(h, self.candidate(torch.cat([x, r * h], 1)).tanh(), z), z, r


class GruSplit(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.Wr, self.Wz, self.Wn = [nn.Linear(input_size, hidden_size) for _ in range(3)]
        self.Un, self.Uz, self.Ur = [nn.Linear(hidden_size, hidden_size) for _ in range(3)]

    def one_step(self, x, h):
        z, r = F.sigmoid(self.Wz(x) + self.Uz(h)), F.sigmoid(self.Wr(x) + self.Ur(h))
        return h + z * (F.tanh(self.Wn(x) + self.Un(r * h)) - h)


class GruRaw(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W = nn.Parameter(torch.randn(3, hidden_size + input_size, hidden_size))

    def one_step(self, x, h):
        z, r = torch.sigmoid(torch.cat([h, x], 1) @ self.W[:2])
        return ((1 - z) * h + z * torch.tanh(torch.cat([r * h, x], 1) @ self.W[2]),)


class GruMixed(nn.Module):
    """z and r over [h, x], the candidate over x and h apart, since only it needs r * h."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.update, self.reset = nn.Linear(input_size + hidden_size, hidden_size), nn.Linear(input_size + hidden_size, hidden_size)
        self.x, self.h = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def one_step(self, x, h):
        v = torch.cat([h, x], 1)
        z, r = torch.sigmoid(self.update(v)), torch.sigmoid(self.reset(v))
        return (1 - z) * h + z * torch.tanh(self.x(x) + self.h(r * h))


class GruMixedRaw(nn.Module):
    """The same with one layer for both gates, and a raw matrix for h."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.U, self.x = nn.Parameter(torch.zeros(hidden_size, hidden_size)), nn.Linear(input_size, hidden_size)
        self.gates = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def one_step(self, x, h):
        r, z = torch.sigmoid(self.gates(torch.cat([x, h], 1))).chunk(2, 1)
        return torch.lerp(h, torch.tanh(self.x(x) + (r * h) @ self.U), z)


class GruBiasRows(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.z, self.r, self.n = (nn.Linear(input_size + hidden_size, hidden_size, bias=False) for _ in range(3))
        self.gates, self.b = (self.z, self.r), nn.Parameter(torch.zeros(3, hidden_size))

    def one_step(self, x, h):
        z, r = (torch.sigmoid(layer(torch.cat([h, x], 1)) + b) for layer, b in zip(self.gates, self.b))
        return (1 - z) * h + z * torch.tanh(self.n(torch.cat([r * h, x], 1)) + self.b[2])


# ---- Exercise 3
def forward_pair(one_step, x, hidden_size):
    T, B, _ = x.shape
    s = torch.zeros(B, hidden_size).to(x), torch.zeros(B, hidden_size).to(x)
    out = torch.empty(T, B, hidden_size).to(x)
    for t in range(T):
        s = one_step(x[t], *s)
        out[t] = s[0]
    return out, s


def forward_joined(one_step, x, hidden_size):
    h, c = (torch.zeros_like(x[0, :, :1]).repeat(1, hidden_size) for _ in range(2))
    h, c, out = h, c, []
    for x_t in x.unbind():
        h, c = one_step(x_t, h, c)
        out.append(h.unsqueeze(0))
    return torch.cat(out, dim=0)


# ---- Exercise 4
def reach_backward(forward, x):
    x = x.detach().clone()
    x.requires_grad = True
    forward(x)[-1].sum().backward()
    return [g.norm().item() for g in x.grad]


def reach_numpy(forward, x):
    x.requires_grad_(True)
    h = forward(x)
    h[-1].backward(torch.ones_like(h[-1]))
    return np.sqrt((x.grad.numpy() ** 2).sum(axis=(1, 2)))


def reach_by_step(forward, x):
    steps = [x_t.clone().requires_grad_() for x_t in x]
    return torch.stack([g.norm() for g in torch.autograd.grad(forward(torch.stack(steps))[-1].sum(), steps)])


# ---- Exercise 5
def gates_by_loop(W_xh, W_hh, b, x, h):
    H, out = h.shape[2], {name: [] for name in "ifgo"}
    for t in range(len(x)):
        a = x[t] @ W_xh + b
        if t > 0:
            a = a + h[t - 1] @ W_hh
        for k, name in enumerate("ifgo"):
            part = a[:, k * H : (k + 1) * H]
            out[name].append(torch.tanh(part) if name == "g" else torch.sigmoid(part))
    return {name: torch.stack(v) for name, v in out.items()}


@torch.no_grad()
def gates_without_graph(W_xh, W_hh, b, x, h):
    past = torch.zeros_like(h)
    past[1:] = h[:-1]
    i, f, g, o = torch.tensor_split(x @ W_xh + past @ W_hh + b, 4, dim=2)
    return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


def gates_in_numpy(*given):
    W_xh, W_hh, b, x, h = (a.detach().numpy() for a in given)
    i, f, g, o = np.split(x @ W_xh + np.concatenate([0 * h[:1], h[:-1]]) @ W_hh + b, 4, axis=2)
    return [1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-o))]


def gates_stacked(W_xh, W_hh, b, x, h):
    past = F.pad(h, (0, 0, 0, 0, 1, 0))[:-1]
    i, f, g, o = torch.split(torch.cat([x, past], 2) @ torch.cat([W_xh, W_hh]) + b, h.shape[-1], dim=-1)
    return torch.stack([torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)])


# ---- Exercise 6
def bias_by_layer(lstm, value):
    H = lstm.hidden_size
    for names in lstm.all_weights:
        _, _, b_ih, b_hh = names
        b_ih.data[H : 2 * H].fill_(value / 2)
        b_hh.data[H : 2 * H].fill_(value / 2)


def bias_by_name(lstm, value):
    for layer in range(lstm.num_layers):
        for way in ["", "_reverse"][: 1 + lstm.bidirectional]:
            with torch.no_grad():
                getattr(lstm, f"bias_hh_l{layer}{way}").view(4, -1)[1] = value
                nn.init.zeros_(getattr(lstm, f"bias_ih_l{layer}{way}").chunk(4)[1])
    return lstm


def bias_by_difference(lstm, value):
    n = lstm.hidden_size
    with torch.no_grad():
        for name, p in lstm.named_parameters():
            if "bias_ih" in name:
                p[n : n + n] = value - getattr(lstm, name.replace("ih", "hh"))[n : n + n]


# ---- Exercise 7
def adding_scatter(values, first, second):
    marks = torch.zeros_like(values).scatter_(0, torch.stack([first, second]), 1.0)
    return torch.stack([values, marks], 2), (values * marks).sum(0)


def adding_loop(values, first, second):
    T, B = values.shape
    x, target = torch.zeros(T, B, 2), []
    x[..., 0] = values
    for k in range(B):
        x[first[k], k, 1] = x[second[k], k, 1] = 1
        target.append(values[first[k], k].item() + values[second[k], k].item())
    return [x.numpy(), np.array(target)]


def adding_one_hot(values, first, second):
    marks = (F.one_hot(first, len(values)) + F.one_hot(second, len(values))).T
    return torch.cat([values[:, :, None], marks[:, :, None]], dim=2), values.gather(0, first[None])[0] + values.gather(0, second[None])[0]


# ---- Exercise 8
def needed_by_loop(errors, window, bound, mean_bound):
    for n in range(window, len(errors) + 1):
        last = errors[n - window : n].abs()
        if (last < bound).all() and last.mean() < mean_bound:
            return n


def needed_in_numpy(errors, window, bound, mean_bound):
    e = np.abs(errors.numpy())
    good = [n for n in range(window, len(e) + 1) if e[n - window : n].max() < bound and np.mean(e[n - window : n]) < mean_bound]
    return np.int64(good[0]) if good else None


# ---- Exercise 9
def torch_by_rows(W_z, W_r, W_n, b_z, b_r, b_n):
    H = W_z.shape[0]
    W_ih, W_hh = torch.empty(3 * H, W_z.shape[1] - H), torch.empty(3 * H, H)
    for k, W in enumerate([W_r, -1 * W_z, W_n]):
        W_hh[k * H : (k + 1) * H], W_ih[k * H : (k + 1) * H] = W.split([H, W.shape[1] - H], dim=1)
    zeros = torch.zeros(H)
    return W_ih, W_hh, torch.cat([zeros, zeros, b_n]), torch.cat([b_r, -b_z, zeros])


def torch_in_numpy(W_z, W_r, W_n, b_z, b_r, b_n):
    W_z, W_r, W_n, b_z, b_r, b_n = (a.detach().numpy() for a in (W_z, W_r, W_n, b_z, b_r, b_n))
    W, H = np.concatenate([W_r, -W_z, W_n]), len(b_z)
    b = np.concatenate([b_r, -b_z, 2 * b_n]) / 2
    return [W[:, H:], W[:, :H], b, np.concatenate([b[: 2 * H], 0 * b_n])]


RIGHT = {
    "LSTM": [OtherOrder, CellFirst, Split, SplitApart, Fused, Raw, Raw4, KeepsCell, KeepsToo, Mixed, Beside, Axes, BiasRows, InPlace,
             KeepsInPlace, TwoOverBoth],
    "GRU": [GruNoBias, GruFused, GruSplit, GruRaw, GruMixed, GruMixedRaw, GruBiasRows],
    "forward": [forward_pair, forward_joined],
    "input_gradients": [reach_backward, reach_numpy, reach_by_step],
    "gates": [gates_by_loop, gates_stacked, gates_without_graph, gates_in_numpy],
    "set_forget_bias": [bias_by_layer, bias_by_name, bias_by_difference],
    "adding_data": [adding_scatter, adding_loop, adding_one_hot],
    "sequences_needed": [needed_by_loop, needed_in_numpy],
    "to_torch": [torch_by_rows, torch_in_numpy],
}
