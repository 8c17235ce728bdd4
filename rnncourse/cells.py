"""Recurrent cells: one step of a recurrent network, and nothing else.

A cell has two halves. ``inputs(x)`` is the part that does not depend on the past: it can be computed for
all steps at once. ``step(p_t, s)`` is the part that does: one step, from the state before it to the state after.
Calling the cell composes them.
"""

import math

import torch
from torch import Tensor, nn


def expect(ok: bool, name: str, wanted: str, got: object) -> None:
    """Raise a ValueError that names the argument, what was expected and what came, unless ``ok``."""
    if not ok:
        raise ValueError(f"{name}: expected {wanted}, got {got}")


class RNN(nn.Module):
    """The fully connected recurrent cell, ``h_t = tanh(x_t W_xh + h_{t-1} W_hh + b)``.

    Parameters
    ----------
    input_size : int
        D, the number of features of x_t.
    hidden_size : int
        H, the number of units.
    nonlinearity : {"tanh", "relu", "identity"}
        What is applied to the sum. "identity" gives the linear network of the eigenvalue chapter.

    Attributes
    ----------
    W_xh : Parameter, shape (D, H)
    W_hh : Parameter, shape (H, H)
    b : Parameter, shape (H,)
        All three start uniform in ±1/sqrt(H), as in ``torch.nn.RNN``.

    References
    ----------
    Elman (1990), Finding structure in time, Cognitive Science 14(2).
    """

    NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda a: a}

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: str = "tanh"):
        super().__init__()
        expect(input_size >= 1, "input_size", "at least 1", input_size)
        expect(hidden_size >= 1, "hidden_size", "at least 1", hidden_size)
        expect(nonlinearity in self.NONLINEARITIES, "nonlinearity", f"one of {[*self.NONLINEARITIES]}", repr(nonlinearity))
        self.input_size, self.hidden_size, self.nonlinearity = input_size, hidden_size, nonlinearity
        self.W_xh = nn.Parameter(torch.empty(input_size, hidden_size))
        self.W_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.b = nn.Parameter(torch.empty(hidden_size))
        for p in self.parameters():
            nn.init.uniform_(p, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def start(self, x: Tensor) -> Tensor:
        """The state before the first step: zeros, (B, H), for inputs ``x`` of shape (..., B, D)."""
        return x.new_zeros(x.shape[-2], self.hidden_size)

    def inputs(self, x: Tensor) -> Tensor:
        """What the inputs contribute, for any number of steps at once: (..., D) -> (..., H)."""
        expect(x.shape[-1] == self.input_size, "x", f"{self.input_size} features on the last axis", tuple(x.shape))
        return x @ self.W_xh + self.b  # (..., H)

    def step(self, p_t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """One step: ``inputs(x_t)`` (B, H) and the state (B, H) -> output h_t and new state, here the same tensor."""
        h_t = self.NONLINEARITIES[self.nonlinearity](torch.addmm(p_t, s, self.W_hh))  # (B, H)
        return h_t, h_t

    def forward(self, x_t: Tensor, s: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One step from the raw input: (B, D) and the state (B, H), zeros if None -> (h_t, s_t)."""
        expect(x_t.dim() == 2, "x_t", "(B, D)", tuple(x_t.shape))
        s = self.start(x_t) if s is None else s
        expect(s.shape == (len(x_t), self.hidden_size), "s", f"(B, H) = {(len(x_t), self.hidden_size)}", tuple(s.shape))
        return self.step(self.inputs(x_t), s)


def from_torch(module: nn.RNN, layer: int = 0, backward: bool = False) -> RNN:
    """One layer and one direction of a ``torch.nn.RNN``, as a cell of ours with the same weights.

    torch keeps two biases and multiplies from the left, (H, D); we keep their sum and multiply from the right, (D, H).

    Parameters
    ----------
    module : torch.nn.RNN
        With biases.
    layer : int
        Which layer, from 0.
    backward : bool
        The right-to-left direction of a bidirectional module.

    Raises
    ------
    ValueError
        If the module has no such layer or direction, or no biases.
    """
    expect(isinstance(module, nn.RNN), "module", "a torch.nn.RNN", type(module).__name__)
    expect(module.bias, "module", "a module with biases", "bias=False")
    expect(0 <= layer < module.num_layers, "layer", f"0 to {module.num_layers - 1}", layer)
    expect(module.bidirectional or not backward, "backward", "False for a one-directional module", backward)
    W_ih, W_hh, b_ih, b_hh = _weights(module, layer, backward)
    cell = RNN(W_ih.shape[1], module.hidden_size, module.nonlinearity).to(W_ih)
    with torch.no_grad():
        cell.W_xh.copy_(W_ih.T)  # (H, D) -> (D, H)
        cell.W_hh.copy_(W_hh.T)
        cell.b.copy_(b_ih + b_hh)
    return cell


def to_torch(cell: RNN, module: nn.RNN, layer: int = 0, backward: bool = False) -> nn.RNN:
    """Write the weights of ``cell`` into one layer and direction of ``module``, in place, and return the module.

    The whole bias goes to ``bias_ih``; ``bias_hh`` becomes zero. Arguments and errors are those of `from_torch`.
    """
    theirs = from_torch(module, layer, backward)  # for its checks, and for the sizes
    same = (theirs.input_size, theirs.hidden_size, theirs.nonlinearity)
    expect((cell.input_size, cell.hidden_size, cell.nonlinearity) == same, "cell", f"(input_size, hidden_size, nonlinearity) = {same}",
           (cell.input_size, cell.hidden_size, cell.nonlinearity))
    W_ih, W_hh, b_ih, b_hh = _weights(module, layer, backward)
    with torch.no_grad():
        W_ih.copy_(cell.W_xh.T)  # (D, H) -> (H, D)
        W_hh.copy_(cell.W_hh.T)
        b_ih.copy_(cell.b)
        b_hh.zero_()
    return module


def _weights(module: nn.RNN, layer: int, backward: bool) -> list[Tensor]:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(module, f"{name}_l{layer}{'_reverse' if backward else ''}") for name in names]
