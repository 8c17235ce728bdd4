"""Lab 2: wrong answers as students write them, and what the lab promises. What holds for all labs stands in test_labs.py."""

import math
import re
import warnings
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from torch import nn
from banks import hidden, modules, noting

from rnncourse import gradients, plots
from rnncourse.checks import CheckFailed, same

FOLDER = Path(__file__).parents[1] / "solutions" / "gradients"
LAB = modules("gradients")
check, right, EXERCISES = LAB.check, LAB.right, LAB.exercises
WRONG = []
wrong = noting(WRONG)


def read(folder, tag):
    raise NotImplementedError("it is lent")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# Exercise 1


@wrong("power_norms", "entries")
def answer(W, T):
    return [torch.linalg.matrix_norm(W**t, 2) for t in range(T + 1)]


@wrong("power_norms", "frobenius")
def answer(W, T):
    A, sizes = torch.eye(len(W), dtype=W.dtype), []
    for _ in range(T + 1):
        sizes.append(A.norm())
        A = A @ W
    return torch.stack(sizes)


@wrong("power_norms", "no_start")
def answer(W, T):
    A, sizes = W, []
    for _ in range(T):
        sizes.append(torch.linalg.norm(A, ord=2).item())
        A = A @ W
    return sizes


@wrong("power_norms", "short")
def answer(W, T):
    return torch.tensor([torch.linalg.matrix_norm(torch.linalg.matrix_power(W, t), 2) for t in range(T)])


@wrong("power_norms", "of_w", "frobenius")
def answer(W, T):
    return torch.norm(W) ** torch.arange(T + 1)


@wrong("power_norms", "of_radius")
def answer(W, T):
    return torch.linalg.eigvals(W).abs().max() ** torch.arange(T + 1)


@wrong("power_norms", "only_last")
def answer(W, T):
    return torch.linalg.matrix_norm(torch.linalg.matrix_power(W, T), 2)


@wrong("power_norms", "rows")
def answer(W, T):
    return [torch.linalg.matrix_power(W, t).abs().sum(1).max() for t in range(T + 1)]


@wrong("power_norms")
def answer(W, T):
    return [torch.linalg.matrix_norm(torch.linalg.matrix_power(W, t), "nuc") for t in range(T + 1)]


@wrong("power_norms")
def answer(W, T):
    return [[n] for n in check.right_norms(W, T)]


@wrong("power_norms")
def answer(W, T):
    A, sizes = torch.eye(len(W), dtype=W.dtype), torch.empty(T + 1)
    for t in range(T):
        sizes[t] = torch.linalg.matrix_norm(A, 2)
        A = A @ W
    return sizes


@wrong("power_norms")
def answer(W, T, sizes=[]):  # noqa: B006
    for t in range(T + 1):
        sizes.append(torch.linalg.matrix_norm(torch.linalg.matrix_power(W, t), 2).item())
    return sizes


@wrong("power_norms", "from_one")
def answer(W, T):
    A, sizes = torch.eye(len(W), dtype=W.dtype), []
    for _ in range(T + 1):
        A = A @ W
        sizes.append(torch.linalg.matrix_norm(A, 2))
    return sizes


@wrong("power_norms", "starred")
def answer(W, T):
    A, sizes = torch.eye(len(W), dtype=W.dtype), []
    for _ in range(T + 1):
        sizes.append(torch.linalg.matrix_norm(A, 2))
        A = A * W
    return sizes


@wrong("power_norms", "symmetric")
def answer(W, T):
    return [torch.linalg.eigvalsh(torch.linalg.matrix_power(W, t)).abs().max() for t in range(T + 1)]


# Exercise 2


@wrong("radius", "largest")
def answer(W):
    return max(torch.linalg.eigvals(W).real).item()


@wrong("radius", "real_part")
def answer(W):
    return abs(torch.linalg.eigvals(W).real).max()


@wrong("radius", "symmetric")
def answer(W):
    return torch.linalg.eigh(W)[0].abs().max()


@wrong("radius", "norm_of_w")
def answer(W):
    return torch.linalg.svdvals(W)[0]


@wrong("radius", "signed")
def answer(W):
    values = torch.linalg.eigvals(W)
    return values[torch.argmax(torch.abs(values))]


@wrong("radius")
def answer(W):
    return np.linalg.eigvals(W.numpy())[0].real


@wrong("radius")
def answer(W):
    values = torch.linalg.eigvals(W)
    return (values.real.abs() + values.imag.abs()).max()


@wrong("radius")
def answer(W):
    return gradients.spectral_radius(W)


@wrong("radius")
def answer(W):
    v = torch.ones(len(W), dtype=W.dtype)
    for _ in range(50):
        v = W @ v / (W @ v).norm()
    return (W @ v).norm()


@wrong("radius", "first")
def answer(W):
    return torch.linalg.eigvals(W).abs()[0]  # they come sorted, don't they?


@wrong("radius", "last")
def answer(W):
    return abs(torch.linalg.eigvals(W)[-1]).item()


@wrong("radius", "leading")
def answer(W):
    values = torch.linalg.eigvals(W)
    return values[values.abs().argmax()].real


@wrong("radius")
def answer(W):
    return round(torch.linalg.eigvals(W).abs().max().item(), 2)


# Exercise 3


@wrong("transient", "normal")
def answer(n):
    return 0.9 * torch.linalg.qr(torch.randn(n, n, generator=generator()))[0]


@wrong("transient", "normal")
def answer(n):
    A = torch.rand(n, n, generator=generator(), dtype=torch.float64) - 0.5
    A = A + A.T
    return 0.9 * A / torch.linalg.eigvalsh(A).abs().max()


@wrong("transient", "explodes")
def answer(n):
    return torch.eye(n) + torch.ones(n - 1).diag(1)


@wrong("transient", "explodes")
def answer(n):
    return torch.ones(n, n)


@wrong("transient", "explodes")
def answer(n):
    return 0.95 * torch.eye(n)


@wrong("transient", "tame")
def answer(n):
    return 0.5 * torch.eye(n) + torch.ones(n - 1).diag(1)


@wrong("transient", "tame")
def answer(n):
    W = torch.randn(n, n, generator=generator())
    return 0.9 * W / (3 * torch.linalg.eigvals(W).abs().max())


@wrong("transient", "huge")
def answer(n):
    W = 0.9 * torch.eye(n)
    W[0, 1] = 1000
    return W


@wrong("transient", "huge", "explodes")
def answer(n):
    return 2 * torch.eye(n) + torch.ones(n - 1).diag(1)


