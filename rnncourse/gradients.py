"""Instruments for gradients through time: their norm at each step, the Jacobians they pass, clipping."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from .cells import expect
from .unfold import Cell


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
    norm = torch.stack([g.norm() for g in grads]).norm().item() if grads else 0.0
    expect(norm < float("inf"), "gradient norm", "a finite number", norm)
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm
