"""Right answers that look different; the checks have to accept every one."""

import math
from functools import reduce

import numpy as np
import torch
from torch import nn


# ---- Exercise 1
def norms_by_power(W, T):
    return [torch.linalg.matrix_norm(torch.linalg.matrix_power(W, t), ord=2).item() for t in range(T + 1)]


def norms_by_values(W, T):
    A, out = torch.eye(W.shape[0]).to(W), torch.zeros(T + 1, dtype=torch.float64)
    for t in range(T + 1):
        out[t] = torch.linalg.svdvals(A)[0]
        A = W @ A
    return out


def norms_in_numpy(W, T):
    W = W.numpy()
    return np.array([np.linalg.norm(np.linalg.matrix_power(W, t), 2) for t in range(T + 1)])


def norms_of_the_transpose(W, T):
    sizes, A = (torch.tensor(1.0),), W.T.clone()
    for _ in range(T):
        sizes += (torch.linalg.norm(A, 2),)
        A = torch.mm(A, W.T)
    return sizes


def norms_by_grams(W, T):
    powers = [torch.eye(len(W), dtype=W.dtype)]
    while len(powers) <= T:
        powers.append(powers[-1] @ W)
    return torch.stack([torch.linalg.eigvalsh((A.T @ A).double())[-1].clamp(min=0).sqrt() for A in powers])


# ---- Exercise 2
def radius_in_float(W):
    return max(abs(complex(z)) for z in torch.linalg.eigvals(W).tolist())


def radius_by_eig(W):
    values, _ = torch.linalg.eig(W)
    return torch.sqrt(values.real**2 + values.imag**2).max()


def radius_in_numpy(W):
    return np.abs(np.linalg.eigvals(W.numpy())).max()


def radius_of_the_transpose(W):
    return torch.linalg.eigvals(W.T).abs().sort(descending=True).values[0].item()


# ---- Exercise 3
def transient_full(n):
    return torch.eye(n) * 0.9 + torch.triu(torch.ones(n, n), diagonal=1)


def transient_in_numpy(n):
    return 0.88 * np.eye(n) + np.eye(n, k=1)


def transient_mixed(n):
    g = torch.Generator().manual_seed(0)
    signs = 2.0 * torch.randint(2, (n,), generator=g) - 1
    W = 0.85 * torch.eye(n) + torch.tril(torch.ones(n, n), -1)
    return signs[:, None] * W * signs  # the same map in other coordinates


def transient_turning(n):
    W = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        W[i, i] = -0.9 if i % 2 else -0.89
        for j in range(i):
            W[i, j] = -1
    return W.requires_grad_()


# ---- Exercise 4
def deltas_backwards(W_hh, h, direct):
    coming, out = torch.zeros_like(h[0]), []
    for t in reversed(range(h.shape[0])):
        delta = direct[t] + coming
        coming = (delta * (1 - h[t].pow(2))) @ W_hh.t()
        out.insert(0, delta)
    return torch.stack(out)


def deltas_by_jacobians(W_hh, h, direct):
    T, B, H = h.shape
    out = torch.zeros(T, B, H)
    for b in range(B):
        delta = direct[T - 1, b]
        out[T - 1, b] = delta
        for t in range(T - 2, -1, -1):
            J = torch.diag(1 - h[t + 1, b] ** 2) @ W_hh.T  # dh_{t+1}/dh_t, for columns
            delta = direct[t, b] + delta @ J
            out[t, b] = delta
    return out


def deltas_in_columns(W_hh, h, direct):
    delta = torch.empty_like(direct)
    delta[-1] = direct[-1]
    for t in range(len(h) - 1)[::-1]:
        delta[t] = direct[t] + (W_hh @ ((1 - h[t + 1] ** 2) * delta[t + 1]).T).T
    return delta