@wrong("transient", "sized")
def answer(n):
    return torch.tensor(0.9 * np.eye(5) + np.eye(5, k=1))


@wrong("transient")
def answer(n):
    return [[0.9, 1.0], [0.0, 0.9]]


@wrong("transient")
def answer(n):
    return torch.full((n, n), torch.nan)


@wrong("transient")
def answer(n):
    print(0.9 * torch.eye(n) + torch.ones(n - 1).diag(1))


@wrong("transient")
def answer(n):
    return check.right_transient(n)


@wrong("transient")
def answer(n):
    return 0.7 * torch.eye(n) + torch.ones(n - 1).diag(1)  # right from n = 7 on


@wrong("transient")
def answer(n):
    return (0.9 * torch.eye(n) + torch.ones(n - 1).diag(1)).to(torch.complex64)


# Exercise 4


def recursion(W_hh, h, direct, back):
    delta = direct.clone()
    for t in range(len(h) - 2, -1, -1):
        delta[t] = delta[t] + back(t, delta)
    return delta


def by(back, *switches):
    """A recursion with its own way back: ``back(W_hh, h, direct, t, delta)``."""
    wrong("deltas", *switches)(lambda W_hh, h, direct: recursion(W_hh, h, direct, lambda t, delta: back(W_hh, h, direct, t, delta)))


by(lambda W, h, direct, t, delta: (delta[t + 1] * (1 - h[t + 1] ** 2)) @ W, "not_turned")
by(lambda W, h, direct, t, delta: (delta[t + 1] * (1 - h[t] ** 2)) @ W.T, "wrong_step")
by(lambda W, h, direct, t, delta: (delta[t + 1] @ W.T) * (1 - h[t + 1] ** 2), "after")
by(lambda W, h, direct, t, delta: (delta[t + 1] @ W.T) * (1 - h[t] ** 2), "after", "wrong_step")
by(lambda W, h, direct, t, delta: (delta[t + 1] @ W) * (1 - h[t + 1] ** 2), "after", "not_turned")
by(lambda W, h, direct, t, delta: delta[t + 1] @ W.T, "no_tanh")
by(lambda W, h, direct, t, delta: (delta[t + 1] * (1 - torch.tanh(h[t + 1]) ** 2)) @ W.T, "tanh_twice")
by(lambda W, h, direct, t, delta: (delta[t + 1] * (1 - h[t + 1])) @ W.T, "unsquared")
by(lambda W, h, direct, t, delta: (delta[t + 1] * h[t + 1] * (1 - h[t + 1])) @ W.T, "sigmoid")
by(lambda W, h, direct, t, delta: (direct[t + 1] * (1 - h[t + 1] ** 2)) @ W.T, "one_path")
by(lambda W, h, direct, t, delta: delta[t + 1] * (1 - h[t + 1] ** 2), "no_matrix")
by(lambda W_hh, h, direct, t, delta: W_hh @ (delta[t + 1] * (1 - h[t + 1] ** 2)), "columns")
by(lambda W_hh, h, direct, t, delta: torch.matmul(W_hh.T, delta[t + 1] * (1 - h[t + 1] ** 2)), "columns")
by(lambda W, h, direct, t, delta: (delta[-1] * (1 - h[t + 1] ** 2)) @ W.T)
by(lambda W, h, direct, t, delta: ((delta[t + 1] * (1 - h[t + 1] ** 2)) @ W.T).detach().clamp(-1, 1))


@wrong("deltas", "no_last")
def answer(W_hh, h, direct):
    delta = torch.zeros_like(h)
    for t in range(len(h) - 2, -1, -1):
        delta[t] = direct[t] + (delta[t + 1] * (1 - h[t + 1] ** 2)) @ W_hh.T
    return delta


@wrong("deltas", "no_direct")
def answer(W_hh, h, direct):
    delta = torch.zeros_like(h)
    delta[-1] = direct[-1]
    for t in reversed(range(len(h) - 1)):
        delta[t] = (delta[t + 1] * (1 - h[t + 1] ** 2)) @ W_hh.T
    return delta


@wrong("deltas", "stops")
def answer(W_hh, h, direct):
    delta = direct.clone()
    for t in range(len(h) - 2, 0, -1):
        delta[t] += (delta[t + 1] * (1 - h[t + 1] ** 2)) @ W_hh.T
    return delta


@wrong("deltas", "flipped")
def answer(W_hh, h, direct):
    out = [direct[-1]]
    for t in range(len(h) - 2, -1, -1):
        out.append(direct[t] + (out[-1] * (1 - h[t + 1] ** 2)) @ W_hh.T)
    return torch.stack(out)


@wrong("deltas", "listed")
def answer(W_hh, h, direct):
    out = [direct[-1]]
    for t in range(len(h) - 2, -1, -1):
        out.insert(0, direct[t] + (out[0] * (1 - h[t + 1] ** 2)) @ W_hh.T)
    return out


@wrong("deltas", "local")
def answer(W_hh, h, direct):
    out, coming = torch.zeros_like(h), torch.zeros_like(h[0])
    for t in reversed(range(len(h))):
        out[t] = (direct[t] + coming) * (1 - h[t] ** 2)
        coming = out[t] @ W_hh.T
    return out


@wrong("deltas", "only_direct")
def answer(W_hh, h, direct):
    return direct


@wrong("deltas")
def answer(W_hh, h, direct):
    return gradients.recursion(W_hh, h, direct)


@wrong("deltas")
def answer(W_hh, h, direct):
    from rnncourse.gradients import recursion as mine
    return mine(W_hh, h, direct)


@wrong("deltas")
def answer(W_hh, h, direct):
    out, coming = [], torch.zeros_like(h[0])
    for t in reversed(range(len(h))):
        a = torch.atanh(h[t]).requires_grad_()
        out.insert(0, direct[t] + coming)
        coming = torch.autograd.grad(torch.tanh(a), a, out[0])[0] @ W_hh.T
    return torch.stack(out)


@wrong("deltas")
def answer(W_hh, h, direct):
    out, coming = [], torch.zeros_like(h[0])
    for t in reversed(range(len(h))):
        a = torch.atanh(h[t]).requires_grad_()
        out.insert(0, direct[t] + coming)
        torch.tanh(a).backward(out[0])
        coming = a.grad @ W_hh.T
    return torch.stack(out)


@wrong("deltas")
def answer(W_hh, h, direct):
    delta = direct.clone()
    for t in range(len(h) - 2, max(len(h) - 6, -1), -1):  # truncated after four steps
        delta[t] += (delta[t + 1] * (1 - h[t + 1] ** 2)) @ W_hh.T
    return delta


@wrong("deltas")
def answer(W_hh, h, direct):
    delta = direct.clone()
    for t in range(len(h) - 2, -1, -1):
        delta[t] += (delta[t + 1].squeeze() * (1 - h[t + 1] ** 2).squeeze()) @ W_hh.T
    return delta.squeeze()


class Keeps:
    def __init__(self):
        self.coming = None

    def __call__(self, W_hh, h, direct):
        out, coming = [], torch.zeros_like(h[0]) if self.coming is None or self.coming.shape != h[0].shape else self.coming
        for t in reversed(range(len(h))):
            out.insert(0, direct[t] + coming)
            coming = (out[0] * (1 - h[t] ** 2)) @ W_hh.T
        self.coming = coming
        return torch.stack(out)


wrong("deltas")(Keeps())


@wrong("deltas", "no_first")
def answer(W_hh, h, direct):
    delta = torch.zeros_like(h)
    delta[-1] = direct[-1]
    for t in range(len(h) - 2, 0, -1):
        delta[t] = direct[t] + (delta[t + 1] * (1 - h[t + 1] ** 2)) @ W_hh.T
    return delta


@wrong("deltas")
def answer(W_hh, h, direct):
    import torch.autograd.forward_ad as ad
    out, coming = [], torch.zeros_like(h[0])
    for t in reversed(range(len(h))):
        out.insert(0, direct[t] + coming)
        with ad.dual_level():
            slope = ad.unpack_dual(torch.tanh(ad.make_dual(torch.atanh(h[t]), torch.ones_like(h[t])))).tangent
        coming = (out[0] * slope) @ W_hh.T
    return torch.stack(out)


# Exercise 5


def sums(x, before, local, db=None):
    both = lambda a, b: torch.einsum("tbi,tbj->ij", a, b)  # noqa: E731
    return both(x, local), both(before, local), local.sum((0, 1)) if db is None else db


@wrong("weight_gradients", "now")
def answer(x, h0, h, delta):
    return sums(x, h, delta * (1 - h**2))


@wrong("weight_gradients", "zero_first")
def answer(x, h0, h, delta):
    local = delta * (1 - h**2)
    return torch.einsum("tbi,tbj->ij", x, local), torch.einsum("tbi,tbj->ij", h[:-1], local[1:]), local.sum((0, 1))


@wrong("weight_gradients", "no_tanh")
def answer(x, h0, h, delta):
    return sums(x, torch.cat([h0[None], h[:-1]]), delta)


@wrong("weight_gradients", "b_no_tanh")
def answer(x, h0, h, delta):
    return sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - h**2), delta.sum(0).sum(0))


@wrong("weight_gradients", "mean_batch")
def answer(x, h0, h, delta):
    return [g / x.shape[1] for g in sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - h**2))]


@wrong("weight_gradients", "mean_batch", "mean_steps")
def answer(x, h0, h, delta):
    return [g / x.shape[0] / x.shape[1] for g in sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - h**2))]


@wrong("weight_gradients", "last_only")
def answer(x, h0, h, delta):
    for t in range(len(x)):
        local = delta[t] * (1 - h[t] ** 2)
        dW_xh, dW_hh, db = x[t].T @ local, (h[t - 1] if t else h0).T @ local, local.sum(0)
    return dW_xh, dW_hh, db


@wrong("weight_gradients", "first_only")
def answer(x, h0, h, delta):
    for t in reversed(range(len(x))):
        local = delta[t] * (1 - h[t] ** 2)
        dW_xh, dW_hh, db = x[t].T @ local, (h[t - 1] if t else h0).T @ local, local.sum(0)
    return dW_xh, dW_hh, db


@wrong("weight_gradients", "turned")
def answer(x, h0, h, delta):
    local, before = delta * (1 - h**2), torch.cat([h0[None], h[:-1]])
    return torch.einsum("tbi,tbj->ij", local, x), torch.einsum("tbi,tbj->ij", local, before), local.sum((0, 1))


@wrong("weight_gradients", "swapped")
def answer(x, h0, h, delta):
    dW_xh, dW_hh, db = sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - h**2))
    return dW_hh, dW_xh, db


@wrong("weight_gradients", "b_batch")
def answer(x, h0, h, delta):
    local = delta * (1 - h**2)
    return sums(x, torch.cat([h0[None], h[:-1]]), local, local.sum(0))


@wrong("weight_gradients", "one_sequence")
def answer(x, h0, h, delta):
    return sums(x[:, :1], torch.cat([h0[None], h[:-1]])[:, :1], (delta * (1 - h**2))[:, :1])


@wrong("weight_gradients", "viewed")
def answer(x, h0, h, delta):
    local = (delta * (1 - h**2)).reshape(-1, h.shape[2])
    return x.view(-1, x.shape[2]).T @ local, torch.cat([h0[None], h[:-1]]).reshape(-1, h.shape[2]).T @ local, local.sum(0)


@wrong("weight_gradients", "viewed")
def answer(x, h0, h, delta):
    D, H = x.shape[2], h.shape[2]
    local, before = delta * (1 - h**2), torch.cat([h0[None], h[:-1]])
    return x.view(-1, D).T @ local.reshape(-1, H), before.reshape(-1, H).T @ local.reshape(-1, H), local.sum((0, 1))


@wrong("weight_gradients", "delta_viewed")
def answer(x, h0, h, delta):
    D, H = x.shape[2], h.shape[2]
    local, before = (delta * (1 - h**2)).view(-1, H), torch.cat([h0[None], h[:-1]])
    return x.reshape(-1, D).T @ local, before.reshape(-1, H).T @ local, local.sum(0)


@wrong("weight_gradients", "rolled")
def answer(x, h0, h, delta):
    return sums(x, h.roll(1, 0), delta * (1 - h**2))


@wrong("weight_gradients", "rolled")
def answer(x, h0, h, delta):
    local = delta * (1 - h**2)
    return sums(x, torch.stack([h[t - 1] for t in range(len(h))]), local)


@wrong("weight_gradients", "late")
def answer(x, h0, h, delta):
    return sums(x[1:], h[:-1], (delta * (1 - h**2))[1:])


@wrong("weight_gradients", "hh_turned")
def answer(x, h0, h, delta):
    dW_xh, dW_hh, db = sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - h**2))
    return dW_xh, dW_hh.T, db


@wrong("weight_gradients", "tanh_twice")
def answer(x, h0, h, delta):
    return sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - torch.tanh(h) ** 2))


@wrong("weight_gradients", "sigmoid")
def answer(x, h0, h, delta):
    return sums(x, torch.cat([h0[None], h[:-1]]), delta * h * (1 - h))


