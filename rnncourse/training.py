"""Training through time: one loop, and the windows of truncated backpropagation."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import gradients
from .cells import expect
from .unfold import Cell


class Record(NamedTuple):
    """What one step of training leaves: its number from 0, the loss before it, the norm of the gradient before clipping."""

    step: int
    loss: float
    norm: float


def fit(model: nn.Module, losses: Iterable[Tensor], optimizer: torch.optim.Optimizer, max_norm: float = math.inf) -> Iterator[Record]:
    """Train on one loss after another, and yield a record a step, to be logged, plotted or sent to TensorBoard.

    Nothing happens before the first record is asked for.

    Parameters
    ----------
    model : nn.Module
        Its parameters are those of the optimizer.
    losses : iterable of scalar Tensor
        Computes each loss when it is asked for it, with the weights as they are then: a generator, such as
        ``(loss(model, batch) for batch in batches)`` or `tbptt`.
    optimizer : torch.optim.Optimizer
    max_norm : float
        Gradients are scaled so that their joint norm is at most this.

    Yields
    ------
    Record

    Raises
    ------
    FloatingPointError
        If the loss or a gradient is infinite or NaN. It names the step and the parameter. The weights are then those
        from before the step.
    """
    for step, loss in enumerate(losses):
        optimizer.zero_grad()
        loss.backward()
        grads = {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None}
        bad = [name for name, norm in grads.items() if not math.isfinite(norm)]
        if bad or not math.isfinite(loss.item()):
            where = f"the gradient of {bad[0]} has norm {grads[bad[0]]}" if bad else "all gradients are finite"
            raise FloatingPointError(f"step {step}: the loss is {loss.item():.6g}, {where}")
        norm = gradients.clip(model.parameters(), max_norm)
        optimizer.step()
        yield Record(step, loss.item(), norm)


def tbptt(cell: Cell, x: Tensor, loss: Callable[[Tensor, slice], Tensor], k1: int, k2: int, s: object = None) -> Iterator[Tensor]:
    """Truncated backpropagation through time: one loss every k1 steps, whose gradient goes k2 steps back.

    At every k1-th step t the losses of the last k1 steps go back k2 steps, t among them, each loss once. Steps that are
    left at the end, fewer than k1, make a window of their own that goes back k2 steps too. Between windows the weights
    may change: each window is computed anew from the state k2 steps ago, which is carried over without its history.
    With k2 = T the gradients, summed over the windows, are the full one.

    Parameters
    ----------
    cell : Cell
    x : Tensor, shape (T, B, D)
    loss : callable
        From the outputs of some steps, (n, B, H), and these steps as a slice of 0 … T to a scalar: *summed* over steps,
        so that windows of different length weigh alike. It holds the readout, and the targets of all steps.
    k1 : int
        Steps from one loss to the next.
    k2 : int
        Steps that a gradient goes back, at least k1; with k1 = k2 the windows are chunks (a shorter tail reaches into the one before).
    s : state, optional
        State before the first step; ``cell.start(x)`` if None.

    Yields
    ------
    Tensor, scalar
        The loss of a window, to call ``backward`` on before the next one is asked for.

    Raises
    ------
    ValueError
        If ``x`` is not (T, B, D), or not 1 <= k1 <= k2.

    References
    ----------
    Williams & Peng (1990), An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories, Neural Computation 2(4), where it is BPTT(k2; k1).
    """
    expect(x.dim() == 3 and len(x) > 0, "x", "(T, B, D) with T at least 1", tuple(x.shape))
    expect(k1 >= 1, "k1", "at least 1", k1)
    expect(k2 >= k1, "k2", f"at least k1 = {k1}", k2)
    s, begin, end = cell.start(x) if s is None else s, 0, 0
    while end < len(x):
        done, end = end, min(end + k1, len(x))
        following = max(0, min(end + k1, len(x)) - k2)  # where the next window begins
        h = []
        for t, p_t in enumerate(cell.inputs(x[begin:end]).unbind(0), begin):  # p_t: (B, H)
            if t == following:
                carried = detach(s)
            h_t, s = cell.step(p_t, s)
            h.append(h_t)
        yield loss(torch.stack(h[done - begin :]), slice(done, end))  # (n, B, H)
        s, begin = carried if following < end else detach(s), following


def detach(s: object) -> object:
    """A state, a tensor or a tuple of states, without its history."""
    return s.detach() if isinstance(s, Tensor) else tuple(map(detach, s))
