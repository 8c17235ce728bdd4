"""Lab 3: wrong answers as students write them, and what the lab promises. What holds for all labs stands in test_labs.py."""

import copy
import math
from functools import partial
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from banks import modules, noting, refused

from rnncourse import cells, tasks
from rnncourse.checks import CheckFailed, same

FOLDER = Path(__file__).parents[1] / "solutions" / "gates"
LAB = modules("gates")
check, right, EXERCISES = LAB.check, LAB.right, LAB.exercises
WRONG = []
wrong = noting(WRONG)


# Exercise 1: a cell of four layers, with one thing wrong at a time


class Four(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        size = input_size + hidden_size
        self.Wi, self.Wf, self.Wo, self.Wc = (nn.Linear(size, hidden_size) for _ in range(4))


@wrong("LSTM", "along_batch")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([x, h])
        c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "cut_h")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([torch.tensor(h), x], 1)
        c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "cut_c")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wf(v)) * c.data + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "cut_out")
class Answer(Four):
    def one_step(self, x, h, c):
        with torch.no_grad():
            v = torch.cat([h, x], 1)
            c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
            return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "no_c")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c)


@wrong("LSTM", "stale_c")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        new = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(new), c


@wrong("LSTM", "softmax")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([x, h], 1)
        c = F.softmax(self.Wf(v), dim=1) * c + F.softmax(self.Wi(v), dim=1) * torch.tanh(self.Wc(v))
        return F.softmax(self.Wo(v), dim=1) * torch.tanh(c), c


@wrong("LSTM", "sigmoid_candidate")
class Answer(Four):
    def one_step(self, x, h, c):
        i, f, o, g = [torch.sigmoid(layer(torch.cat([h, x], 1))) for layer in (self.Wi, self.Wf, self.Wo, self.Wc)]
        c = f * c + i * g
        return o * torch.tanh(c), c


@wrong("LSTM", "no_tanh", "sigmoid_candidate")
class Answer(Four):
    def one_step(self, x, h, c):
        i, f, o, g = [torch.sigmoid(layer(torch.cat([h, x], 1))) for layer in (self.Wi, self.Wf, self.Wo, self.Wc)]
        c = f * c + i * g
        return o * c, c


@wrong("LSTM", "tanh_kept")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = torch.tanh(torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v)))
        return torch.sigmoid(self.Wo(v)) * c, c


@wrong("LSTM", "one_gate")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wi(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "coupled")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        f = torch.sigmoid(self.Wf(v))
        c = f * c + (1 - f) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "from_c")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([x, c], 1)
        c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "swapped")
class Answer(Four):
    def one_step(self, x, c, h):
        v = torch.cat([x, h], 1)
        c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "no_bias")
class Answer(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x, self.h = nn.Linear(input_size, 4 * hidden_size, bias=False), nn.Linear(hidden_size, 4 * hidden_size, bias=False)

    def one_step(self, x, h, c):
        o, i, f, g = (self.x(x) + self.h(h)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@wrong("LSTM", "no_input")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wf(v)) * c + torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


class RNN(nn.Module):
    pass


@wrong("LSTM", "super_other")
class Answer(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(RNN, self).__init__()
        self.W = nn.Linear(input_size + hidden_size, hidden_size)

    def one_step(self, x, h, c):
        return h, c


@wrong("LSTM", "super_missing")
class Answer(nn.Module):
    def __init__(self, input_size, hidden_size):
        self.W = nn.Linear(input_size + hidden_size, hidden_size)

    def one_step(self, x, h, c):
        return h, c


@wrong("LSTM", "unseen")
class Answer(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W = [nn.Linear(input_size + hidden_size, hidden_size) for _ in range(4)]

    def one_step(self, x, h, c):
        i, f, o, g = [layer(torch.cat([h, x], 1)) for layer in self.W]
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@wrong("LSTM", "in_step")
class Answer(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.sizes = input_size + hidden_size, hidden_size

    def one_step(self, x, h, c):
        i, f, o, g = [nn.Linear(*self.sizes)(torch.cat([h, x], 1)) for _ in range(4)]
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@wrong("LSTM", "squeezed")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = (torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))).squeeze()
        return (torch.sigmoid(self.Wo(v)) * torch.tanh(c)).squeeze(), c


@wrong("LSTM", "c_from_zero")
class Answer(Four):
    def one_step(self, x, h):
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wf(v)) * torch.zeros_like(h) + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "no_gpu")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1).to("cuda")
        c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM")  # a peephole more
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wf(v) + c) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM")
class Answer(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def one_step(self, x, h, c):
        return self.cell(x, (h, c))


@wrong("LSTM")
class Answer(Four):
    def forward(self, x, h, c):
        return h, c


@wrong("LSTM", "keeps_h")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wf(v)) * h + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "own_c")
class Answer(Four):
    c = None

    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        self.c = c if self.c is None else self.c
        self.c = torch.sigmoid(self.Wf(v)) * self.c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(self.c), self.c