@wrong("weight_gradients")
def answer(x, h0, h, delta):
    local = delta * (1 - h**2)
    return gradients.summed_outer(x, local), gradients.summed_outer(torch.cat([h0[None], h[:-1]]), local), local.sum((0, 1))


@wrong("weight_gradients")
def answer(x, h0, h, delta):
    return sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - h**2))[:2]


@wrong("weight_gradients")
def answer(x, h0, h, delta):
    return dict(zip(("dW_xh", "dW_hh", "db"), sums(x, torch.cat([h0[None], h[:-1]]), delta * (1 - h**2))))


# Exercise 6


def one_by_one(f, theta, rise):
    grad = torch.zeros(theta.shape, dtype=theta.dtype)
    for i in np.ndindex(*theta.shape):
        step = torch.zeros(theta.shape, dtype=theta.dtype)
        step[i] = 1
        grad[i] = rise(step)
    return grad


@wrong("numeric_gradient", "ahead")
def answer(f, theta, eps=1e-5):
    return one_by_one(f, theta, lambda e: (f(theta + eps * e) - f(theta)) / eps)


@wrong("numeric_gradient", "not_halved")
def answer(f, theta, eps=1e-5):
    return one_by_one(f, theta, lambda e: (f(theta + eps * e) - f(theta - eps * e)) / eps)


@wrong("numeric_gradient", "fixed")
def answer(f, theta, eps=1e-5):
    return one_by_one(f, theta, lambda e: (f(theta + 1e-6 * e) - f(theta - 1e-6 * e)) / 2e-6)


@wrong("numeric_gradient", "rounded")
def answer(f, theta, eps=1e-5):
    theta = theta.float()
    return one_by_one(f, theta, lambda e: (f(theta + eps * e) - f(theta - eps * e)) / (2 * eps))


@wrong("numeric_gradient", "kept")
def answer(f, theta, eps=1e-5):
    grad = torch.zeros_like(theta)
    for i in np.ndindex(*theta.shape):
        theta[i] += eps
        up = f(theta)
        theta[i] -= 2 * eps
        grad[i] = (up - f(theta)) / (2 * eps)
    return grad


@wrong("numeric_gradient", "aliased")
def answer(f, theta, eps=1e-5):
    grad = torch.zeros_like(theta)
    for i in np.ndindex(*theta.shape):
        plus = minus = theta
        plus[i] += eps
        minus[i] -= eps
        grad[i] = (f(plus) - f(minus)) / (2 * eps)
    return grad


@wrong("numeric_gradient", "bracket")
def answer(f, theta, eps=1e-5):
    return one_by_one(f, theta, lambda e: (f(theta + eps * e) - f(theta - eps * e)) / 2 * eps)


@wrong("numeric_gradient", "moved")
def answer(f, theta, eps=1e-5):
    grad = torch.zeros_like(theta)
    for i in np.ndindex(*theta.shape):
        old = theta[i]  # a view
        theta[i] = old + eps
        up = f(theta)
        theta[i] = old - eps
        down = f(theta)
        theta[i] = old
        grad[i] = (up - down) / (2 * eps)
    return grad


@wrong("numeric_gradient", "moved")
def answer(f, theta, eps=1e-5):
    return one_by_one(f, theta, lambda e: (f(theta + eps * e) - f(theta)) / (2 * eps))


@wrong("numeric_gradient", "viewed")
def answer(f, theta, eps=1e-5):
    grad, flat = torch.zeros(theta.shape).double(), theta.view(-1)
    for i in range(len(flat)):
        old = flat[i].item()
        flat[i] = old + eps
        up = f(theta)
        flat[i] = old - eps
        down = f(theta)
        flat[i] = old
        grad.view(-1)[i] = (up - down) / (2 * eps)
    return grad


@wrong("numeric_gradient", "reshaped")
def answer(f, theta, eps=1e-5):
    grad, flat = torch.zeros(theta.shape).double(), theta.reshape(-1)
    for i in range(len(flat)):
        old = flat[i].item()
        flat[i] = old + eps
        up = f(theta)
        flat[i] = old - eps
        down = f(theta)
        flat[i] = old
        grad.view(-1)[i] = (up - down) / (2 * eps)
    return grad


@wrong("numeric_gradient")
def answer(f, theta, eps=1e-5):
    return gradients.norms(theta, f, theta)


@wrong("numeric_gradient")
def answer(f, theta, eps=1e-5):
    return torch.func.linearize(f, theta)[1]


@wrong("numeric_gradient", "rows")
def answer(f, theta, eps=1e-5):
    grad = torch.zeros_like(theta)
    for i in range(len(theta)):
        plus, minus = theta.clone(), theta.clone()
        plus[i] += eps
        minus[i] -= eps
        grad[i] = (f(plus) - f(minus)) / (2 * eps)
    return grad


@wrong("numeric_gradient", "together")
def answer(f, theta, eps=1e-5):
    return (f(theta + eps) - f(theta - eps)) / (2 * eps) * torch.ones_like(theta)


@wrong("numeric_gradient", "flat")
def answer(f, theta, eps=1e-5):
    eye = eps * torch.eye(theta.numel()).double()
    return torch.stack([(f(theta + e.view_as(theta)) - f(theta - e.view_as(theta))) / (2 * eps) for e in eye])


@wrong("numeric_gradient")
def answer(f, theta, eps=1e-5):
    return torch.stack([(f(t + eps) - f(t - eps)) / (2 * eps) for t in theta.flatten()]).view_as(theta)


@wrong("numeric_gradient")
def answer(f, theta, eps=1e-5):
    theta = theta.requires_grad_()
    return torch.autograd.grad(f(theta), theta)[0]


@wrong("numeric_gradient")
def answer(f, theta, eps=1e-5):
    grad, flat = torch.zeros_like(theta), theta.clone().flatten()
    for i in range(len(flat)):
        flat[i] += eps
        up = f(flat.view_as(theta))
        grad.view(-1)[i] = (up - f(theta)) / eps
    return grad


# Exercise 7


def known(grads):
    grads = [g for g in grads if g is not None]
    norm = torch.sqrt(sum((g**2).sum() for g in grads))
    if not torch.isfinite(norm):
        raise ValueError
    return grads, norm


@wrong("clip", "per_tensor")
def answer(grads, max_norm):
    grads, norm = known(grads)
    for g in grads:
        if g.norm() > max_norm:
            g *= max_norm / g.norm()
    return norm


@wrong("clip", "by_value")
def answer(grads, max_norm):
    grads, norm = known(grads)
    for g in grads:
        g.clamp_(min=-max_norm, max=max_norm)
    return norm


