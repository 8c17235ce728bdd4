"""Gradients through time: by autograd and by hand, their norm at each step, the Jacobians they pass, clipping."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from .cells import RNN, expect
from .unfold import Cell, unfold


def through_time(cell: Cell, x: Tensor, loss: Callable[[Tensor], Tensor], s: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The gradient dE/dh_t at every step, by autograd.

    Parameters
    ----------
    cell : Cell
        A cell whose state is its output, such as `rnncourse.cells.RNN`.
    x : Tensor, shape (T, B, D)
    loss : callable
        (T, B, H) -> scalar E.
    s : Tensor, shape (B, H), optional
        State before the first step; zeros if None.

    Returns
    -------
    h : Tensor, shape (T, B, H)
        The states, detached.
    delta : Tensor, shape (T, B, H)
        ``delta[t]`` is the whole derivative of E by h_t: over every path from h_t to E, not the direct one alone.

    Raises
    ------
    ValueError
        If the loss is not a scalar.
    """
    s = cell.start(x) if s is None else s
    h = []
    for p_t in cell.inputs(x).unbind(0):  # p_t: (B, H)
        s = cell.step(p_t, s)[1]
        s = s if s.requires_grad else s.requires_grad_()
        h.append(s)
    E = loss(torch.stack(h))
    expect(E.dim() == 0, "loss", "a function that returns a scalar", tuple(E.shape))
    delta = torch.autograd.grad(E, h, allow_unused=True, materialize_grads=True)
    return torch.stack(h).detach(), torch.stack(delta)  # (T, B, H) each


def norms(cell: Cell, x: Tensor, loss: Callable[[Tensor], Tensor], s: Tensor | None = None) -> Tensor:
    """The Euclidean norm of dE/dh_t at every step, over batch and units together: shape (T,)."""
    return through_time(cell, x, loss, s)[1].flatten(1).norm(dim=1)  # (T, B, H) -> (T, B*H) -> (T,)


def recursion(W_hh: Tensor, h: Tensor, direct: Tensor) -> Tensor:
    r"""The gradient dE/dh_t at every step of a tanh network, by hand, from the last step to the first.

    ``delta_t = direct_t + (delta_{t+1} * (1 - h_{t+1}^2)) W_hh^T``: what step t does to the loss of its own step, and
    what it does by way of step t + 1.

    Parameters
    ----------
    W_hh : Tensor, shape (H, H)
        As in `rnncourse.cells.RNN`, which multiplies it from the right.
    h : Tensor, shape (T, B, H)
        The states.
    direct : Tensor, shape (T, B, H)
        The direct derivative of the loss by each state, with all later states held fixed; 0 where a step has no loss.

    Returns
    -------
    Tensor, shape (T, B, H)
        ``delta[t]``, over every path, as `through_time` finds it by autograd.

    Raises
    ------
    ValueError
        If ``direct`` has not the shape of ``h``, or ``W_hh`` is not (H, H).
    """
    H = h.shape[-1]
    expect(h.dim() == 3 and direct.shape == h.shape,
           "direct", f"(T, B, H) = {tuple(h.shape)}", tuple(direct.shape))  # fmt: skip
    expect(W_hh.shape == (H, H), "W_hh", f"(H, H) with H = {H}", tuple(W_hh.shape))
    delta = direct.clone()  # (T, B, H)
    for t in reversed(range(len(h) - 1)):
        via_next = (delta[t + 1] * (1 - h[t + 1] ** 2)) @ W_hh.T  # (B, H)
        delta[t] += via_next  # eq-bptt-recursion
    return delta


