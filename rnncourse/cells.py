"""Recurrent cells: one step of a recurrent network, and nothing else.

A cell has two halves. ``inputs(x)`` is the part that does not depend on the past: it can be computed for
all steps at once. ``step(p_t, s)`` is the part that does: one step, from the state before it to the state after.
Calling the cell composes them. Given a dict as ``record``, a step also appends there what it computed inside.

Cells with gates keep the weights of all gates side by side, so that one product serves them all.
"""

import math

import torch
from torch import Tensor, nn

State = Tensor | tuple[Tensor, Tensor]


def expect(ok: bool, name: str, wanted: str, got: object) -> None:
    """Raise a ValueError that names the argument, what was expected and what came, unless ``ok``."""
    if not ok:
        raise ValueError(f"{name}: expected {wanted}, got {got}")


class _Cell(nn.Module):
    """What all cells share: the weights of ``BLOCKS`` sums of H units each, side by side, and the inputs' part of these sums."""

    BLOCKS = 1

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        expect(input_size >= 1, "input_size", "at least 1", input_size)
        expect(hidden_size >= 1, "hidden_size", "at least 1", hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W_xh = nn.Parameter(torch.empty(input_size, self.BLOCKS * hidden_size))
        self.W_hh = nn.Parameter(torch.empty(hidden_size, self.BLOCKS * hidden_size))
        self.b = nn.Parameter(torch.empty(self.BLOCKS * hidden_size))
        for p in self.parameters():
            nn.init.uniform_(p, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def start(self, x: Tensor) -> Tensor:
        """The state before the first step: zeros, (B, H), for inputs ``x`` of shape (..., B, D)."""
        return x.new_zeros(x.shape[-2], self.hidden_size)

    def inputs(self, x: Tensor) -> Tensor:
        """What the inputs contribute, for any number of steps at once: (..., D) -> (..., BLOCKS * H)."""
        expect(x.shape[-1] == self.input_size, "x", f"{self.input_size} features on the last axis", tuple(x.shape))
        return x @ self.W_xh + self.b  # (..., BLOCKS * H)

    def forward(self, x_t: Tensor, s: State | None = None, record: dict | None = None) -> tuple[Tensor, State]:
        """One step from the raw input: (B, D) and the state, zeros if None -> (h_t, s_t)."""
        expect(x_t.dim() == 2, "x_t", "(B, D)", tuple(x_t.shape))
        s, zeros = self.start(x_t) if s is None else s, self.start(x_t)
        expect(_shapes(s) == _shapes(zeros), "s", f"the shape {_shapes(zeros)} (B, H)", _shapes(s))
        return self.step(self.inputs(x_t), s, record)


class RNN(_Cell):
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
        super().__init__(input_size, hidden_size)
        expect(nonlinearity in self.NONLINEARITIES, "nonlinearity", f"one of {[*self.NONLINEARITIES]}", repr(nonlinearity))
        self.nonlinearity = nonlinearity

    def step(self, p_t: Tensor, s: Tensor, record: dict | None = None) -> tuple[Tensor, Tensor]:
        """One step: ``inputs(x_t)`` (B, H) and the state (B, H) -> output h_t and new state, here the same tensor."""
        h_t = self.NONLINEARITIES[self.nonlinearity](torch.addmm(p_t, s, self.W_hh))  # (B, H)
        note(record, h=h_t)
        return h_t, h_t


class LSTM(_Cell):
    """The long short-term memory: a cell state c that is added to, and gates that say what is kept, written and shown.

    With ``a = x_t W_xh + h_{t-1} W_hh + b``, four blocks of H in torch's order i, f, g, o::

        i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)      input, forget, output gate
        g = tanh(a_g)                                           candidate
        c_t = f * c_{t-1} + i * g
        h_t = o * tanh(c_t)

    Parameters
    ----------
    input_size, hidden_size : int
        D and H.
    forget_bias : float, optional
        What the forget gate's bias starts from; as all other weights if None.

    Attributes
    ----------
    W_xh : Parameter, shape (D, 4H)
    W_hh : Parameter, shape (H, 4H)
    b : Parameter, shape (4H,)
        All start uniform in ±1/sqrt(H), as in ``torch.nn.LSTM``, which has two biases; ours is their sum.

    References
    ----------
    Hochreiter & Schmidhuber (1997), Long short-term memory, Neural Computation 9(8); the forget gate is from Gers,
    Schmidhuber & Cummins (2000), Learning to forget, Neural Computation 12(10).
    """

    BLOCKS = 4

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float | None = None):
        super().__init__(input_size, hidden_size)
        if forget_bias is not None:
            nn.init.constant_(self.b[hidden_size : 2 * hidden_size], forget_bias)

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first step, the pair (h, c): zeros, (B, H) each."""
        return super().start(x), super().start(x)

    def step(self, p_t: Tensor, s: tuple[Tensor, Tensor], record: dict | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One step: ``inputs(x_t)`` (B, 4H) and the state (h, c) -> output h_t and new state. Records i, f, g, o and c."""
        h, c = s
        i, f, g, o = torch.addmm(p_t, h, self.W_hh).chunk(4, dim=1)  # (B, H) each
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        note(record, i=i, f=f, g=g, o=o, c=c)
        return h, (h, c)


class GRU(_Cell):
    """The gated recurrent unit: one state, of which the update gate z keeps a share and replaces the rest.

    With ``a = x_t W_xh + b`` and ``u = h_{t-1} W_hh``, three blocks of H each in torch's order r, z, n::

        r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)           reset, update gate
        n = tanh(a_n + r * (u_n + b_hn))                        candidate; the reset gate after the product
        h_t = (1 - z) * n + z * h_{t-1}

    Parameters
    ----------
    input_size, hidden_size : int
        D and H.

    Attributes
    ----------
    W_xh : Parameter, shape (D, 3H)
    W_hh : Parameter, shape (H, 3H)
    b : Parameter, shape (3H,)
    b_hn : Parameter, shape (H,)
        The bias inside the reset gate's reach. All start uniform in ±1/sqrt(H), as in ``torch.nn.GRU``.

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine translation,
    EMNLP; the reset gate stands after the product in its first version, before it in the last.
    """

    BLOCKS = 3

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size)
        self.b_hn = nn.Parameter(torch.empty(hidden_size).uniform_(-1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size)))

    def step(self, p_t: Tensor, s: Tensor, record: dict | None = None) -> tuple[Tensor, Tensor]:
        """One step: ``inputs(x_t)`` (B, 3H) and the state (B, H) -> output h_t and new state, the same tensor. Records r, z and n."""
        sizes = [2 * self.hidden_size, self.hidden_size]
        (a, a_n), (u, u_n) = p_t.split(sizes, dim=1), (s @ self.W_hh).split(sizes, dim=1)  # (B, 2H) and (B, H), twice
        r, z = (a + u).sigmoid().chunk(2, dim=1)  # (B, H) each
        n = (a_n + r * (u_n + self.b_hn)).tanh()
        h = torch.lerp(n, s, z)  # (1 - z) * n + z * s, in one go
        note(record, r=r, z=z, n=n)
        return h, h