@wrong("clip", "always")
def answer(grads, max_norm):
    grads, norm = known(grads)
    for g in grads:
        g.mul_(max_norm / norm)
    return norm


@wrong("clip", "always_safe")
def answer(grads, max_norm):
    grads, norm = known(grads)
    for g in grads:
        g.mul_(max_norm / (norm + 1e-6))
    return norm


@wrong("clip", "always")
def answer(grads, max_norm):
    grads, norm = known(grads)
    norm = norm.item()
    for g in grads:
        g *= max_norm / norm  # ZeroDivisionError
    return norm


@wrong("clip", "by_zero")
def answer(grads, max_norm):
    grads, norm = known(grads)
    scale = min(1.0, max_norm / norm.item())
    for g in grads:
        g *= scale
    return norm


@wrong("clip", "other_error")
def answer(grads, max_norm):
    grads = [g for g in grads if g is not None]
    norm = torch.sqrt(sum((g**2).sum() for g in grads))
    assert torch.isfinite(norm)
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong("clip", "spoilt")
def answer(grads, max_norm):
    grads = [g for g in grads if g is not None]
    norm = torch.sqrt(sum((g**2).sum() for g in grads))
    if not norm <= max_norm:
        for g in grads:
            g *= max_norm / norm
    if not torch.isfinite(norm):
        raise ValueError
    return norm


@wrong("clip", "viewed")
def answer(grads, max_norm):
    norm = torch.cat([g.view(-1) for g in grads if g is not None]).norm()
    grads, norm = known(grads)
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong("clip")
def answer(grads, max_norm):
    grads, norm = known(grads)
    if norm > 2 * max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong("clip", "lecture")
def answer(grads, max_norm):
    grads, norm = known(grads)
    if norm > 1:
        for g in grads:
            g /= norm
    return norm


@wrong("clip", "unit")
def answer(grads, max_norm):
    grads, norm = known(grads)
    if norm > max_norm:
        for g in grads:
            g /= norm
    return norm


@wrong("clip", "lost")
def answer(grads, max_norm):
    grads, norm = known(grads)
    if norm > max_norm:
        for g in grads:
            g = g * max_norm / norm
    return norm


@wrong("clip", "lost")
def answer(grads, max_norm):
    _, norm = known(grads)
    for i, g in enumerate(grads):
        if g is not None and norm > max_norm:
            grads[i] = g * max_norm / norm
    return norm


@wrong("clip", "listed")
def answer(grads, max_norm):
    grads, norm = known(grads)
    return [g * min(1, max_norm / norm) for g in grads]


@wrong("clip", "squared")
def answer(grads, max_norm):
    grads, norm = known(grads)
    norm = norm**2
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong("clip", "sums")
def answer(grads, max_norm):
    grads, _ = known(grads)
    norm = sum(g.norm() for g in grads)
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong("clip", "after")
def answer(grads, max_norm):
    grads, norm = known(grads)
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return math.sqrt(sum((g**2).sum() for g in grads))


@wrong("clip", "none")
def answer(grads, max_norm):
    norm = torch.sqrt(sum((g**2).sum() for g in grads))
    if not torch.isfinite(norm):
        raise ValueError
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong("clip", "none", "unguarded")
def answer(grads, max_norm):
    norm = torch.cat([g.flatten() for g in grads]).norm()
    for g in grads:
        g *= min(1.0, max_norm / norm)
    return norm


@wrong("clip", "unguarded")
def answer(grads, max_norm):
    grads = [g for g in grads if g is not None]
    norm = torch.stack([g.norm() for g in grads]).norm()
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong("clip", "unguarded", "per_tensor")
def answer(grads, max_norm):
    grads = [g for g in grads if g is not None]
    norm = torch.stack([g.norm() for g in grads]).norm()
    for g in grads:
        g *= torch.clamp(max_norm / (g.norm() + 1e-6), max=1)
    return norm


@wrong("clip", "only_inf")
def answer(grads, max_norm):
    grads = [g for g in grads if g is not None]
    norm = torch.stack([g.norm() for g in grads]).norm().item()
    if norm == float("inf"):
        raise ValueError("infinite")
    for g in grads:
        g *= min(1.0, max_norm / (norm + 1e-9))
    return norm


@wrong("clip")
def answer(grads, max_norm):
    grads, norm = known(grads)
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm


@wrong("clip")
def answer(grads, max_norm):
    class P:
        pass
    params = []
    for g in grads:
        p = nn.Parameter(torch.zeros_like(g)) if g is not None else P()
        p.grad = g
        params.append(p)
    return nn.utils.clip_grad_norm_(params, max_norm)


@wrong("clip")
def answer(grads, max_norm):
    grads, norm = known(grads)
    if norm > max_norm:
        for g in grads[:-1]:
            g *= max_norm / norm
    return norm


# Exercise 8


def windows(T, k):
    return [(begin, min(begin + k, T)) for begin in range(0, T, k)]


@wrong("truncated", "no_detach")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        total = 0
        for t in range(begin, end):
            h = step(x[t], h)
            total = total + loss(h, t)
        total.backward()
        update()
        h.detach()  # and the result is lost
        losses.append(total.item())
    return losses


@wrong("truncated", "no_detach")
def answer(step, loss, x, h0, k, update):
    h, losses, total = h0, [], 0
    for begin, end in windows(len(x), k):
        for t in range(begin, end):
            h = step(x[t], h)
            total = total + loss(h, t)
        total.backward()
        update()
        h = h.detach()
        losses.append(total.item())
    return losses


@wrong("truncated", "retained")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        total = 0
        for t in range(begin, end):
            h = step(x[t], h)
            total = total + loss(h, t)
        total.backward(retain_graph=True)
        update()
        losses.append(total.item())
    return losses


@wrong("truncated", "each")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        total = 0
        for t in range(begin, end):
            h = step(x[t], h)
            total = total + loss(h, t)
            h = h.detach()
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated", "reset")
def answer(step, loss, x, h0, k, update):
    losses = []
    for begin, end in windows(len(x), k):
        h, total = h0, 0
        for t in range(begin, end):
            h = step(x[t], h)
            total = total + loss(h, t)
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated", "tail")
def answer(step, loss, x, h0, k, update):
    h, losses, total = h0, [], 0
    for t in range(len(x)):
        h = step(x[t], h)
        total = total + loss(h, t)
        if (t + 1) % k == 0:
            total.backward()
            update()
            losses.append(total.item())
            h, total = h.detach(), 0
    return losses