@torch.no_grad()
def bptt(cell: RNN, W_hy: Tensor, b_y: Tensor, x: Tensor, targets: Tensor,
         s: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    """Backpropagation through time by hand: the loss and the five gradients of a tanh network with a softmax at every step.

    Parameters
    ----------
    cell : RNN
        With ``nonlinearity="tanh"``.
    W_hy, b_y : Tensor, shape (H, V) and (V,)
        The readout, ``logits_t = h_t W_hy + b_y``.
    x : Tensor, shape (T, B, D)
    targets : int64 Tensor, shape (T, B)
        The right class at every step.
    s : Tensor, shape (B, H), optional
        State before the first step; zeros if None.

    Returns
    -------
    loss : Tensor, scalar
        Negative log-likelihood in nats, summed over steps and sequences.
    gradients : dict of str to Tensor
        Of "W_xh", "W_hh", "b", "W_hy" and "b_y", each in the shape of its parameter.

    Raises
    ------
    ValueError
        If the cell is not a tanh cell, or ``targets`` is not (T, B).

    References
    ----------
    Werbos (1990), Backpropagation through time: what it does and how to do it, Proceedings of the IEEE 78(10).
    """
    expect(cell.nonlinearity == "tanh", "cell", "a tanh cell", cell.nonlinearity)
    expect(targets.shape == x.shape[:2],
           "targets", f"(T, B) = {tuple(x.shape[:2])}", tuple(targets.shape))  # fmt: skip
    s = cell.start(x) if s is None else s
    h, _ = unfold(cell, x, s)  # (T, B, H)
    before = torch.cat([s[None], h[:-1]])  # (T, B, H)  h_{t-1}
    log_p = (h @ W_hy + b_y).log_softmax(-1)  # (T, B, V)
    truth = torch.nn.functional.one_hot(targets, len(b_y)).to(log_p)  # (T, B, V)
    error = log_p.exp() - truth  # (T, B, V)  eq-bptt-error
    delta = recursion(cell.W_hh, h, error @ W_hy.T)  # (T, B, H)  eq-bptt-direct
    local = delta * (1 - h**2)  # (T, B, H)  eq-bptt-local
    gradients = {
        "W_xh": summed_outer(x, local),  # (D, H)  eq-bptt-tricky
        "W_hh": summed_outer(before, local),  # (H, H)
        "b": local.sum((0, 1)),  # (H,)
        "W_hy": summed_outer(h, error),  # (H, V)  eq-bptt-straight
        "b_y": error.sum((0, 1)),  # (V,)
    }
    return -(log_p * truth).sum(), gradients


def summed_outer(left: Tensor, right: Tensor) -> Tensor:
    """The outer products of two rows, summed over steps and sequences: (T, B, I) and (T, B, J) -> (I, J)."""
    return torch.einsum("tbi,tbj->ij", left, right)


def jacobian(W_hh: Tensor, h: Tensor) -> Tensor:
    r"""The Jacobian dh_t/dh_{t-1} of the tanh cell, for column vectors: ``J[i, j] = dh_t[i] / dh_{t-1}[j]``.

    With ``h_t = tanh(… + h_{t-1} W_hh)`` it is ``diag(1 - h_t^2) W_hh^T``.

    Parameters
    ----------
    W_hh : Tensor, shape (H, H)
        As in `rnncourse.cells.RNN`, which multiplies it from the right.
    h : Tensor, shape (..., H)
        The state *after* the step.

    Returns
    -------
    Tensor, shape (..., H, H)
    """
    expect(W_hh.shape == (h.shape[-1], h.shape[-1]), "W_hh", f"(H, H) with H = {h.shape[-1]}", tuple(W_hh.shape))
    return (1 - h**2)[..., :, None] * W_hh.T  # (..., H, 1) * (H, H) -> (..., H, H)


def products(J: Tensor) -> Tensor:
    """Products of Jacobians in the right order: ``P[k] = J[k] … J[1] J[0]``, later steps on the left.

    Parameters
    ----------
    J : Tensor, shape (T, H, H)
        ``J[t]`` leads from one step to the next.

    Returns
    -------
    Tensor, shape (T, H, H)
        ``P[k] = dh_{k+1}/dh_0``.
    """
    expect(J.dim() == 3 and J.shape[1] == J.shape[2], "J", "(T, H, H)", tuple(J.shape))
    P = [J[0]]
    for J_t in J[1:]:
        P.append(J_t @ P[-1])
    return torch.stack(P)  # (T, H, H)


def spectral_radius(W: Tensor) -> float:
    """The largest modulus of an eigenvalue of W, shape (H, H)."""
    expect(W.dim() == 2 and W.shape[0] == W.shape[1], "W", "(H, H)", tuple(W.shape))
    return torch.linalg.eigvals(W).abs().max().item()


def clip(parameters: Iterable[Tensor], max_norm: float) -> float:
    r"""Scale all gradients together so that their joint norm is at most ``max_norm``; return the norm from before.

    ``g * min(1, max_norm / ||g||)`` with one norm over all parameters, in place. A gradient that is None counts
    as zero. Unlike ``torch.nn.utils.clip_grad_norm_`` it refuses a norm that is not finite: scaled by it, one
    infinite entry would turn into NaN and all others into zeros.

    Raises
    ------
    ValueError
        If ``max_norm`` is not positive, or the norm is infinite or NaN.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), On the difficulty of training recurrent neural networks, algorithm 1.
    """
    expect(max_norm > 0, "max_norm", "a positive number", max_norm)
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = math.hypot(*(g.norm().item() for g in grads))  # in float64, so that only a single norm can overflow
    expect(norm < float("inf"), "gradient norm", "a finite number", norm)
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


def kept(run: Callable[[], object], given: Iterable[Tensor] = ()) -> int:
    """The most bytes that wait for a backward pass at any time while ``run()`` computes, as autograd saves them.

    Parameters
    ----------
    run : callable
        Forward passes, with or without backward passes between; what it returns is kept until the end.
    given : iterable of Tensor
        What is there anyway and does not count: weights, inputs, targets.
    """
    given, count, now, peak = {t.untyped_storage().data_ptr() for t in given}, {}, 0, 0

    class Kept:
        """A tensor that waits, counted as long as it waits; a storage that many share counts once."""

        def __init__(self, tensor: Tensor):
            nonlocal now, peak
            self.tensor, self.storage = tensor, tensor.untyped_storage()
            count[self.storage.data_ptr()] = count.get(self.storage.data_ptr(), 0) + 1
            now += self.storage.nbytes() if count[self.storage.data_ptr()] == 1 else 0
            peak = max(peak, now)

        def __del__(self):
            nonlocal now
            count[self.storage.data_ptr()] -= 1
            now -= 0 if count[self.storage.data_ptr()] else self.storage.nbytes()

    pack = lambda t: t if t.untyped_storage().data_ptr() in given else Kept(t)  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda held: getattr(held, "tensor", held)):
        result = run()  # noqa: F841  held, so that its graph lives until the end
    return peak