@wrong("LSTM", "in_place")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c *= torch.sigmoid(self.Wf(v))
        c += torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM", "in_place")
class Answer(Four):
    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        new = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        c.data.copy_(new)
        return torch.sigmoid(self.Wo(v)) * torch.tanh(new), new


@wrong("LSTM", "unseen")  # one of the layers in the list is none of the cell's
class Answer(Four):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.layers = [self.Wi, self.Wf, self.Wo, nn.Linear(input_size + hidden_size, hidden_size)]

    def one_step(self, x, h, c):
        i, f, o, g = [layer(torch.cat([h, x], 1)) for layer in self.layers]
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@wrong("LSTM")  # it stops after its second call
class Answer(Four):
    calls = 0

    def one_step(self, x, h, c):
        self.calls += 1
        if self.calls > 2:
            return h, c
        v = torch.cat([h, x], 1)
        c = torch.sigmoid(self.Wf(v)) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
        return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c


@wrong("LSTM")  # one number for all units
class Narrow(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        size = input_size + hidden_size
        self.f, self.i, self.o, self.g = nn.Linear(size, 1), nn.Linear(size, 1), nn.Linear(size, 1), nn.Linear(size, hidden_size)

    def one_step(self, x, h, c):
        v = torch.cat([h, x], 1)
        c = self.f(v).sigmoid() * c + self.i(v).sigmoid() * self.g(v).tanh()
        return self.o(v).sigmoid() * c.tanh(), c


@wrong("LSTM")  # weights in a form that the text does not have
class Conv(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.conv = nn.Conv1d(input_size + hidden_size, 4 * hidden_size, 1)

    def one_step(self, x, h, c):
        f, i, g, o = self.conv(torch.cat([h, x], 1)[:, :, None])[:, :, 0].chunk(4, 1)
        c = c * f.sigmoid() + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@wrong("LSTM")
class Lazy(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.a = nn.LazyLinear(4 * hidden_size)

    def one_step(self, x, h, c):
        f, i, g, o = self.a(torch.cat([h, x], 1)).chunk(4, 1)
        c = c * f.sigmoid() + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c



# Exercise 2


class Three(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(Three, self).__init__()
        self.W, self.Wz, self.Wr = (nn.Linear(input_size + hidden_size, hidden_size, bias=False) for _ in range(3))


class Six(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.xr, self.xz, self.xn = (nn.Linear(input_size, hidden_size) for _ in range(3))
        self.hr, self.hz, self.hn = (nn.Linear(hidden_size, hidden_size) for _ in range(3))


@wrong("GRU", "z_swapped")
class Answer(Three):
    def one_step(self, x, h):
        v = torch.cat([h, x], 1)
        z, r = torch.sigmoid(self.Wz(v)), torch.sigmoid(self.Wr(v))
        return z * h + (1 - z) * torch.tanh(self.W(torch.cat([r * h, x], 1)))


@wrong("GRU", "reset_after")
class Answer(Six):
    def one_step(self, x, h):
        z, r = torch.sigmoid(self.xz(x) + self.hz(h)), torch.sigmoid(self.xr(x) + self.hr(h))
        return (1 - z) * h + z * torch.tanh(self.xn(x) + r * self.hn(h))


@wrong("GRU", "z_swapped", "reset_after")
class Answer(Six):
    def one_step(self, x, h):
        z, r = torch.sigmoid(self.xz(x) + self.hz(h)), torch.sigmoid(self.xr(x) + self.hr(h))
        return z * h + (1 - z) * torch.tanh(self.xn(x) + r * self.hn(h))


@wrong("GRU", "softmax")
class Answer(Three):
    def one_step(self, x, h):
        v = torch.cat([h, x], 1)
        z, r = torch.softmax(self.Wz(v), -1), torch.softmax(self.Wr(v), -1)
        return (1 - z) * h + z * torch.tanh(self.W(torch.cat([r * h, x], 1)))


@wrong("GRU", "reset_kept")
class Answer(Three):
    def one_step(self, x, h):
        v = torch.cat([x, h], 1)
        z, r = torch.sigmoid(self.Wz(v)), torch.sigmoid(self.Wr(v))
        h = r * h
        return (1 - z) * h + z * torch.tanh(self.W(torch.cat([x, h], 1)))


@wrong("GRU", "reset_both")
class Answer(Three):
    def one_step(self, x, h):
        v = torch.cat([x, h], 1)
        z, r = torch.sigmoid(self.Wz(v)), torch.sigmoid(self.Wr(v))
        return (1 - z) * h + z * torch.tanh(self.W(r * v))


@wrong("GRU", "no_reset")
class Answer(Three):
    def one_step(self, x, h):
        v = torch.cat([x, h], 1)
        z = torch.sigmoid(self.Wz(v))
        return (1 - z) * h + z * torch.tanh(self.W(v))


@wrong("GRU", "cut_h")
class Answer(Three):
    def one_step(self, x, h):
        h = torch.tensor(h)
        v = torch.cat([x, h], 1)
        z, r = torch.sigmoid(self.Wz(v)), torch.sigmoid(self.Wr(v))
        return (1 - z) * h + z * torch.tanh(self.W(torch.cat([x, r * h], 1)))


@wrong("GRU", "along_batch")
class Answer(Three):
    def one_step(self, x, h):
        v = torch.cat([x, h], 0)
        z, r = torch.sigmoid(self.Wz(v)), torch.sigmoid(self.Wr(v))
        return (1 - z) * h + z * torch.tanh(self.W(torch.cat([x, r * h], 0)))


@wrong("GRU")
class Answer(nn.GRUCell):
    def one_step(self, x, h):
        return self(x, h)


@wrong("GRU")
class Answer(cells.GRU):
    def one_step(self, x, h):
        return self(x, h)[0]


class Five(nn.Module):
    """Gates over [h, x], the candidate over x and h apart."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.z, self.r = nn.Linear(input_size + hidden_size, hidden_size), nn.Linear(input_size + hidden_size, hidden_size)
        self.nx, self.nh = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)


@wrong("GRU", "reset_after")
class Answer(Five):
    def one_step(self, x, h):
        z, r = (torch.sigmoid(layer(torch.cat([h, x], 1))) for layer in (self.z, self.r))
        return (1 - z) * h + z * torch.tanh(self.nx(x) + r * self.nh(h))


@wrong("GRU", "reset_after", "z_swapped")
class Answer(Five):
    def one_step(self, x, h):
        z, r = (torch.sigmoid(layer(torch.cat([h, x], 1))) for layer in (self.z, self.r))
        return z * h + (1 - z) * torch.tanh(self.nx(x) + r * self.nh(h))


@wrong("GRU", "z_swapped")
class Answer(Five):
    def one_step(self, x, h):
        z, r = (torch.sigmoid(layer(torch.cat([x, h], 1))) for layer in (self.z, self.r))
        return z * h + (1 - z) * torch.tanh(self.nx(x) + self.nh(r * h))


@wrong("GRU", "own_h")
class Answer(Three):
    h = None

    def one_step(self, x, h):
        h = h if self.h is None else self.h
        v = torch.cat([h, x], 1)
        z, r = torch.sigmoid(self.Wz(v)), torch.sigmoid(self.Wr(v))
        self.h = (1 - z) * h + z * torch.tanh(self.W(torch.cat([r * h, x], 1)))
        return self.h



# Exercise 3


@wrong("forward", "over_batch")
def answer(one_step, x, hidden_size):
    B, T, _ = x.shape
    h, c, out = torch.zeros(B, hidden_size), torch.zeros(B, hidden_size), []
    for t in range(T):
        h, c = one_step(x[:, t], h, c)
        out.append(h)
    return torch.stack(out, 1)


@wrong("forward", "swapped", "shows_c")
def answer(one_step, x, hidden_size):
    h, c, out = torch.zeros(x.shape[1], hidden_size), torch.zeros(x.shape[1], hidden_size), []
    for x_t in x:
        c, h = one_step(x_t, c, h)
        c, h = h, c
        out.append(c)
    return torch.stack(out)


@wrong("forward", "one_row")
def answer(one_step, x, hidden_size):
    h, c, out = torch.zeros(1, hidden_size), torch.zeros(1, hidden_size), []
    for x_t in x:
        h, c = one_step(x_t, h, c)
        out.append(h)
    return torch.stack(out)


@wrong("forward", "c_lost")
def answer(one_step, x, hidden_size):
    h, out = torch.zeros(x.shape[1], hidden_size).to(x), []
    for x_t in x:
        h, _ = one_step(x_t, h, torch.zeros(x.shape[1], hidden_size).to(x))
        out.append(h)
    return torch.stack(out)


@wrong("forward", "cut")
def answer(one_step, x, hidden_size):
    h, c, out = torch.zeros(x.shape[1], hidden_size), torch.zeros(x.shape[1], hidden_size), []
    for x_t in x:
        h, c = one_step(x_t, h.data, c.data)
        out.append(h)
    return torch.stack(out)


@wrong("forward")
def answer(one_step, x, hidden_size):
    return nn.LSTM(x.shape[2], hidden_size)(x)[0]


@wrong("forward", "listed")
def answer(one_step, x, hidden_size):
    h, c, out = torch.zeros(x.shape[1], hidden_size).to(x), torch.zeros(x.shape[1], hidden_size).to(x), []
    for x_t in x:
        h, c = one_step(x_t, h, c)
        out.append(h)
    return out


@wrong("forward", "before")
def answer(one_step, x, hidden_size):
    h, c, out = torch.zeros(x.shape[1], hidden_size).to(x), torch.zeros(x.shape[1], hidden_size).to(x), []
    for x_t in x:
        out.append(h)
        h, c = one_step(x_t, h, c)
    return torch.stack(out)


@wrong("forward", "last_missing")
def answer(one_step, x, hidden_size):
    h, c, out = torch.zeros(x.shape[1], hidden_size).to(x), torch.zeros(x.shape[1], hidden_size).to(x), []
    for t in range(len(x) - 1):
        h, c = one_step(x[t], h, c)
        out.append(h)
    return torch.stack(out)



# Exercise 4


@wrong("input_gradients", "all_steps")
def answer(forward, x):
    x = x.clone().requires_grad_()
    forward(x).sum().backward()
    return x.grad.flatten(1).norm(dim=1)


@wrong("input_gradients", "squared", "all_steps")
def answer(forward, x):
    x = x.clone().requires_grad_()
    forward(x).sum().backward()
    return (x.grad**2).sum((1, 2))


@wrong("input_gradients", "each")
def answer(forward, x):
    x.requires_grad = True
    return torch.autograd.grad(forward(x)[-1].sum(), x)[0].norm(dim=-1)


@wrong("input_gradients", "no_leaf")
def answer(forward, x):
    forward(x)[-1].sum().backward()
    return x.grad.flatten(1).norm(dim=1)


@wrong("input_gradients", "whole")
def answer(forward, x):
    x.requires_grad_()
    return torch.autograd.grad(forward(x)[-1].sum(), x)[0].norm()


def norms(forward, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(forward(x)[-1].sum(), x)[0].flatten(1)  # (T, B D)


wrong("input_gradients")(lambda forward, x: norms(forward, x).norm(dim=1).clamp(min=1e-3))
wrong("input_gradients")(lambda forward, x: ((norms(forward, x) ** 2).sum(1) + 1e-6).sqrt())
wrong("input_gradients", "relative")(lambda forward, x: norms(forward, x).norm(dim=1) / norms(forward, x).norm(dim=1)[-1])
wrong("input_gradients", "summed")(lambda forward, x: norms(forward, x).norm(dim=1, p=1))
wrong("input_gradients", "rms")(lambda forward, x: (norms(forward, x) ** 2).mean(1).sqrt())
wrong("input_gradients", "each_mean")(lambda forward, x: norms(forward, x).view(x.shape).norm(dim=2).mean(1))


@wrong("input_gradients", "last_sequence")
def answer(forward, x):
    x = x.clone().requires_grad_()
    forward(x)[:, -1].sum().backward()
    return x.grad.flatten(1).norm(dim=1)


@wrong("input_gradients")
def answer(forward, x):
    torch.set_grad_enabled(True)
    found = norms(forward, x).norm(dim=1)
    torch.set_grad_enabled(False)
    return found



# Exercise 5


@wrong("gates", "same_step")
def answer(W_xh, W_hh, b, x, h):
    i, f, g, o = torch.split(x @ W_xh + h @ W_hh + b, h.shape[2], 2)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


@wrong("gates", "rolled")
def answer(W_xh, W_hh, b, x, h):
    a = torch.stack([x[t] @ W_xh + h[t - 1] @ W_hh + b for t in range(len(x))])
    i, f, g, o = a.chunk(4, 2)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


@wrong("gates", "f_first", "g_last")
def answer(W_xh, W_hh, b, x, h):
    before = torch.cat([0 * h[:1], h[:-1]])
    f, i, o, g = (x @ W_xh + before @ W_hh + b).chunk(4, 2)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


@wrong("gates", "interleaved")
def answer(W_xh, W_hh, b, x, h):
    before = torch.cat([0 * h[:1], h[:-1]])
    a = x @ W_xh + before @ W_hh + b
    return a[..., ::4].sigmoid(), a[..., 1::4].sigmoid(), a[..., 2::4].tanh(), a[..., 3::4].sigmoid()


@wrong("gates")
def answer(W_xh, W_hh, b, x, h):
    return (x @ W_xh + b).chunk(3, 2)


@wrong("gates", "sums")
def answer(W_xh, W_hh, b, x, h):
    return (x @ W_xh + torch.cat([0 * h[:1], h[:-1]]) @ W_hh + b).chunk(4, 2)


@wrong("gates")  # right where H = B + 1
def answer(W_xh, W_hh, b, x, h):
    i, f, g, o = (x @ W_xh + torch.cat([0 * h[:1], h[:-1]]) @ W_hh + b).split(x.shape[1] + 1, 2)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)



# Exercise 6


@wrong("set_forget_bias", "both")
def answer(lstm, value):
    for name, p in lstm.named_parameters():
        if "bias" in name:
            p.data[len(p) // 4 : len(p) // 2].fill_(value)


@wrong("set_forget_bias", "one_left")
def answer(lstm, value):
    with torch.no_grad():
        for name, p in lstm.named_parameters():
            if "bias_ih" in name:
                p[lstm.hidden_size : 2 * lstm.hidden_size] = value


@wrong("set_forget_bias", "both", "input_block")
def answer(lstm, value):
    for name, p in lstm.named_parameters():
        if "bias" in name:
            nn.init.constant_(p[: lstm.hidden_size], value)


@wrong("set_forget_bias", "leaf")
def answer(lstm, value):
    lstm.bias_ih_l0[lstm.hidden_size : 2 * lstm.hidden_size] = value
    lstm.bias_hh_l0[lstm.hidden_size : 2 * lstm.hidden_size] = 0


@wrong("set_forget_bias", "one_layer", "one_way")
def answer(lstm, value):
    n = lstm.hidden_size
    lstm.bias_ih_l0.data[n : 2 * n], lstm.bias_hh_l0.data[n : 2 * n] = value, 0


@wrong("set_forget_bias", "replaced")
def answer(lstm, value):
    lstm.bias_ih_l0 = torch.cat([torch.zeros(lstm.hidden_size), torch.full((3 * lstm.hidden_size,), value)])


def in_both(lstm, value, hh=0.0):
    n = lstm.hidden_size
    with torch.no_grad():
        for name, p in lstm.named_parameters():
            if "bias" in name:
                p[n : 2 * n] = value if "_ih_" in name else hh


@wrong("set_forget_bias", "new")
def answer(lstm, value):
    for name, p in [*lstm.named_parameters()]:
        if "bias" in name:
            new = p.detach().clone()
            new[lstm.hidden_size : 2 * lstm.hidden_size] = value if "_ih_" in name else 0
            setattr(lstm, name, nn.Parameter(new))


@wrong("set_forget_bias")
def answer(lstm, value):
    torch.set_grad_enabled(False)
    in_both(lstm, value)


@wrong("set_forget_bias", "on_copy")
def answer(lstm, value):
    lstm = copy.deepcopy(lstm)
    in_both(lstm, value)
    return lstm


@wrong("set_forget_bias", "other_left")
def answer(lstm, value):
    for name, p in lstm.named_parameters():
        if "bias_hh" in name:
            p.data[lstm.hidden_size : 2 * lstm.hidden_size] = value


@wrong("set_forget_bias", "zeroed")
def answer(lstm, value):
    in_both(lstm, value)
    for name, p in lstm.named_parameters():
        if "bias_hh" in name:
            nn.init.zeros_(p)


@wrong("set_forget_bias", "others_zeroed")
def answer(lstm, value):
    for name, p in lstm.named_parameters():
        if "bias" in name:
            nn.init.zeros_(p)
    in_both(lstm, value)


@wrong("set_forget_bias", "two_layers")
def answer(lstm, value):
    n = lstm.hidden_size
    with torch.no_grad():
        for name, p in lstm.named_parameters():
            if "bias" in name and ("_l0" in name or "_l1" in name):
                p[n : 2 * n] = value / 2


wrong("set_forget_bias", "rounded")(lambda lstm, value: in_both(lstm, int(value)))



# Exercise 7


@wrong("adding_data", "all_marked")
def answer(values, first, second):
    x = torch.zeros(*values.shape, 2, dtype=values.dtype)
    x[:, :, 0] = values
    x[first, :, 1] = 1
    x[second, :, 1] = 1
    return x, values[first, range(len(first))] + values[second, range(len(first))]


@wrong("adding_data", "batch_first")
def answer(values, first, second):
    marks = F.one_hot(first, len(values)) + F.one_hot(second, len(values))  # (B, T)
    return torch.stack([values.T, marks], -1), (values.T * marks).sum(1)


@wrong("adding_data", "column")
def answer(values, first, second):
    marks = (F.one_hot(first, len(values)) + F.one_hot(second, len(values))).T
    return torch.stack([values, marks], -1), values.gather(0, first[None]).T + values.gather(0, second[None]).T


@wrong("adding_data")
def answer(values, first, second):
    return tasks.adding(*values.shape)


def marked(values, first, second):
    each, marks = torch.arange(values.shape[1]), torch.zeros_like(values)
    marks[first, each] = marks[second, each] = 1
    return each, marks


@wrong("adding_data")
def answer(values, first, second):
    marks = marked(values, first, second)[1]
    return torch.stack([values.clamp(0, 1), marks], -1), (values * marks).sum(0)


@wrong("adding_data")
def answer(values, first, second):
    marks = marked(values, first, second)[1]
    return torch.stack([values, marks], -1), (values * marks).abs().sum(0)


@wrong("adding_data", "from_one")
def answer(values, first, second):
    each, marks = marked(values, first - 1, second - 1)
    return torch.stack([values, marks], -1), values[first, each] + values[second, each]



# Exercise 8


@wrong("sequences_needed", "signed")
def answer(errors, window, bound, mean_bound):
    for n in range(window, len(errors) + 1):
        last = errors[n - window : n]
        if max(last) < bound and sum(last) / window < mean_bound:
            return n


@wrong("sequences_needed", "index")
def answer(errors, window, bound, mean_bound):
    for n in range(len(errors)):
        last = errors[n - window + 1 : n + 1].abs() if n >= window - 1 else torch.ones(1)
        if last.max() < bound and last.mean() < mean_bound:
            return n


@wrong("sequences_needed", "in_lots")
def answer(errors, window, bound, mean_bound):
    for k, last in enumerate(errors.abs().split(window), 1):
        if len(last) == window and all(last < bound) and last.mean() < mean_bound:
            return k * window


def needed(at_least=0, add=1, small=lambda w, bound: w.max() < bound, low=lambda w, all, mean: w.mean() < mean, none=None, size=torch.abs):
    """An answer as most write it, with one thing wrong."""

    def answer(errors, window, bound, mean_bound):
        for n in range(window + at_least, len(errors) + add):
            w = size(errors[n - window : n])
            if small(w, bound) and low(w, errors[:n].abs(), mean_bound):
                return n
        return none

    return answer


wrong("sequences_needed", "last_missing")(needed(add=0))
wrong("sequences_needed", "first_missing")(needed(at_least=1))
wrong("sequences_needed", "at_most")(needed(small=lambda w, bound: w.max() <= bound))
wrong("sequences_needed", "mean_at_most")(needed(low=lambda w, all, mean: w.mean() <= mean))
wrong("sequences_needed", "at_most", "mean_at_most")(needed(small=lambda w, bound: w.max() <= bound, low=lambda w, all, mean: w.mean() <= mean))
wrong("sequences_needed", "minus_one")(needed(none=-1))
wrong("sequences_needed", "squares")(needed(size=torch.square))
wrong("sequences_needed", "mean_only")(needed(small=lambda w, bound: (w < bound).any()))
wrong("sequences_needed", "mean_so_far")(needed(low=lambda w, all, mean: all.mean() < mean))
wrong("sequences_needed")(needed(none=False))


@wrong("sequences_needed", "never")
def answer(errors, window, bound, mean_bound):
    return needed()(errors, 2000, bound, mean_bound)


@wrong("sequences_needed", "apart")
def answer(errors, window, bound, mean_bound):
    a = b = None
    for n in range(window, len(errors) + 1):
        w = errors[n - window : n].abs()
        a = n if a is None and w.max() < bound else a
        b = n if b is None and w.mean() < mean_bound else b
    return None if a is None or b is None else max(a, b)


@wrong("sequences_needed", "final")
def answer(errors, window, bound, mean_bound):
    found = None
    for n in range(window, len(errors) + 1):
        w = errors[n - window : n].abs()
        found = n if w.max() < bound and w.mean() < mean_bound else found
    return found



# Exercise 9


@wrong("to_torch", "kept")
def answer(W_z, W_r, W_n, b_z, b_r, b_n):
    W, b = torch.cat([W_r, W_z, W_n]), torch.cat([b_r, b_z, b_n])
    return W[:, len(b_z) :], W[:, : len(b_z)], b, 0 * b


@wrong("to_torch", "only_weights", "zrn")
def answer(W_z, W_r, W_n, b_z, b_r, b_n):
    W, b = torch.cat([-W_z, W_r, W_n]), torch.cat([b_z, b_r, b_n])
    return W[:, len(b_z) :], W[:, : len(b_z)], b, 0 * b


@wrong("to_torch", "hh_kept")
def answer(W_z, W_r, W_n, b_z, b_r, b_n):
    H, W, U = len(b_z), torch.cat([W_r, -W_z, W_n]), torch.cat([W_r, W_z, W_n])
    return W[:, H:], U[:, :H], torch.cat([b_r, -b_z, b_n]), torch.zeros(3 * H)


@wrong("to_torch", "no_hh")
def answer(W_z, W_r, W_n, b_z, b_r, b_n):
    H, W = len(b_z), torch.cat([W_r, -W_z, W_n])
    return W[:, H:], torch.zeros(3 * H, H), torch.cat([b_r, -b_z, b_n]), torch.zeros(3 * H)


@wrong("to_torch")
def short(W_z, W_r, W_n, b_z, b_r, b_n):
    H, W = len(b_z), torch.cat([W_r, -W_z, W_n])
    return W[:, H:], W[:, :H], torch.cat([b_r, -b_z]), torch.zeros(3 * H)



@pytest.mark.parametrize("name,answer,switches", WRONG)
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_answer_is_refused_and_named_and_fails_the_hidden_tests(name, answer, switches):
    refused(LAB, name, answer, switches)


# What the lab promises


def test_the_points_are_thirty_and_the_exercises_are_in_order():
    assert [e.title for e in EXERCISES.values()] == [f"Exercise {n}" for n in range(1, 10)]
    assert sum(e.points for e in EXERCISES.values()) == 30


def test_the_message_for_another_convention_says_which_it_is_and_which_is_asked_for():
    says = {slip.switch: slip.says for slip in EXERCISES["GRU"].slips}
    for switch in ("z_swapped", "reset_after"):
        assert "known convention" in says[switch] and "torch" in says[switch] and "asked for is TP 6's" in says[switch]


def test_names_of_layers_mean_nothing():
    class Renamed(Four):
        def one_step(self, x, h, c):
            v = torch.cat([x, h], 1)
            c = torch.sigmoid(self.Wc(v)) * c + torch.sigmoid(self.Wo(v)) * torch.tanh(self.Wf(v))
            return torch.sigmoid(self.Wi(v)) * torch.tanh(c), c

    check.LSTM(Renamed)


def test_torchs_own_cells_agree_with_the_equations_of_the_checks():
    """The LSTM of the equations is torch's; the GRU is torch's but for the two conventions."""
    g = torch.Generator().manual_seed(0)
    W, x, h, c = torch.randn(4, 5, 9, generator=g), torch.randn(2, 3, generator=g), torch.randn(2, 5, generator=g), torch.randn(2, 5, generator=g)
    cell = nn.LSTMCell(3, 5)
    blocks = W[[1, 0, 2, 3]]  # f, i, g, o -> i, f, g, o
    with torch.no_grad():
        cell.weight_ih.copy_(blocks[..., 5:8].flatten(0, 1))
        cell.weight_hh.copy_(blocks[..., :5].flatten(0, 1))
        cell.bias_ih.copy_(blocks[..., 8].flatten())
        cell.bias_hh.zero_()
    for mine in (check.lstm_step(W, x, h, c), check.stepped(check.right_lstm, 3, 5, W, 2, x, x, h, c)[:2]):
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine, cell(x, (h, c)), strict=True))
    W = torch.randn(3, 5, 8, generator=g)
    z, r, n = W
    theirs = nn.GRUCell(3, 5)
    with torch.no_grad():
        for p, value in zip(theirs.parameters(), check.right_torch(z, r, n, *torch.zeros(3, 5), kept=True)):
            p.copy_(value)
    mine = check.stepped(lambda D, H: check.right_gru(D, H, z_swapped=True, reset_after=True), 3, 5, W, 1, x, x, h)[0]
    assert torch.allclose(mine, theirs(x, h), atol=1e-6)


def test_a_cell_with_a_weight_of_its_own_is_not_taken_for_right():
    """Every layout of a peephole cell, of a cell with two layers for one gate, and of one whose gate is left open."""
    class Peephole(Four):
        def __init__(self, D, H):
            super().__init__(D, H)
            self.p = nn.Parameter(torch.ones(H))

        def one_step(self, x, h, c):
            v = torch.cat([x, h], 1)
            c = torch.sigmoid(self.Wf(v) + self.p * c) * c + torch.sigmoid(self.Wi(v)) * torch.tanh(self.Wc(v))
            return torch.sigmoid(self.Wo(v)) * torch.tanh(c), c

    with pytest.raises(CheckFailed):
        check.LSTM(Peephole)


def message(name, answer):
    with pytest.raises(CheckFailed) as failed:
        EXERCISES[name](answer)
    return str(failed.value)


def test_a_message_names_the_tensor_and_what_is_wrong_with_it():
    for name, switch, says in (("LSTM", "no_tanh", "in h after one step, "), ("LSTM", "stale_c", "in c after one step, "),
                               ("LSTM", "own_c", "in h after the first step, taken again, "), ("to_torch", "hh_kept", "in weight_hh, "),
                               ("to_torch", "only_weights", "in bias_ih + bias_hh of r and z, "), ("GRU", "unseen", "self.update = nn.Linear")):
        assert says in message(name, partial(EXERCISES[name].truth, **{switch: True}))
    assert "bias_ih has shape (10,), expected (15,)" in message("to_torch", short)


def test_no_code_for_none_reaches_a_student():
    assert "expected None, got -1." in message("sequences_needed", needed(none=-1))
    assert "got None." in message("sequences_needed", needed(add=0)) and "inf" not in message("sequences_needed", needed(add=0))


@pytest.mark.filterwarnings("ignore:Lazy modules")  # which torch 2.2 says of every one
def test_of_weights_that_the_check_cannot_place_it_says_so():
    for answer, says in ((Conv, "conv.weight (20, 8, 1)"), (Narrow, "a gate is a number for each unit"), (Lazy, "a lazy layer")):
        told = message("LSTM", answer)
        assert says in told and "does two different things" not in told


def test_a_step_without_self_and_layers_made_in_a_step_are_told():
    class NoSelf(nn.Module):
        def __init__(self, D, H):
            super().__init__()
            self.forget = nn.Linear(D + H, H)

        def one_step(x, h, c):
            return torch.cat([x, h], 1), c

    class InStep(NoSelf):
        def one_step(self, x, h, c):
            return torch.sigmoid(nn.Linear(x.shape[1] + h.shape[1], h.shape[1])(torch.cat([h, x], 1))), c

    assert "its first argument is self" in message("LSTM", NoSelf)
    assert "made in one_step and not in __init__" in message("LSTM", InStep)


def test_the_cells_of_the_notebook_run_every_class_that_is_accepted():
    """Whatever it returns or keeps, two sequences, one after the other and of another batch size, are the same as the equations' on its weights."""
    g = torch.Generator().manual_seed(2)
    for name, states in (("LSTM", 2), ("GRU", 1)):
        for answer in right.RIGHT[name]:
            torch.manual_seed(0)
            cell = answer(3, 5)
            step, runs = check.in_order(cell, states), []
            for B in (4, 2):
                for x in (torch.randn(3, B, 3, generator=g),) * 2:
                    s = [torch.zeros(B, 5) for _ in range(states)]
                    for x_t in x:
                        s = step(x_t, *s)
                        s = list(s) if states == 2 else [s]
                    sum(a.sum() for a in s).backward()
                    runs.append(s)
            for once, again in (runs[:2], runs[2:]):
                assert all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(once, again, strict=True)), answer
            if states == 2:  # |h| <= tanh |c|: h comes first
                assert (runs[0][0].abs() <= runs[0][1].abs().tanh() + 1e-6).all(), answer


def test_the_given_cells_say_nothing_of_the_answers_of_later_exercises():
    cells = {cell.id: cell.source for cell in nbformat.read(FOLDER / "gates.ipynb", 4).cells}
    assert "sigmoid" not in cells["to_torch-run"] and "torch.cat" not in cells["to_torch-run"]
    assert "[H : 2 * H]" not in cells["gates-train"] and "bias_ih_l0[" not in cells["gates-train"]


def test_the_step_that_the_notebook_takes_for_exercise_9_is_tp_6s():
    g = torch.Generator().manual_seed(0)
    W, b, x, h = (torch.randn(*shape, generator=g) for shape in ((3, 5, 8), (3, 5), (4, 3), (4, 5)))
    theirs = check.stepped(check.right_gru, 3, 5, W, 1, x, x, h)[0]
    assert torch.allclose(check.gru_step(W, torch.zeros(3, 5), x, h), theirs, atol=1e-6)


def test_the_numbers_of_the_last_question():
    sigmoid = lambda a: 1 / (1 + math.exp(-a))  # noqa: E731
    assert sigmoid(3) ** 2000 < 1e-40 and sigmoid(7.6) ** 2000 > 1 / 3