def deltas_over_all_paths(W_hh, h, direct):
    out = []
    for t in range(len(h)):
        total = direct[t].clone()
        for later in range(t + 1, len(h)):
            way = direct[later]
            for s in range(later, t, -1):
                way = torch.einsum("bj,ij->bi", way * (1 - h[s] * h[s]), W_hh)
            total += way
        out.append(total)
    return torch.stack(out, dim=0)


def deltas_in_numpy(W_hh, h, direct):
    W, h, delta = W_hh.numpy(), h.numpy(), direct.numpy().copy()
    for t in range(len(h) - 2, -1, -1):
        delta[t] = delta[t] + np.dot(delta[t + 1] * (1 - h[t + 1] ** 2), W.T)
    return delta


def deltas_in_place(W_hh, h, direct):
    for t in range(len(h) - 2, -1, -1):
        direct[t] += (direct[t + 1] * (1 + h[t + 1]) * (1 - h[t + 1])) @ W_hh.T
    return direct


class Deltas(nn.Module):
    def forward(self, W_hh, h, direct):
        padded = torch.cat([direct, torch.zeros_like(direct[:1])])
        slopes = torch.cat([1 - h**2, torch.ones_like(h[:1])])
        for t in range(len(h))[::-1]:
            padded[t] = padded[t] + torch.matmul(padded[t + 1] * slopes[t + 1], W_hh.transpose(0, 1))
        return padded[:-1]


# ---- Exercise 5
def weights_by_loop(x, h0, h, delta):
    dW_xh, dW_hh, db = torch.zeros(x.shape[2], h.shape[2]), torch.zeros(h.shape[2], h.shape[2]), torch.zeros(h.shape[2])
    for t in range(len(x)):
        da = delta[t] * (1 - h[t] ** 2)
        dW_xh += x[t].T @ da
        dW_hh += (h[t - 1] if t > 0 else h0).T @ da
        db += da.sum(0)
    return dW_xh, dW_hh, db


def weights_by_reshape(x, h0, h, delta):
    da = ((1 - h * h) * delta).reshape(-1, h.shape[-1])
    before = torch.vstack([h0.unsqueeze(0), h[:-1]]).reshape(-1, h.shape[-1])
    return [x.reshape(-1, x.shape[-1]).t() @ da, before.t() @ da, torch.sum(da, dim=0)]


def weights_by_outer(x, h0, h, delta):
    total = None
    for t in reversed(range(x.size(0))):
        for i in range(x.size(1)):
            a = delta[t, i] * (1 - h[t, i].square())
            past = h[t - 1, i] if t else h0[i]
            part = [torch.outer(x[t, i], a), torch.outer(past, a), a]
            total = part if total is None else [p + q for p, q in zip(total, part)]
    return tuple(total)


def weights_in_numpy(x, h0, h, delta):
    x, h0, h, delta = (a.numpy() for a in (x, h0, h, delta))
    a = delta * (1 - h**2)
    past = np.concatenate([h0[None], h[:-1]])
    return np.tensordot(x, a, ([0, 1], [0, 1])), np.einsum("tbi,tbj->ij", past, a), a.sum((0, 1))


def weights_by_bmm(x, h0, h, delta):
    a = delta - delta * h**2
    first = h0.T @ a[0]
    rest = torch.bmm(h[:-1].transpose(1, 2), a[1:]).sum(0)
    return torch.matmul(x.transpose(1, 2), a).sum(dim=0), first + rest, a.sum(dim=1).sum(dim=0)


# ---- Exercise 6
def numeric_in_place(f, theta, eps=1e-5):
    grad = torch.empty_like(theta)
    for i in np.ndindex(*theta.shape):
        old = theta[i].item()
        theta[i] = old + eps
        up = f(theta).item()
        theta[i] = old - eps
        down = f(theta).item()
        theta[i] = old
        grad[i] = (up - down) / (2 * eps)
    return grad