@wrong("truncated", "offset")
def answer(step, loss, x, h0, k, update):
    h, losses, total = h0, [], 0
    for t in range(len(x)):
        h = step(x[t], h)
        total = total + loss(h, t)
        if t % k == 0 or t == len(x) - 1:
            total.backward()
            update()
            losses.append(total.item())
            h, total = h.detach(), 0
    return losses


@wrong("truncated", "offset", "tail")
def answer(step, loss, x, h0, k, update):
    h, losses, total = h0, [], 0
    for t in range(len(x)):
        h = step(x[t], h)
        total = total + loss(h, t)
        if t % k == 0:
            total.backward()
            update()
            losses.append(total.item())
            h, total = h.detach(), 0
    return losses


@wrong("truncated", "early")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        total = 0
        for t in range(begin, end):
            h = step(x[t], h)
            if t == end - 1:
                h = h.detach()
            total = total + loss(h, t)
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated", "mean")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        h, each = h.detach(), []
        for t in range(begin, end):
            h = step(x[t], h)
            each.append(loss(h, t))
        total = torch.stack(each).mean()
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated", "local_time")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for window in x.split(k):
        h, total = h.detach(), 0
        for t, x_t in enumerate(window):
            h = step(x_t, h)
            total = total + loss(h, t)
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated", "last_only")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        h = h.detach()
        for t in range(begin, end):
            h = step(x[t], h)
        total = loss(h, end - 1)
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated", "whole")
def answer(step, loss, x, h0, k, update):
    h, total = h0, 0
    for t, x_t in enumerate(x):
        h = step(x_t, h)
        total = total + loss(h, t)
    total.backward()
    update()
    return [total.item()]


@wrong("truncated", "total_only")
def answer(step, loss, x, h0, k, update):
    return sum(right.truncated_recursive(step, loss, x, h0, k, update))


@wrong("truncated", "premature")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        h, total = h.detach(), 0
        for t in range(begin, end):
            h = step(x[t], h)
            total = total + loss(h, t)
        update()
        total.backward()
        losses.append(total.item())
    return losses


@wrong("truncated", "stale")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        h, total = h.detach(), 0
        for t in range(begin, end):
            total = total + loss(h, t)
            h = step(x[t], h)
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated")
def answer(step, loss, x, h0, k, update):
    right.truncated_recursive(step, loss, x, h0, k, update)


@wrong("truncated")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin in range(len(x) - k + 1):  # windows that overlap
        h, total = h.detach(), 0
        for t in range(begin, begin + k):
            h = step(x[t], h)
            total = total + loss(h, t)
        total.backward()
        update()
        losses.append(total.item())
    return losses


@wrong("truncated")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        h = h.detach()
        for t in range(begin, end):  # a backward pass for each step
            h = step(x[t], h)
            one = loss(h, t)
            one.backward(retain_graph=True)
            update()
        losses.append(one.item())
    return losses


@wrong("truncated", "late")
def answer(step, loss, x, h0, k, update):
    h, totals = h0, []
    for begin, end in windows(len(x), k):
        h, total = h.detach(), 0
        for t in range(begin, end):
            h = step(x[t], h)
            total = total + loss(h, t)
        totals.append(total)
    for total in totals:
        total.backward()
        update()
    return [total.item() for total in totals]


@wrong("truncated", "recomputed")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        s, total = h, 0
        for t in range(begin, end):
            s = step(x[t], s)
            total = total + loss(s, t)
        total.backward()
        update()
        losses.append(total.item())
        with torch.no_grad():
            for t in range(begin, end):
                h = step(x[t], h)
    return losses


@wrong("truncated", "stepwise")
def answer(step, loss, x, h0, k, update):
    h, losses = h0, []
    for begin, end in windows(len(x), k):
        total = 0
        for t in range(begin, end):
            h = step(x[t], h.detach())
            one = loss(h, t)
            one.backward()
            update()
            total += one.item()
        losses.append(total)
    return losses


@wrong("truncated")
def answer(step, loss, x, h0, k, update):
    losses = right.truncated_recursive(step, loss, x, h0, k, update)
    update()
    return losses


# Exercise 9


@wrong("first_bad", "only_nan")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if v != v], default=None)


@wrong("first_bad", "only_nan", "empty")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if math.isnan(v)])


@wrong("first_bad", "only_inf")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if math.isinf(v)], default=None)


@wrong("first_bad", "plus_inf")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if v == float("inf") or math.isnan(v)], default=None)


@wrong("first_bad", "index")
def answer(folder):
    return min([i for tag in ("loss", "norm") for i, (_, v) in enumerate(read(folder, tag)) if not math.isfinite(v)], default=None)


@wrong("first_bad", "only_loss")
def answer(folder):
    return next((s for s, v in read(folder, "loss") if not math.isfinite(v)), None)


@wrong("first_bad", "later")
def answer(folder):
    firsts = [next((s for s, v in read(folder, tag) if not math.isfinite(v)), None) for tag in ("loss", "norm")]
    return max([s for s in firsts if s is not None], default=None)


@wrong("first_bad", "falsy")
def answer(folder):
    firsts = [next((s for s, v in read(folder, tag) if not math.isfinite(v)), None) for tag in ("loss", "norm")]
    return min([s for s in firsts if s], default=None)


@wrong("first_bad", "empty")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if not math.isfinite(v)])


@wrong("first_bad", "minus_one")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if not math.isfinite(v)], default=-1)


@wrong("first_bad", "last")
def answer(folder):
    return max([s for tag in ("loss", "norm") for s, v in read(folder, tag) if not math.isfinite(v)], default=None)


@wrong("first_bad", "paired")
def answer(folder):
    for (s, a), (_, b) in zip(read(folder, "loss"), read(folder, "norm")):  # the two need not be logged at the same steps
        if not (math.isfinite(a) and math.isfinite(b)):
            return s


@wrong("first_bad", "joined")
def answer(folder):
    norms = dict(read(folder, "norm"))
    for s, a in read(folder, "loss"):
        if s in norms and not (math.isfinite(a) and math.isfinite(norms[s])):
            return s


@wrong("first_bad", "loss_first")
def answer(folder):
    for tag in ("loss", "norm"):
        for s, v in read(folder, tag):
            if not math.isfinite(v):
                return s


@wrong("first_bad", "norm_first")
def answer(folder):
    for tag in ("norm", "loss"):
        for s, v in read(folder, tag):
            if not math.isfinite(v):
                return s


@wrong("first_bad", "zero")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if not math.isfinite(v)], default=0)


