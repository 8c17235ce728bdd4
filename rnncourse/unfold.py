"""Unfold a cell over a sequence: left to right, right to left, in stacks, over padded batches."""

from typing import Protocol

import torch
from torch import Tensor

from .cells import expect


class Cell(Protocol):
    """Anything with the two halves of a cell, and a state to start from."""

    def start(self, x: Tensor): ...
    def inputs(self, x: Tensor) -> Tensor: ...
    def step(self, p_t: Tensor, s): ...


def unfold(cell: Cell, x: Tensor, s: object = None, record: dict | None = None) -> tuple[Tensor, object]:
    """Apply one cell to every step of a sequence, left to right.

    The lecture's word (UCL): ``[f(x_1, s_0), f(x_2, s_1), …]``. `torch.Tensor.unfold` is something else,
    it cuts a tensor into sliding windows.

    Parameters
    ----------
    cell : Cell
        Its ``inputs`` is called once for all steps, its ``step`` T times.
    x : Tensor, shape (T, B, D)
        Time first, as in all of this course and as ``torch.nn.RNN`` has it by default.
    s : state, optional
        The state before the first step; ``cell.start(x)`` if None.
    record : dict, optional
        An empty dict, to be filled with what the cell computed inside: for an LSTM its gates "i", "f", "g", "o" and its
        cell state "c", for a GRU "r", "z" and "n", each of shape (T, B, H). They are part of the graph: ``detach`` to plot.

    Returns
    -------
    h : Tensor, shape (T, B, H)
        The output at every step.
    s : state
        The state after the last step.

    Raises
    ------
    ValueError
        If ``x`` is not (T, B, D) with T at least 1, or ``record`` is not empty.
    """
    expect(x.dim() == 3 and len(x) > 0, "x", "(T, B, D) with T at least 1", tuple(x.shape))
    expect(not record, "record", "an empty dict", f"keys {[*(record or {})]}")
    s = cell.start(x) if s is None else s
    h = []
    for p_t in cell.inputs(x).unbind(0):  # p_t: (B, H)
        h_t, s = cell.step(p_t, s) if record is None else cell.step(p_t, s, record)
        h.append(h_t)
    if record is not None:
        record.update({name: torch.stack(values) for name, values in record.items()})  # (T, B, H) each
    return torch.stack(h), s  # T times (B, H) -> (T, B, H)


def reverse(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Turn every sequence of a padded batch round; the padding stays at the end.

    Parameters
    ----------
    x : Tensor, shape (T, B, ...)
    lengths : int64 Tensor, shape (B,), optional
        Real steps of each sequence; None means that all T are real.

    Raises
    ------
    ValueError
        If ``lengths`` is not (B,), or a length is not in 1 to T.

    Examples
    --------
    >>> reverse(torch.tensor([[1, 4], [2, 5], [3, 0]]), torch.tensor([3, 2])).tolist()
    [[3, 5], [2, 4], [1, 0]]
    """
    if lengths is None:
        return x.flip(0)
    _check_lengths(lengths, x)
    t = torch.arange(len(x), device=x.device)[:, None]  # (T, 1)
    back = torch.where(t < lengths, lengths - 1 - t, t)  # (T, B)
    return x[back, torch.arange(x.shape[1], device=x.device)]  # (T, B, ...)


def unfold_back(cell: Cell, x: Tensor, lengths: Tensor | None = None, s: object = None) -> tuple[Tensor, object]:
    """Unfold right to left: ``h[t]`` has read the steps t, t+1, …, up to each sequence's own end.

    Arguments and errors are those of `unfold` and `reverse`. The returned state is the one after the *first*
    step, where the reading ends; with padding it is ``h[0]`` that says so, so for padded batches use that.
    """
    h, s = unfold(cell, reverse(x, lengths), s)
    return reverse(h, lengths), s


def both_ways(forth: Cell, back: Cell, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Two cells, one reading left to right and one right to left, side by side: (T, B, D) -> (T, B, 2H).

    ``out[t]`` has seen the whole sequence: its first half the steps up to t, its second half those from t on.
    The summary of a whole sequence is therefore *not* ``out[-1]``; see `summary`.
    """
    return torch.cat([unfold(forth, x)[0], unfold_back(back, x, lengths)[0]], dim=-1)  # (T, B, H) twice -> (T, B, 2H)


def stacked(layers: list, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Unfold layer upon layer: each reads the outputs of the one below.

    Parameters
    ----------
    layers : list of Cell, or of pairs (forth, back)
        From the bottom up. A pair reads both ways, so the layer above it needs ``input_size`` 2H.
    x : Tensor, shape (T, B, D)
    lengths : int64 Tensor, shape (B,), optional
        Only the right-to-left direction needs them.

    Returns
    -------
    Tensor, shape (T, B, H) or (T, B, 2H)
        The outputs of the top layer.
    """
    expect(len(layers) > 0, "layers", "at least one cell", layers)
    for layer in layers:
        x = both_ways(*layer, x, lengths) if isinstance(layer, tuple) else unfold(layer, x)[0]
    return x


def last(h: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The output at each sequence's own last real step: (T, B, H) -> (B, H).

    Raises
    ------
    ValueError
        As in `reverse`.
    """
    if lengths is None:
        return h[-1]  # (B, H)
    _check_lengths(lengths, h)
    return h[lengths - 1, torch.arange(h.shape[1], device=h.device)]  # (B, H)


def summary(h: Tensor, lengths: Tensor | None = None) -> Tensor:
    """What a two-way layer says of a whole sequence, h_T beside h_1^R: (T, B, 2H) -> (B, 2H)."""
    expect(h.shape[-1] % 2 == 0, "h", "two directions on the last axis", tuple(h.shape))
    forth, back = h.chunk(2, dim=-1)  # (T, B, H) each
    return torch.cat([last(forth, lengths), back[0]], dim=-1)  # (B, 2H)


def _check_lengths(lengths: Tensor, x: Tensor) -> None:
    expect(lengths.shape == x.shape[1:2], "lengths", f"(B,) = {tuple(x.shape[1:2])}", tuple(lengths.shape))
    expect(bool(((lengths >= 1) & (lengths <= len(x))).all()), "lengths", f"values in 1 to T = {len(x)}", lengths.tolist())