def numeric_by_index(f, theta, eps=1e-5):
    grad = torch.zeros(theta.shape)
    for index in np.ndindex(*theta.shape):
        plus, minus = theta.clone(), theta.clone()
        plus[index] += eps
        minus[index] -= eps
        grad[index] = (f(plus) - f(minus)) / (2 * eps)
    return grad


def numeric_by_eye(f, theta, eps=1e-5):
    moves = eps * torch.eye(theta.numel(), dtype=theta.dtype).view(-1, *theta.shape)
    return torch.stack([(f(theta + e) - f(theta - e)) / 2 / eps for e in moves]).reshape(theta.shape)


def numeric_in_numpy(f, theta, eps=1e-5):
    base, grad = theta.numpy().copy(), np.zeros(tuple(theta.shape))
    for i in np.ndindex(base.shape):
        up, down = base.copy(), base.copy()
        up[i], down[i] = up[i] + eps, down[i] - eps
        grad[i] = (f(torch.from_numpy(up)) - f(torch.tensor(down))) / (2 * eps)
    return grad


def numeric_and_back(f, theta, eps=1e-5):
    grad, flat = [], theta.reshape(-1).clone()
    with torch.no_grad():
        for i in range(len(flat)):
            flat[i] += eps
            up = f(flat.reshape(theta.size()))
            flat[i] -= 2 * eps
            down = f(flat.reshape(theta.size()))
            flat[i] += eps
            grad.append((up - down) * 0.5 / eps)
    return torch.tensor(grad).view_as(theta)


# ---- Exercise 7
def clip_with_stack(grads, max_norm):
    grads = [g for g in grads if g is not None]
    total = torch.norm(torch.stack([torch.norm(g) for g in grads]))
    if not torch.isfinite(total):
        raise ValueError("no clipping of this")
    if total > max_norm:
        for g in grads:
            g.mul_(max_norm / total)
    return total


def clip_like_torch(grads, max_norm):
    total = sum((g**2).sum() for g in grads if g is not None) ** 0.5
    if total.isnan() or total.isinf():
        raise ValueError(f"norm {total}")
    scale = torch.clamp(max_norm / (total + 1e-6), max=1.0)
    for g in grads:
        if g is not None:
            g.data.copy_(g.data * scale)
    return total.item()


def clip_one_vector(grads, max_norm):
    flat = torch.cat([g.reshape(-1) for g in grads if g is not None])
    norm = flat.norm().double()
    if norm != norm or norm == float("inf"):
        raise ValueError
    if norm >= max_norm:
        for i in range(len(grads)):
            if grads[i] is not None:
                grads[i][...] = grads[i] / norm * max_norm
    return norm


def clip_in_numpy(grads, max_norm):
    arrays = [g.numpy() for g in grads if g is not None]
    norm = np.sqrt(sum(np.sum(a.astype(np.float64) ** 2) for a in arrays))
    if not np.isfinite(norm):
        raise ValueError("not finite")
    for a in arrays:
        a *= min(1, max_norm / max(norm, 1e-12))
    return norm


# ---- Exercise 8
def truncated_at_ends(step, loss, x, h0, k, update):
    h, total, sums = h0, 0, []
    for t, x_t in enumerate(x):
        h = step(x_t, h)
        total = total + loss(h, t)
        if (t + 1) % k == 0 or t == len(x) - 1:
            total.backward()
            update()
            sums.append(total.detach())
            h, total = h.detach(), 0
    return torch.stack(sums)


def truncated_by_split(step, loss, x, h0, k, update):
    t, sums, h = 0, [], h0.clone()
    for window in torch.split(x, k):
        each = []
        for x_t in window:
            h = step(x_t, h)
            each.append(loss(h, t))
            t += 1
        L = torch.stack(each).sum()
        L.backward()
        update()
        h.detach_()
        sums.append(L.item())
    return np.array(sums)