@wrong("first_bad", "huge")
def answer(folder):
    return min([s for tag in ("loss", "norm") for s, v in read(folder, tag) if not abs(v) < 1e30], default=None)


@wrong("first_bad", "falsy")
def answer(folder):
    best = None
    for tag in ("loss", "norm"):
        for s, v in read(folder, tag):
            if not math.isfinite(v) and (not best or s < best):
                best = s
                break
    return best or None


@wrong("first_bad")
def answer(folder):
    return next((p for tag in ("loss", "norm") for p in read(folder, tag) if not math.isfinite(p[1])), None)


@wrong("first_bad")
def answer(folder):
    return [60, 50, 90, 77, None, 40, 0, 25, 40]


# The tests


@pytest.mark.parametrize("name,answer,switches", WRONG)
def test_a_students_wrong_answer_is_refused_and_named_where_it_is_known(name, answer, switches):
    exercise = EXERCISES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CheckFailed) as failed:
            exercise(answer)
    named = {slip.switch for slip in exercise.slips if slip.says in str(failed.value)}
    assert named == switches, str(failed.value)


@pytest.mark.parametrize("name,answer,switches", WRONG)
def test_the_hidden_tests_refuse_it_too(name, answer, switches):
    exercise = EXERCISES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not all(same(mine, known, exercise.atol) for mine, known in zip(*(hidden(LAB, name, f, 5) for f in (answer, exercise.truth)), strict=True))


@pytest.mark.parametrize("name,axis", [("deltas", 1), ("weight_gradients", 0), ("truncated", 0)])
def test_no_axis_passes_for_another_and_a_batch_of_one_and_a_single_step_are_tried(name, axis):
    shapes = [case[axis].shape for case in EXERCISES[name].cases(generator())]
    assert shapes[0] == shapes[1] and all(1 in shape or len({*shape}) == 3 for shape in shapes)
    assert {1} <= {shape[0] for shape in shapes} and {1} <= {shape[1] for shape in shapes}


def test_a_gradient_may_lie_in_memory_as_it_likes_and_have_either_precision():
    for name, place in (("deltas", 1), ("weight_gradients", 0), ("weight_gradients", 2)):
        tensors = [case[place] for case in EXERCISES[name].cases(generator())]
        assert not all(a.is_contiguous() for a in tensors) and {a.dtype for a in tensors} == {torch.float32, torch.float64}


def test_a_point_and_a_gradient_may_be_transposed_too():
    assert not all(theta.is_contiguous() for theta, *_ in check.numeric_gradient.cases(generator()))
    assert not all(g is None or g.is_contiguous() for grads, _ in check.clip.cases(generator()) for g in grads)
    assert not all(delta.is_contiguous() for *_, delta in check.weight_gradients.cases(generator()))


@pytest.mark.parametrize("seed", range(5))
def test_the_eigenvalue_that_leads_stands_neither_first_nor_last(seed):
    for (W,) in check.radius.cases(generator(seed))[:2]:
        sizes = torch.linalg.eigvals(W).abs()
        assert sizes[[0, -1]].max() < 0.9 * sizes.max()


def test_a_long_log_is_read_whole(tmp_path):
    folder = check.logged(*(("loss", step, math.nan if step == 77 else 1.0) for step in range(10500)))
    assert len(check.read(folder, "loss")) == 10500 and [s for s, v in check.read(folder, "loss") if v != v] == [77]
    assert 'size_guidance={"scalars": 0}' in text()["read"]


def test_updates_move_the_weights_in_some_cases_and_in_all_hidden_ones():
    assert {case[-1] for case in check.truncated.cases(generator())} == {0.0, 0.01}
    assert check.truncated.cases(generator())[0][-1] == 0.0


def test_windows_of_every_kind_are_tried():
    kinds = [(len(case[0]), case[-2]) for case in check.truncated.cases(generator())]
    for kind in (lambda T, k: T % k, lambda T, k: T == k, lambda T, k: k > T, lambda T, k: k == 1 < T):
        assert any(kind(T, k) for T, k in kinds)


@pytest.mark.parametrize("seed", range(5))
def test_the_right_functions_are_those_of_the_package_and_of_autograd(seed):
    W_hh, h, direct = check.deltas.cases(generator(seed))[-1]
    assert torch.allclose(check.right_deltas(W_hh, h, direct), gradients.recursion(W_hh, h, direct), atol=1e-12)
    grads, max_norm = check.clip.cases(generator(seed))[0]
    mine, theirs = [g.clone() for g in grads], [nn.Parameter(torch.zeros_like(g)) for g in grads]
    for p, g in zip(theirs, grads):
        p.grad = g.clone()
    assert math.isclose(check.right_clip(mine, max_norm), gradients.clip(theirs, max_norm), rel_tol=1e-6)
    assert all(torch.allclose(g, p.grad, atol=1e-6) for g, p in zip(mine, theirs))
    x, h0, _, _ = check.weight_gradients.cases(generator(seed))[-1]
    T, B, D = x.shape
    leaves = [torch.randn(shape, generator=generator(seed), dtype=x.dtype).requires_grad_() for shape in ((D, 2), (2, 2), (2,))]
    h = [h0]
    for x_t in x:
        h.append(torch.tanh(x_t @ leaves[0] + h[-1] @ leaves[1] + leaves[2]))
    h, direct = torch.stack(h[1:]), torch.randn(T, B, 2, generator=generator(seed), dtype=x.dtype)
    wanted = torch.autograd.grad((h * direct).sum(), leaves)
    mine = check.right_weights(x, h0, h.detach(), check.right_deltas(leaves[1].detach(), h.detach(), direct))
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(mine, wanted))