def note(record: dict | None, **values: Tensor) -> None:
    """Append each value to the list of its name, if there is a record."""
    if record is not None:
        for name, value in values.items():
            record.setdefault(name, []).append(value)


KINDS = {nn.RNN: RNN, nn.LSTM: LSTM, nn.GRU: GRU}


def from_torch(module: nn.RNNBase, layer: int = 0, backward: bool = False) -> RNN | LSTM | GRU:
    """One layer and one direction of a ``torch.nn.RNN``, ``LSTM`` or ``GRU``, as a cell of ours with the same weights.

    torch keeps two biases and multiplies from the left, (H, D); we keep their sum and multiply from the right, (D, H).
    Only in the GRU's candidate the two stay apart, since the reset gate stands between them.

    Parameters
    ----------
    module : torch.nn.RNN, torch.nn.LSTM or torch.nn.GRU
        With biases, without projection.
    layer : int
        Which layer, from 0.
    backward : bool
        The right-to-left direction of a bidirectional module.

    Raises
    ------
    ValueError
        If the module is another, has no such layer or direction, no biases, or a projection.
    """
    expect(type(module) in KINDS, "module", "a torch.nn.RNN, LSTM or GRU", type(module).__name__)
    expect(module.bias, "module", "a module with biases", "bias=False")
    expect(module.proj_size == 0, "module", "a module without projection", f"proj_size={module.proj_size}")
    expect(0 <= layer < module.num_layers, "layer", f"0 to {module.num_layers - 1}", layer)
    expect(module.bidirectional or not backward, "backward", "False for a one-directional module", backward)
    W_ih, W_hh, b_ih, b_hh = _weights(module, layer, backward)
    kind, H = KINDS[type(module)], module.hidden_size
    cell = kind(W_ih.shape[1], H, *([module.nonlinearity] if kind is RNN else [])).to(W_ih)
    with torch.no_grad():
        cell.W_xh.copy_(W_ih.T)  # (BLOCKS * H, D) -> (D, BLOCKS * H)
        cell.W_hh.copy_(W_hh.T)
        cell.b.copy_(b_ih + b_hh)
        if kind is GRU:
            cell.b[2 * H :] = b_ih[2 * H :]
            cell.b_hn.copy_(b_hh[2 * H :])
    return cell


def to_torch(cell: RNN | LSTM | GRU, module: nn.RNNBase, layer: int = 0, backward: bool = False) -> nn.RNNBase:
    """Write the weights of ``cell`` into one layer and direction of ``module``, in place, and return the module.

    The whole bias goes to ``bias_ih`` and ``bias_hh`` becomes zero, but for the GRU's ``b_hn``. Arguments and errors
    are those of `from_torch`.
    """
    theirs = from_torch(module, layer, backward)  # for its checks, and for the sizes
    ours, wanted = ((type(c).__name__, c.input_size, c.hidden_size, getattr(c, "nonlinearity", None)) for c in (cell, theirs))
    expect(ours == wanted, "cell", f"(kind, input_size, hidden_size, nonlinearity) = {wanted}", ours)
    W_ih, W_hh, b_ih, b_hh = _weights(module, layer, backward)
    with torch.no_grad():
        W_ih.copy_(cell.W_xh.T)  # (D, BLOCKS * H) -> (BLOCKS * H, D)
        W_hh.copy_(cell.W_hh.T)
        b_ih.copy_(cell.b)
        b_hh.zero_()
        if isinstance(cell, GRU):
            b_hh[2 * cell.hidden_size :] = cell.b_hn
    return module


def _weights(module: nn.RNNBase, layer: int, backward: bool) -> list[Tensor]:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(module, f"{name}_l{layer}{'_reverse' if backward else ''}") for name in names]


def _shapes(s: State) -> tuple:
    return tuple(s.shape) if isinstance(s, Tensor) else tuple(_shapes(part) for part in s)