def truncated_recursive(step, loss, x, h0, k, update, begin=0):
    if begin >= len(x):
        return []
    h, total = h0.data, torch.zeros(())
    for t in range(begin, min(begin + k, len(x))):
        h = step(x[t], h)
        total += loss(h, t)
    total.backward()
    update()
    return [total.item(), *truncated_recursive(step, loss, x, h, k, update, begin + k)]


def truncated_copying(step, loss, x, h0, k, update):
    T, sums, h = x.shape[0], [], torch.tensor(h0.tolist())
    for w in range((T + k - 1) // k):
        steps = range(w * k, T)[:k]
        states = [h]
        for t in steps:
            states.append(step(x[t], states[-1]))
        total = sum(loss(s, t) for s, t in zip(states[1:], steps))
        total.backward()
        update()
        with torch.no_grad():
            h = states[-1].clone()
        sums.append(total)
    return sums


def truncated_in_parts(step, loss, x, h0, k, update):
    h, sums = h0, []
    for begin in range(0, len(x), k):
        h, total = h.detach(), 0.0
        for t in range(begin, min(begin + k, len(x))):
            h = step(x[t], h)
            one = loss(h, t)
            one.backward(retain_graph=True)  # the gradients of a window add up
            total += one.item()
        update()
        sums.append(total)
    return sums


# ---- Exercise 9
def read(folder, tag):
    raise NotImplementedError("it is lent")


def bad_by_loop(folder):
    logged = dict(read(folder, "loss")), dict(read(folder, "norm"))
    for step in sorted({*logged[0], *logged[1]}):
        for values in logged:
            if step in values and not math.isfinite(values[step]):
                return step
    return None


def bad_with_torch(folder):
    points = read(folder, "loss") + read(folder, "norm")
    steps, values = torch.tensor([p[0] for p in points]), torch.tensor([p[1] for p in points])
    steps = steps[~values.isfinite()]
    return steps.min() if len(steps) else None


def bad_with_numpy(folder):
    firsts = []
    for tag in ["norm", "loss"]:
        array = np.array(read(folder, tag))
        wrong = np.isnan(array[:, 1]) | np.isinf(array[:, 1])
        if wrong.any():
            firsts.append(array[wrong.argmax(), 0])
    return min(firsts) if firsts else None


def bad_by_accumulator(folder):
    from tensorboard.backend.event_processing import event_accumulator
    log = event_accumulator.EventAccumulator(folder)
    log.Reload()
    events = sorted([*log.Scalars("loss"), *log.Scalars("norm")], key=lambda e: e.step)
    return next((e.step for e in events if e.value != e.value or abs(e.value) == float("inf")), None)


def bad_by_reduction(folder):
    both = read(folder, "loss") + read(folder, "norm")
    return reduce(lambda first, p: p[0] if p[1] - p[1] != 0 and (first is None or p[0] < first) else first, both, None)


RIGHT = {
    "power_norms": [norms_by_power, norms_by_values, norms_in_numpy, norms_of_the_transpose, norms_by_grams],
    "radius": [radius_in_float, radius_by_eig, radius_in_numpy, radius_of_the_transpose],
    "transient": [transient_full, transient_in_numpy, transient_mixed, transient_turning],
    "deltas": [deltas_backwards, deltas_by_jacobians, deltas_in_columns, deltas_over_all_paths, deltas_in_numpy, deltas_in_place, Deltas()],
    "weight_gradients": [weights_by_loop, weights_by_reshape, weights_by_outer, weights_in_numpy, weights_by_bmm],
    "numeric_gradient": [numeric_in_place, numeric_by_index, numeric_by_eye, numeric_in_numpy, numeric_and_back],
    "clip": [clip_with_stack, clip_like_torch, clip_one_vector, clip_in_numpy],
    "truncated": [truncated_at_ends, truncated_by_split, truncated_recursive, truncated_copying, truncated_in_parts],
    "first_bad": [bad_by_loop, bad_with_torch, bad_with_numpy, bad_by_accumulator, bad_by_reduction],
}