@pytest.mark.parametrize("name,answer,says", [
    ("power_norms", lambda W, T: [1.0] * T, "it has 6 numbers, expected 7"),
    ("radius", lambda W: torch.linalg.eigvals(W)[:1] + 1j, "it returned a complex number, expected a real one"),
    ("transient", lambda n: torch.eye(n)[:2], "it returned a tensor of shape (2, 6) for n = 6, expected (6, 6)"),
    ("deltas", Keeps(), "Called twice with the same arguments"),
    ("deltas", lambda W_hh, h, direct: check.right_deltas(W_hh, h, direct), "the check's right_deltas is not to be used here"),
    ("numeric_gradient", lambda f, theta, eps: f(theta.flatten()), "f(theta) expects a tensor of shape (2, 3), got (6,)"),
    ("clip", lambda grads, max_norm: (grads, 1.0), "it returned a tuple of 2 things, expected a number"),
    ("truncated", lambda step, loss, x, h0, k, update: [step(x, h0)], "step(x_t, h) expects (3, 2) and (3, 4), got (7, 3, 2) and (3, 4)"),
    ("truncated", lambda step, loss, x, h0, k, update: None, "is a return missing?"),
    ("first_bad", lambda folder: "60", "it returned a str, expected a step or None"),
    ("first_bad", lambda folder: None, ", got None."),
    ("transient", lambda n: 0.7 * torch.eye(n) + torch.ones(n - 1).diag(1), "With n = 6: no power of W has a norm of 100 or more."),
    ("transient", lambda n: torch.ones(n, n).cfloat(), "it returned a complex matrix"),
    ("clip", partial(check.right_clip, unguarded=True), "the norm is infinite or NaN, and it raised no ValueError."),
    ("clip", partial(check.right_clip, none=True), "it raised an error where an entry of grads is None."),
    ("truncated", partial(check.right_truncated, no_update=True), "the number of updates: expected 3, got 0."),
    ("truncated", partial(check.right_truncated, stepwise=True), "the number of updates: expected 3, got 7."),
])  # fmt: skip
def test_a_message_says_what_is_there_and_what_is_expected(name, answer, says):
    with pytest.raises(CheckFailed) as failed:
        EXERCISES[name](answer)
    assert says in str(failed.value)


@pytest.mark.parametrize("name,answer,switches", WRONG)
def test_no_message_shows_what_stands_for_something_else(name, answer, switches):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CheckFailed) as failed:
            EXERCISES[name](answer)
    says = str(failed.value)
    assert "the = " not in says and "property" not in says
    assert not (name in ("clip", "first_bad", "transient") and re.search(r"the (norm|step): .*(got|expected) (-[2-9]|nan)", says)), says


def test_clipping_in_place_is_not_held_against_who_does_it(capsys):
    check.clip(right.clip_with_stack)
    check.numeric_gradient(right.numeric_in_place)
    assert capsys.readouterr().out == "Exercise 7: right, 3 points\nExercise 6: right, 3 points\n"


def test_a_log_is_written_once_and_read_as_it_was():
    points = (("loss", 0, 1.0), ("loss", 10, math.nan), ("norm", 5, math.inf))
    folder = check.logged(*points)
    assert check.logged(*points) == folder and [s for s, _ in check.read(folder, "loss")] == [0, 10]
    assert check.read(folder, "norm") == [(5, math.inf)] and math.isnan(check.read(folder, "loss")[1][1])


VARIANTS = {  # right answers in other clothes, for the cells that use them
    "arrays": {"power_norms": right.norms_in_numpy, "radius": right.radius_in_numpy, "transient": right.transient_in_numpy,
               "deltas": right.deltas_in_numpy, "weight_gradients": right.weights_in_numpy, "numeric_gradient": right.numeric_in_numpy},
    "float32": {"power_norms": right.norms_by_power, "radius": lambda W: right.radius_by_eig(W)[None],
                "transient": right.transient_turning, "deltas": right.deltas_by_jacobians, "weight_gradients": right.weights_by_loop,
                "numeric_gradient": right.numeric_by_index},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_cells_take_whatever_the_checks_take(variant, monkeypatch, capsys):
    for name, answer in VARIANTS[variant].items():
        EXERCISES[name](answer)
    shown, space = [], {}
    monkeypatch.setattr(plots, "show", lambda *_, **more: shown.append(more))
    for cell in nbformat.read(FOLDER / "gradients.ipynb", as_version=4).cells:
        if cell.id == "clip-text":
            break
        if cell.id in VARIANTS[variant]:
            space[cell.id] = VARIANTS[variant][cell.id]
        elif cell.cell_type == "code" and "check" not in cell.metadata.tags:
            exec(cell.source.replace("import check\n", "").replace("updates=300", "updates=3"), space)
    assert len(shown) == 4 and "to four digits: True" in capsys.readouterr().out
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(False)


def text():
    return {cell.id: cell.source for cell in nbformat.read(FOLDER / "gradients.ipynb", as_version=4).cells}


def test_the_core_is_60_percent_of_30_points_and_the_table_says_the_same():
    titles = [re.match(r"# (Exercise \d+): (.+) \((\d+) points, (core|more)\)", source) for source in text().values()]
    points = {title[1]: (title[2], int(title[3]), title[4]) for title in titles if title}
    table = {f"Exercise {n}": (name, int(p), part) for n, name, p, part in
             re.findall(r"^\| (\d) (.+) \| (\d) \| (core|more) \|$", text()["gradients-lab"], re.M)}
    assert points == table == {e.title: (points[e.title][0], e.points, points[e.title][2]) for e in EXERCISES.values()}
    assert sum(p for _, p, _ in points.values()) == 30 and sum(p for _, p, part in points.values() if part == "core") == 18


def test_the_text_of_an_exercise_says_what_is_forbidden():
    said = text()
    for name, exercise in EXERCISES.items():
        where = said["checks"] if name in ("deltas", "weight_gradients", "numeric_gradient") else said[f"{name}-text"]
        for module in {n.rpartition(".")[0] for n in exercise.forbids} - {"torch.autograd.functional", "torch.autograd.forward_ad"}:
            assert module in where, (name, module)
    assert {f"rnncourse.gradients.{f}" for f in ("recursion", "summed_outer", "bptt", "through_time")} <= {*check.deltas.forbids}


def test_a_planted_mistake_of_the_lab_is_the_one_that_it_names():
    said = text()
    seen = []
    space = {"torch": torch, "weight_gradients": lambda x, h0, h, delta: [delta],
             "deltas": lambda W, h, direct: seen.append((W, h, direct)) or h.float().numpy()}  # an array will do, and float32
    exec("import functools\nimport torch.nn.functional as F\nfrom rnncourse import tasks\n" + said["given"] + "\n\n" + said["by-hand"], space)
    x, targets = torch.randn(4, 3, 1).double(), torch.randint(2, (4, 3))
    weights = space["draw"](H=5)
    assert space["by_hand"](x, targets, weights)[1][0].dtype == torch.float64
    W, h, direct = seen.pop()
    for plant, turned, moved, cut in (("W_hh turned round", 1, 0, 0), ("slope one step early", 0, 1, 0), ("last loss forgotten", 0, 0, 1)):
        assert f'"{plant}"' in said["by-hand"] and f'"{plant}"' in said["numeric_gradient-run"]
        space["by_hand"](x, targets, weights, plant)
        other = seen.pop()
        assert [torch.equal(a, b) for a, b in zip(other, (W, h, direct))] == [not turned, not moved, not cut]
        assert not moved or torch.equal(other[1][1:], h[:-1])
