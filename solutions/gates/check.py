"""The checks of Lab 3, and the wrong answers that they can name.

A cell of Exercise 1 or 2 may keep its weights as it likes: a layer for each gate or one for all, over [h, x] or apart. So the checks draw the
weights of the equations, find out which numbers of the cell play which of them (`laid_out`), and write them there.
"""

import copy
import inspect
import math
import re
from functools import cache, lru_cache
from itertools import combinations, permutations, product, repeat

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from rnncourse.checks import Exercise, plainly, slips
from rnncourse.traces import Unfit, kind

LSTM_CELL, FORGET, INPUT, UPDATE, OUTPUT = (f"gates/lstm.html#sec-lstm-{name}" for name in ("cell", "forget", "input", "update", "output"))
GRU_CELL, GRU_Z, GRU_RESET, MOVE = (f"gates/gru.html#sec-gru-{name}" for name in ("cell", "z", "reset", "move"))
DECAY, DIRECT, ADDING = "gates/why.html#sec-why-decay", "gates/why.html#sec-why-direct", "gates/why.html#chap-why"
DOUBLE = torch.float64
READY = ("RNN", "LSTM", "GRU")
THEIRS = (*(f"torch.nn.{name}{cell}" for name in READY for cell in ("", "Cell")), "torch.nn.RNNBase",
          *(f"torch.{name}" for name in ("lstm", "lstm_cell", "gru", "gru_cell", "rnn_tanh", "rnn_tanh_cell")),
          "rnncourse.cells.LSTM", "rnncourse.cells.GRU")  # fmt: skip

# ---- What an exception of torch or Python means here, in words that do not depend on sizes, versions and the machine

MEANS = (
    (r"^super\(type, obj\)", TypeError, "super(A, self) where A is another class than the one it stands in"),
    (r"CUDA|NVIDIA|cuda", RuntimeError, "a GPU is asked for, and there is none here"),
    (r"must match except in dimension 0", RuntimeError, "torch.cat along axis 0 of tensors (B, H) and (B, D)"),
    (r"must have the same dtype, but got (Double and Float|Float and Double)", RuntimeError,
     "numbers of float32 meet numbers of float64: a layer is made in one_step and not in __init__, or a tensor is made without x's dtype"),
    (r"^'super' object has no attribute|^cannot assign \w+ before Module", AttributeError, "a layer was set before nn.Module.__init__ ran"),
)


def meant(error, D, H):
    """The exception in those words, where they are known; else as it is."""
    sizes = re.search(r"tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", str(error))
    if sizes and {int(n) for n in sizes.groups()} == {H, H + D}:
        return RuntimeError("r, which is (B, H), is multiplied with [h, x], which is (B, H + D)").with_traceback(error.__traceback__)
    known = [(type_, says) for pattern, type_, says in MEANS if re.search(pattern, str(error))]
    return known[0][0](known[0][1]).with_traceback(error.__traceback__) if known else error


# ---- Where a cell keeps the weights of the equations

NO_WEIGHTS = "parameters() finds no weights: layers are made in __init__, and are attributes of the cell"
UNSEEN = "it has weights that parameters() does not find: they stand in a plain list or dict, or are tensors and no nn.Parameter"
MADE = "one_step makes new layers, so that each call has other weights"
NO_MODULE = "the class is no nn.Module: it has no parameters() to train"
NO_METHOD = "it has no method one_step"
NO_SELF = "one_step is a method of the class: its first argument is self, before x"
NO_C = "one_step returns no new c"
OVERWRITTEN = "what was given to one_step has been overwritten"
LAZY = "a lazy layer has no sizes before it is called; the sizes are known in __init__: nn.Linear(hidden_size + input_size, hidden_size)"
NARROW = "a gate is a number for each unit, (B, H), and not one for all of them: its layer makes hidden_size numbers"


def unplaced(cell, D, H):
    """What is said where no layout makes a step right, nor wrong in a known way."""
    if any(name.endswith("weight") and p.dim() == 2 and len(p) == 1 < H for name, p in cell.named_parameters()):
        return NARROW
    shapes = [f"{name} {tuple(p.shape)}" for name, p in cell.named_parameters()]
    return (f"however the weights of the equations are written into its parameters, {', '.join(shapes[:6])}{', ...' * (len(shapes) > 6)}, a step is "
            "neither right nor wrong in a way that this check knows. Either an equation differs: go through them line by line. Or the parameters "
            "have another form than the check understands: matrices over h, over x or over both, a block of H for each gate, and vectors of biases")


def parted(parameters, D, H):
    """For each parameter that can be a weight or a bias: its kind ("x", "h", "hx", "b"), its blocks of H, whether it stands as (in, out)."""
    found = {}
    for name, p in parameters.items():
        *many, n, m = [1, 1, *p.shape][-max(2, p.dim()) :]
        if p.dim() == 2 and m == H and n < H:  # a row for each gate
            found[name] = "b", n, False
        k = math.prod(many)
        if 1 in (n, m) and n * m % H == 0:
            found[name] = "b", k * n * m // H, False
        for columns, what in ((H, "h"), (D + H, "hx"), (D, "x")):
            if m == columns and n % H == 0:
                found[name] = what, k * n // H, False
            elif n == columns and m % H == 0:
                found.setdefault(name, (what, k * m // H, True))
    return found


def assigned(parts, by_kind, flips, turn, R):
    """One layout: for each parameter its kind, the roles of its blocks (R stands for none), [x, h] instead of [h, x], (in, out)."""
    used, layout, flips = dict.fromkeys(("x", "h", "hx", "b"), 0), {}, iter(flips)
    for name, (what, k, turned) in parts.items():
        twin = layout.get(re.sub(r"bias", "weight", name)) if what == "b" else None
        roles = (by_kind[what] * (used[what] + k))[used[what] : used[what] + k]
        used[what] += k
        layout[name] = what, twin[1] if twin and len(twin[1]) == k else roles, what == "hx" and next(flips), turned or (turn and what == "h")
    seen = set()
    for name, (what, roles, flip, turned) in layout.items():
        if what == "b":  # where a role has two biases, the second stays zero
            layout[name] = what, [R if r in seen or roles.index(r) < i else r for i, r in enumerate(roles)], flip, turned
            seen |= {*roles}
    return layout


def layouts(parts, square, R):
    """All layouts that are looked through, the likely ones first, in three lots."""
    kinds, orders = [what for what, *_ in parts.values()], [[*p] for p in permutations(range(R))]
    alone = any(what == "b" and re.sub("bias", "weight", name) not in parts or name == "bias" for name, (what, *_) in parts.items())
    n, turns = kinds.count("hx"), (False, True)[: 1 + square]
    same = [[False] * n, [True] * n][: 1 + (n > 0)]
    blocks = {kind: sum(k for what, k, _ in parts.values() if what == kind) for kind in ("hx", "h", "x")}

    def made(p, flips, turn, **own):
        return assigned(parts, dict.fromkeys(("x", "h", "hx", "b"), p) | own, flips, turn, R)

    if 0 < (joint := blocks["hx"]) < R and blocks["h"] == blocks["x"] == R - joint:  # some gates over [h, x], the others over h and x apart
        for b in (None, *orders)[: 1 + alone * len(orders)]:
            own = {"b": b} if b else {}
            yield (made(p, flips, turn, x=p[joint:], h=[*q], **own)
                   for turn, flips, p in product(turns, same, orders) for q in permutations(p[joint:]))
        return
    yield (made(p, flips, turn) for turn, flips, p in product(turns, same, orders))
    apart = [kind for kind, there in (("h", "h" in kinds), ("b", alone)) if there]  # these in an order of their own
    yield (made(p, flips, turn, **{kind: q}) for turn, flips, kind, p, q in product(turns, same, apart, orders, orders))
    yield (made(p, flips, False) for flips, p in product(product((False, True), repeat=n if n <= 4 else 0), orders))


def written(layout, shapes, W, D, H):
    """What each parameter holds when the weights of the equations, W (R, H, columns for h, x and perhaps a bias), are written into it."""
    R, columns = W.shape[0], W.shape[2]
    at = torch.arange(W.numel()).view(W.shape)  # which number of W
    at = torch.cat([at, torch.full((1, H, columns), W.numel())])  # and none of them
    numbers = torch.cat([W.flatten(), W.new_zeros(1)])
    values = {}
    for name, (what, roles, flip, turned) in layout.items():
        h, x, b = at[..., :H], at[..., H : H + D], at[..., H + D :] if columns > H + D else at[R:, :, :1].expand(R + 1, H, 1)
        rows = torch.stack([{"h": h, "x": x, "b": b, "hx": torch.cat([x, h] if flip else [h, x], -1)}[what][r] for r in roles])
        n, m = rows.shape[1:]
        if len(shapes[name]) < 3:
            rows = rows.reshape(-1, m)  # (k H, columns)
        values[name] = numbers[(rows.mT if turned else rows).reshape(shapes[name])]
    return values


class Step(nn.Module):
    """one_step in the place where `functional_call` calls."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, *given):
        return self.cell.one_step(*given)


def results(cell, values, given, kept):
    """The tensors that one step leaves: those that it returns, by their place, and those that it keeps in the cell, by their name.

    Where the cell keeps c, that is set before, unless it has been set already (``kept`` is None).
    """
    x, h, *c = given
    for name in kept or ():
        setattr(cell, name, c[0].clone())  # which is the cell's own: it may change it in place
    given = passed(cell, given)
    returned = functional_call(Step(cell), {f"cell.{name}": v for name, v in values.items()}, given) if values else cell.one_step(*given)
    returned = [*returned.values()] if isinstance(returned, dict) else returned if isinstance(returned, list | tuple) else [returned]
    flat = [b for a in returned for b in (a if isinstance(a, list | tuple) else [a])]
    own = {name: v for name, v in [*vars(cell).items(), *cell.named_buffers(recurse=False)] if isinstance(v, Tensor)} if c else {}
    own = {name: v for name, v in own.items() if not (v is c[0] or name in (kept or ()) and torch.equal(v, c[0]))}  # what was put there, and stayed
    return {i: torch.as_tensor(v) for i, v in enumerate(flat) if isinstance(v, Tensor | np.ndarray)} | own


def tried(cell, *given):
    """`results` of a trial, after which the cell keeps what it kept before."""
    before, buffers = dict(vars(cell)), dict(cell._buffers)
    found = results(cell, *given)
    vars(cell).clear()
    vars(cell).update(before)
    cell._buffers.clear()
    cell._buffers.update(buffers)
    return found


def passed(cell, given):
    """What of x, h (and c) is handed to one_step: a cell that keeps c takes x and h alone."""
    return tuple(given)[: max(2, min(takes(cell), len(given)))]


def takes(cell):
    """How many arguments one_step can be given by their place."""
    kinds = [p.kind for p in inspect.signature(cell.one_step).parameters.values()]
    return 9 if inspect.Parameter.VAR_POSITIONAL in kinds else sum(k in (0, 1) for k in map(int, kinds))


def places(cell, H):
    """The attributes in which a cell may keep c."""
    free = [n for n, v in vars(cell).items() if n[0] != "_" and (v is None or isinstance(v, Tensor) and v.shape[-1:] == (H,))]
    buffers = [n for n, _ in cell.named_buffers(recurse=False)]
    return [n for n in {*free, *buffers, "c", "C", "c_t", "C_t", "ct", "c_prev", "cell_state", "memory"}
            if not isinstance(getattr(cell, n, None), nn.Module | nn.Parameter)]  # fmt: skip


def sound(cell):
    """Refuse what cannot be compared at all."""
    if not isinstance(cell, nn.Module):
        raise Unfit(NO_MODULE)
    if not callable(getattr(cell, "one_step", None)):
        raise Unfit(NO_METHOD)
    method = inspect.getattr_static(type(cell), "one_step", None)
    if inspect.isfunction(method) and [*inspect.signature(method).parameters][:1] in (["x"], ["x_t"], ["input"]):
        raise Unfit(NO_SELF)
    if any(isinstance(p, nn.UninitializedParameter) for p in cell.parameters()):
        raise Unfit(LAZY)
    public, known = [a for name, a in vars(cell).items() if name[0] != "_"], {id(p) for p in cell.parameters()}
    listed = [b for a in public if isinstance(a, list | tuple | dict) for b in (a.values() if isinstance(a, dict) else a)]
    weights = [p for a in [*public, *listed] for p in (a.parameters() if isinstance(a, nn.Module) else [a])]
    if any(isinstance(p, Tensor) and p.requires_grad and p.is_leaf and id(p) not in known for p in weights):
        raise Unfit(UNSEEN)


def drawing(g, double):
    """torch.randn from a generator, in float64 or in float32."""
    return lambda *shape: torch.randn(shape, generator=g, dtype=DOUBLE if double else torch.float32)


PROBE = 7, 5, 4  # D, H, B: no two sums or multiples of them are taken for one another, nor for a number of gates


@cache
def probe(R, biased):
    """Weights of the equations and the inputs x, h, c on which layouts are tried."""
    D, H, B = PROBE
    g = torch.Generator().manual_seed(11)
    draw = drawing(g, double=True)
    return 0.8 * draw(R, H, D + H + biased), draw(B, D), draw(B, H), draw(B, H)


def copied(given):
    return [a.clone() for a in given]


def ranked(found, known, states):
    """How good a layout is: the number of the first known cell with these results, and where its h (and c) stand; worse ones without c."""
    there = [at for at, v in found.items() if v.shape == known.shape[2:]]
    if not there:
        return (math.inf, *range(states))
    hits = torch.stack([(found[at] - known).abs().amax((2, 3)) < 1e-6 for at in there])  # (results, K, states)
    for i in hits.any(0).all(1).nonzero().flatten().tolist():  # h, and c if there is one, of a known cell
        where = next((w for w in permutations(range(len(there)), states) if all(hits[at, i, s] for s, at in enumerate(w))), None)
        if where:
            return i, *(there[at] for at in where)
    for i in hits[..., 0].any(0).nonzero().flatten().tolist()[:1]:  # at least its h
        first = there[int(hits[:, i, 0].nonzero()[0])]
        others = [at for at in found if at != first and isinstance(at, int)]
        return len(known) + i, first, *(others or [None])[:1]
    return (math.inf, *range(states))


@lru_cache(maxsize=200)
def laid_out(answer, R, biased, states):
    """How a class of cells keeps its weights and where it leaves its results.

    The layout, the places of c to be set, the places of the results, and the number of the known cell that it then equals: 0 for the right one,
    infinity for none.
    """
    D, H, _ = PROBE
    cell, (W, *given) = answer(D, H).double(), probe(R, biased)
    given = given[: 1 + states]
    plain = lambda parts: assigned(parts, dict.fromkeys(("x", "h", "hx", "b"), [*range(R)]), repeat(False), False, R)  # noqa: E731
    if isinstance(cell, Known):
        return plain(parted(dict(cell.named_parameters()), D, H)), [], range(states), 0
    shapes = {name: p.shape for name, p in cell.named_parameters()}
    used = moving(cell, parted(dict(cell.named_parameters()), D, H), given, H)
    square = any(shapes[name][-2:] == (H, H) and not name.endswith("weight") for name in used)
    ways = [places(cell, H)] if states == 2 and takes(cell) < 3 else [[], places(cell, H)][:states]
    best = (math.inf, *range(states)), plain(used), []
    for kept in ways:
        for lot in layouts(used, square, R):
            for layout in lot:
                rank = ranked(tried(cell, written(layout, shapes, W, D, H), copied(given), kept), KNOWN[R], states)
                best = min(best, (rank, layout, kept), key=lambda b: b[0][0])
                if rank[0] == 0:
                    return layout, kept, rank[1:], 0
            if best[0][0] < len(KNOWN[R]):  # a known wrong cell, with fresh weights, is no other one in disguise
                return best[1], best[2], best[0][1:], best[0][0]
    return best[1], best[2], best[0][1:], best[0][0]


def moving(cell, parts, given, H):
    """The parameters on which one step depends."""
    g = torch.Generator().manual_seed(5)
    values = {n: torch.randn(p.shape, generator=g, dtype=DOUBLE) for n, p in cell.named_parameters()}
    kept = places(cell, H) if len(given) > 2 and takes(cell) < 3 else []
    base = tried(cell, values, copied(given), kept)
    moved = lambda n: tried(cell, values | {n: values[n].flip(0) * 1.7 + 0.3}, copied(given), kept)  # noqa: E731
    return {n: part for n, part in parts.items() if any(not torch.equal(v, base.get(at, v)) for at, v in moved(n).items() if v.shape == base[at].shape)}


def stepped(answer, D, H, W, states, x, x_next, *start):
    """Steps of a cell with these weights: the states after the first, after the second, and after the first taken again from the start."""
    try:
        cell = answer(D, H)
        sound(cell)
        if not any(True for _ in cell.parameters()):
            raise Unfit(NO_WEIGHTS)
        if takes(cell) < 2:
            raise Unfit("one_step takes x, h and c" if states == 2 else "one_step takes x and h")
        results(answer(D, H).to(W.dtype), {}, copied([x, *start]), [])  # what fails for any weights fails here, at the sizes that are told
        layout, kept, where, known = laid_out(answer, W.shape[0], W.shape[2] > D + H, states)
        cell.to(W.dtype)
        shapes, out, s = {name: p.shape for name, p in cell.named_parameters()}, [], start
        values = written(layout, shapes, W, D, H)
        for x_t, keeps in ((x, kept), (x_next, None), (x, kept)):  # between the first two, it keeps c by itself
            given = (x_t, *(start if keeps is kept and out else s))
            before, found = copied(given), results(cell, values, given, keeps)
            if {name: p.shape for name, p in cell.named_parameters()} != shapes:
                raise Unfit(MADE)
            if not all(map(torch.equal, passed(cell, given), before)):
                raise Unfit(OVERWRITTEN)
            s = copied(taken(found, where, (len(x), H)))  # the cell may change its own in place
            out += s
            if known == math.inf:
                raise Unfit(unplaced(cell, D, H))
        return out
    except Unfit:
        raise
    except Exception as error:
        raise meant(error, D, H) from None


def in_order(cell, states):
    """one_step(x, h, c) -> (h, c), or one_step(x, h) -> h, of a cell that the check takes for right though it keeps c or returns something else."""
    try:
        _, kept, where, known = laid_out(type(cell), 2 + states, states == 2, states)
    except Exception:
        known = math.inf
    if known:
        return cell.one_step  # as it is

    def one_step(x, *s):
        new = taken(results(cell, {}, (x, *s), kept), where, s[0].shape)
        return tuple(new) if states == 2 else new[0]

    return one_step


def taken(found, where, shape):
    """The new states among the results."""
    if not found or where[0] not in found:
        raise Unfit("one_step returned nothing: is a return missing?" if not found else "one_step returns no new h")
    if where[-1] not in found:
        raise Unfit(NO_C)
    for name, at in zip("hc", where):
        if found[at].shape != shape:
            raise Unfit(f"{name} comes back as {kind(found[at])}, expected {tuple(shape)}")
    return [found[at] for at in where]


def two_lstm_steps(answer, input_size, hidden_size, weights, x, x_next, h, c):
    return stepped(answer, input_size, hidden_size, weights, 2, x, x_next, h, c)


def two_gru_steps(answer, input_size, hidden_size, weights, x, x_next, h):
    return stepped(answer, input_size, hidden_size, weights, 1, x, x_next, h)


def cells(g, R, biased, states, sizes):
    """Weights, two inputs and a state to start from; every third time in float64."""
    cases = []
    for i, (D, H, B) in enumerate(sizes):
        draw = drawing(g, double=i % 3 == 1)
        cases.append((D, H, 0.8 * draw(R, H, D + H + biased), draw(B, D), draw(B, D), *(draw(B, H) for _ in range(states))))
    return cases


class Known(nn.Module):
    """A cell with a layer for each gate over [h, x]; ``on`` names the mistakes that it makes."""

    def __init__(self, input_size, hidden_size, on, names):
        if "super_other" in on:
            super(nn.Linear, self).__init__()
        if "super_missing" not in on:
            super().__init__()
        if "no_gpu" in on:
            raise RuntimeError(MEANS[1][2])
        self.on, layers = on, [nn.Linear(hidden_size + input_size, hidden_size) for _ in names]
        if "unseen" in on:
            self.layers = layers
        elif "in_step" not in on:
            self.layers = nn.ModuleList(layers)

    def summed(self, h, x):
        """What the layers make of [h, x], (B, H) each."""
        v = torch.cat([h, x], dim=0 if "along_batch" in self.on else 1)  # (B, H + D)
        return [v @ layer.weight.T + (0 if "no_bias" in self.on else layer.bias) for layer in self.layers]

    def gate(self, a):
        """A sum, (B, H), to a gate."""
        on = self.on
        gate = (torch.softmax(a, 1) if "softmax" in on else torch.softmax(a, 0) if "softmax_batch" in on else torch.tanh(a) if "tanh_gates" in on
                else a if "raw_gates" in on else torch.sigmoid(a))
        return gate.detach() if "cut_gates" in on else gate

    def candidate(self, a):
        return torch.sigmoid(a) if "sigmoid_candidate" in self.on else a if "raw_candidate" in self.on else torch.tanh(a)


def leaving(on, h, new, *c):
    """What is done to the new state before it is returned, by mistake."""
    if "cut_out" in on:
        new = [a.detach() for a in new]
    if "squeezed" in on:
        new = [a.squeeze() for a in new]
    if "in_place" in on:
        for old, a in zip((h, *c), new):
            old.copy_(a)
        return [h, *c]
    return new


# ---- Exercise 1


class KnownLSTM(Known):
    def one_step(self, x, h, c):
        on, first_h, first_c = self.on, h, c
        h, c = (c, h) if "swapped" in on else (h, c)
        h, c = h.detach() if "cut_h" in on else h, c.detach() if "cut_c" in on else c
        c = 0 * c if "c_from_zero" in on else self.__dict__.setdefault("own", c) if "own_c" in on else c
        f, i, g, o = self.summed(c if "from_c" in on else h, x)  # (B, H) each
        if "candidate_from_c" in on:
            g = self.summed(c, x)[2]
        f, i, g = self.gate(f), self.gate(i), self.candidate(g)
        i = 1 - f if "coupled" in on else f if "one_gate" in on else torch.ones_like(i) if "no_input" in on else i
        f = torch.ones_like(f) if "no_forget" in on else 1 - f if "erases" in on else f
        f, i = (1 - i if "coupled_other" in on else f), i
        new_c = f * (h if "keeps_h" in on else c) + i * g
        self.own = new_c if "own_c" in on else None
        new_c = f * (c + i * g) if "forgets_all" in on else torch.tanh(new_c) if "tanh_kept" in on else new_c
        if "o_from_new_c" in on:
            o = self.summed(new_c, x)[3]
        o = self.gate(o)
        shown = c if "old_shown" in on else new_c
        shown = (shown if "no_tanh" in on or "tanh_kept" in on else torch.sigmoid(shown) if "sigmoid_out" in on else torch.tanh(shown))
        new_h = shown if "no_output" in on else o * shown
        if "no_c" in on:
            return leaving(on, first_h, [new_h])[0]
        return leaving(on, first_h, [new_h, first_c if "stale_c" in on else new_h if "twice" in on else new_c], first_c)


def right_lstm(input_size, hidden_size, *, softmax=False, softmax_batch=False, tanh_gates=False, raw_gates=False, sigmoid_candidate=False,
               raw_candidate=False, no_tanh=False, sigmoid_out=False, tanh_kept=False, old_shown=False, no_output=False, no_input=False,
               no_forget=False, coupled=False, coupled_other=False, one_gate=False, erases=False, forgets_all=False, from_c=False,
               candidate_from_c=False, o_from_new_c=False, keeps_h=False, swapped=False, c_from_zero=False, own_c=False, stale_c=False, twice=False,
               no_c=False, no_bias=False, squeezed=False, in_place=False, cut_h=False, cut_c=False, cut_out=False, cut_gates=False, along_batch=False,
               super_other=False, super_missing=False, no_gpu=False, unseen=False, in_step=False, no_module=False):  # fmt: skip
    """A cell with the equations of TP 6; with a switch on, a known mistake."""
    on = {name for name, value in locals().items() if value is True}
    return object() if no_module else KnownLSTM(input_size, hidden_size, on, "figo")


CLASS = (
    ("along_batch", "h and x are put together along axis 0, which is the batch; torch.cat([h, x], dim=1) puts their features side by side"),
    ("super_other", "super(A, self).__init__() names another class than the one it stands in; super().__init__() needs no name"),
    ("super_missing", "nn.Module is not set up: the first line of __init__ is super().__init__()"),
    ("no_gpu", "a GPU is written into the class; a cell computes where its weights and inputs are: leave .cuda() and device=\"cuda\" out"),
    ("unseen", "there are weights that parameters() does not find, so that no optimiser trains them; make each an attribute (self.forget = "
     "nn.Linear(...)), a list of them an nn.ModuleList, and a tensor an nn.Parameter"),
    ("in_step", "parameters() finds no weights; make the layers in __init__, once, as attributes: what is made in one_step is new at each call"),
    ("no_module", "the class is no nn.Module; write class NAME(nn.Module), so that it has parameters()"),
    ("squeezed", "with a batch of one sequence, an axis is lost (squeeze?); states are (B, H) for B = 1 too"),
    ("in_place", "the states that are given are overwritten, though whoever calls may still need them; make new ones"),
    ("cut_h", "no gradient flows back to the h that is given: torch.tensor(h), .detach() and .data cut the graph; use h as it is"),
    ("cut_out", "what is returned has lost its graph, so that nothing can be learned; leave torch.tensor(...), .detach(), .data and "
     "torch.no_grad() out"),
    ("cut_gates", "the gates have lost their graph, so that their weights learn nothing; leave torch.tensor(...), .detach() and .data out"),
    ("softmax", "the gates are a softmax over the units, which makes units share one budget of 1; a gate is a sigmoid for each unit"),
    ("softmax_batch", "the gates are a softmax over the batch, which mixes sequences; a gate is a sigmoid for each unit"),
    ("tanh_gates", "the gates are tanh, which goes down to -1; a gate lets a share through, from 0 to 1: a sigmoid"),
    ("raw_gates", "the gates have no sigmoid, so that they are no shares between 0 and 1"),
    ("sigmoid_candidate", "the candidate is a sigmoid, which cannot be negative; it is a tanh"),
    ("raw_candidate", "the candidate has no tanh"),
)  # fmt: skip

LSTM = Exercise(
    title="Exercise 1",
    points=6,
    truth=right_lstm,
    slips=slips(
        LSTM_CELL,
        *CLASS,
        ("no_tanh", "the tanh of the output is missing; h = o * tanh(c)", OUTPUT),
        ("sigmoid_out", "the output has a sigmoid of c; h = o * tanh(c)", OUTPUT),
        ("tanh_kept", "c goes through tanh and is kept like that, so that it fades at every step; the tanh belongs to h alone", UPDATE),
        ("old_shown", "h shows the old c; the cell state is updated first, then h = o * tanh(new c)", OUTPUT),
        ("no_output", "the output gate is not used; h = o * tanh(c)", OUTPUT),
        ("no_input", "the input gate is not used; c = f * c + i * candidate", INPUT),
        ("no_forget", "the forget gate is not used, as in the first LSTM, of 1997; c = f * c + i * candidate", FORGET),
        ("coupled", "i is taken as 1 - f: a known variant, which the GRU uses; here each gate has weights of its own"),
        ("coupled_other", "f is taken as 1 - i: a known variant, which the GRU uses; here each gate has weights of its own"),
        ("one_gate", "forget and input gate come from the same layer; each has weights of its own"),
        ("erases", "the forget gate is used as the share to erase, 1 - f; it is the share to keep: c = f * c + ...", FORGET),
        ("forgets_all", "the forget gate acts on what is written too; c = f * c + i * candidate", UPDATE),
        ("from_c", "gates and candidate read c; they read h, as the equations of TP 6 have it (its sentence before them says internal state, "
         "which is c)"),
        ("candidate_from_c", "the candidate reads c; it reads h"),
        ("o_from_new_c", "the output gate reads the new c; it reads the h that was given, as the other gates do", OUTPUT),
        ("keeps_h", "what the forget gate keeps is h; it is c: c = f * c + i * candidate", FORGET),
        ("own_c", "the cell goes on from a c that it keeps in self, and not from the one that is given, so that a second sequence begins with what "
         "is left of the first; use the c that is given", UPDATE),
        ("swapped", "h and c are mistaken for one another; one_step(x, h, c) gets h before c"),
        ("c_from_zero", "the c that is given is not used: each step begins at 0; c = f * c + ...", UPDATE),
        ("stale_c", "the c that is returned is the old one; return the new one, so that it can be carried on"),
        ("twice", "h is returned in the place of c as well; return h, c"),
        ("no_c", "the new c is not returned, and the next step has nothing to go on with; return h, c"),
        ("no_bias", "the layers have no bias; the equations have one for each gate, and one for the candidate"),
        ("cut_c", "no gradient flows back to the c that is given: torch.tensor(c), .detach() and .data cut the very path that the cell was "
         "built for; use c as it is", DIRECT),
    ),  # fmt: skip
    cases=lambda g, sizes=((3, 5, 4), (2, 6, 3), (4, 3, 1)): cells(g, 4, True, 2, sizes),
    read=LSTM_CELL,
    call=two_lstm_steps,
    returns=("h after one step", "c after one step", "h after two steps", "c after two steps", "h after the first step, taken again",
             "c after the first step, taken again"),
    axes=",".join(["row unit"] * 6),
    forbids=THEIRS,
)


# ---- Exercise 2


class KnownGRU(Known):
    def one_step(self, x, h):
        on, given = self.on, h
        h = h.detach() if "cut_h" in on else self.__dict__.setdefault("own", h) if "own_h" in on else h
        z, r, n = self.summed(h, x)  # (B, H) each
        z, r = self.gate(z), self.gate(r)
        r = z if "one_gate" in on else 1 - r if "inverted_reset" in on else torch.ones_like(r) if "no_reset" in on else r
        if "reset_both" in on:
            raise RuntimeError("r, which is (B, H), is multiplied with [h, x], which is (B, H + D)")
        n = self.summed(r * h, x)[2]
        only_x = self.summed(0 * h, x)[2]
        n = only_x + r * (self.summed(h, x)[2] - only_x) if "reset_after" in on else r * self.summed(h, x)[2] if "reset_sum" in on else n
        if "candidate_before" in on:
            n = r * self.candidate(self.summed(h, x)[2])
        else:
            n = self.candidate(n)
        old = r * h if "reset_kept" in on else h
        keep, write = (z, 1 - z) if "z_swapped" in on else (1 - z, z)
        keep = torch.ones_like(z) if "all_kept" in on else torch.zeros_like(z) if "none_kept" in on else keep
        write = torch.ones_like(z) if "all_new" in on else write
        keep, write = (1 + z, -z) if "away" in on else (keep, write)
        new = n if "no_update" in on else keep * old + write * n
        self.own = new if "own_h" in on else None
        return leaving(on, given, [torch.tanh(new) if "tanh_again" in on else new])[0]


def right_gru(input_size, hidden_size, *, z_swapped=False, reset_after=False, reset_sum=False, reset_both=False, candidate_before=False,
              no_reset=False, inverted_reset=False, reset_kept=False, one_gate=False, no_update=False, all_kept=False, none_kept=False, all_new=False,
              away=False, own_h=False, tanh_again=False, softmax=False, softmax_batch=False, tanh_gates=False, raw_gates=False, sigmoid_candidate=False,
              raw_candidate=False, squeezed=False, in_place=False, cut_h=False, cut_out=False, cut_gates=False, along_batch=False,
              super_other=False, super_missing=False, no_gpu=False, unseen=False, in_step=False, no_module=False):  # fmt: skip
    """A cell with the equations of TP 6; with a switch on, a known mistake."""
    on = {name for name, value in locals().items() if value is True}
    return object() if no_module else KnownGRU(input_size, hidden_size, on, "zrn")


GRU = Exercise(
    title="Exercise 2",
    points=5,
    truth=right_gru,
    slips=slips(
        GRU_CELL,
        *(("unseen", says.replace("self.forget", "self.update")) if switch == "unseen" else (switch, says) for switch, says in CLASS),
        ("z_swapped", "z and 1 - z are exchanged: h = z * h + (1 - z) * candidate is a known convention, that of torch and of Cho et al. "
         "(2014); asked for is TP 6's, h = (1 - z) * h + z * candidate", GRU_Z),
        ("reset_after", "the reset gate stands after the product: a known convention, that of torch and of the first version of Cho et al. "
         "(2014); asked for is TP 6's, where r * h goes into the product", GRU_RESET),
        ("reset_sum", "the reset gate acts on x too; it acts on h alone: the candidate reads [r * h, x]", GRU_RESET),
        ("reset_both", "r is multiplied with [h, x], whose features are more than the units; it acts on h alone: [r * h, x]", GRU_RESET),
        ("candidate_before", "the reset gate acts on the candidate, after its tanh; the candidate reads [r * h, x]", GRU_RESET),
        ("no_reset", "the reset gate is not used; the candidate reads [r * h, x]", GRU_RESET),
        ("inverted_reset", "the candidate reads (1 - r) * h; it reads r * h", GRU_RESET),
        ("reset_kept", "what is kept is r * h (is h overwritten by it?); it is h itself: h = (1 - z) * h + z * candidate", GRU_RESET),
        ("one_gate", "z and r come from the same layer; each has weights of its own"),
        ("no_update", "the update gate is not used: the candidate is returned; h = (1 - z) * h + z * candidate"),
        ("all_kept", "all of h is kept, and z * candidate added to it; h = (1 - z) * h + z * candidate"),
        ("none_kept", "nothing of h is kept; h = (1 - z) * h + z * candidate"),
        ("all_new", "the candidate is added whole, without z; h = (1 - z) * h + z * candidate"),
        ("away", "z * (h - candidate) is added to h, which has the sign of z turned: h = (1 - z) * h + z * candidate is h + z * (candidate - h)"),
        ("own_h", "the cell goes on from a state that it keeps in self, and not from the h that is given, so that a second sequence begins with what "
         "is left of the first; use the h that is given"),
        ("tanh_again", "the new state goes through a tanh once more; h = (1 - z) * h + z * candidate, and no more"),
    ),  # fmt: skip
    cases=lambda g, sizes=((3, 5, 4), (2, 6, 3), (4, 3, 1)): cells(g, 3, False, 1, sizes),
    read=GRU_CELL,
    call=two_gru_steps,
    returns=("h after one step", "h after two steps", "h after the first step, taken again"),
    axes=",".join(["row unit"] * 3),
    forbids=THEIRS,
)


VALUES_SAME = {"no_c", "along_batch", "super_other", "super_missing", "no_gpu", "unseen", "in_step", "no_module", "squeezed", "in_place",
               "reset_both", "cut_h", "cut_c", "cut_out", "cut_gates", "own_c", "own_h"}  # fmt: skip


@torch.no_grad()
def seen(exercise, R, biased, states):
    """What the right cell and known wrong ones, with up to two mistakes each, make of the probe: (number, states, B, H)."""
    (D, H, _), (W, x, *s) = PROBE, probe(R, biased)
    cell = exercise.truth(D, H).double()
    for layer, w in zip(cell.layers, W):
        layer.weight.copy_(w[:, : H + D])
        layer.bias.copy_(w[:, H + D] if biased else 0 * w[:, 0])
    switches, out = [slip.switch for slip in exercise.slips if slip.switch not in VALUES_SAME], []
    for n in range(3):
        for cell.on in map(set, combinations(switches, n)):
            new = cell.one_step(x, *s[:states])
            out.append(torch.stack([new] if states == 1 else new))  # (states, B, H)
    return torch.stack(out)


KNOWN = {4: seen(LSTM, 4, True, 2), 3: seen(GRU, 3, False, 1)}


# ---- Exercise 3


def lstm_step(W, x, h, c):
    """One step with the weights of the equations, W (4, H, H + D + 1), in the order of TP 6: f, i, candidate, o."""
    v = torch.cat([h, x, torch.ones_like(x[:, :1])], 1)  # (B, H + D + 1)
    f, i, g, o = torch.einsum("rhd,bd->rbh", W, v)  # (B, H) each
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def right_forward(one_step, x, hidden_size, *, c_lost=False, h_lost=False, swapped=False, shows_c=False, only_last=False, batch_first=False,
                  joined=False, with_start=False, cut=False, backwards=False, first_missing=False, ones=False, one_row=False, narrow=False,
                  over_batch=False, same_x=False, no_batch=False, before=False, last_missing=False, listed=False):
    """All states h of an LSTM, (T, B, D) -> (T, B, H); with a switch on, a known mistake."""
    x = x.transpose(0, 1) if over_batch else x.flip(0) if backwards else x
    B = 1 if one_row else x.shape[1]
    h = c = zeros = (x.new_ones if ones else x.new_zeros)((B, x.shape[2] if narrow else hidden_size)[no_batch:])
    out = [h] if with_start else []
    for x_t in x[first_missing : len(x) - last_missing]:
        if before:
            out.append(h)
        h, c = one_step(x[0] if same_x else x_t, *((c, h) if swapped else (h, c)))  # (B, H), twice
        out += [] if before else [c if shows_c else h]
        h, c = zeros if h_lost else h.detach() if cut else h, zeros if c_lost else c.detach() if cut else c
    if listed:
        return out
    return out[-1] if only_last else torch.cat(out) if joined else torch.stack(out, dim=int(batch_first))


def with_step(answer, x, hidden_size, weights):
    """Call with a step that says what it expects."""
    B, D = x.shape[1:]

    def one_step(x_t, h, c):
        shapes = [tuple(a.shape) for a in (x_t, h, c)]
        if shapes != [(B, D), (B, hidden_size), (B, hidden_size)]:
            raise ValueError(f"one_step(x_t, h, c) expects {(B, D)}, {(B, hidden_size)}, {(B, hidden_size)}, got {', '.join(map(str, shapes))}")
        return lstm_step(weights, x_t, h, c)

    return answer(one_step, x, hidden_size)


def states(result):
    """All states, also as the first of several results."""
    if isinstance(result, tuple) and result and isinstance(result[0], Tensor) and result[0].dim() == 3:
        return result[0]
    if isinstance(result, list | tuple) and all(isinstance(a, Tensor) for a in result) and result:
        raise Unfit(LISTED)
    return result


LISTED = "it returned a list of tensors, expected one tensor, (T, B, H)"


def sequences(g, sizes=((6, 4, 3, 5), (5, 2, 4, 3), (1, 3, 2, 4), (4, 1, 3, 2))):
    """Inputs, sizes and weights; the second time in float64."""
    cases = []
    for i, (T, B, D, H) in enumerate(sizes):
        draw = drawing(g, double=i == 1)
        cases.append((draw(T, B, D), H, draw(4, H, H + D + 1)))
    return cases


forward = Exercise(
    title="Exercise 3",
    points=3,
    truth=right_forward,
    slips=slips(
        LSTM_CELL,
        ("c_lost", "c is not carried: every step begins with c = 0; hand on both, h and c"),
        ("h_lost", "h is not carried: every step begins with h = 0; hand on both, h and c"),
        ("swapped", "h and c change places at each call; one_step(x_t, h, c) returns h, c, in this order"),
        ("shows_c", "the cell states are collected; return the states h"),
        ("only_last", "only the last state is returned; return all of them, (T, B, H)"),
        ("batch_first", "the axes are (B, T, H); in this course time comes first: torch.stack(states), (T, B, H)"),
        ("joined", "the states are joined into (T B, H); torch.stack gives them an axis of their own, (T, B, H)"),
        ("with_start", "the start state is among the states; the first is the one after x[0]"),
        ("listed", "the states come as a list; torch.stack(states) makes one tensor of them, (T, B, H)"),
        ("before", "each state is noted before its step, so that the start state is among them and the last one is not; note h after one_step"),
        ("last_missing", "the last step is left out; range(len(x)) ends with it"),
        ("cut", "the states lose their history at each step, so that no gradient goes back in time; leave .detach() out"),
        ("backwards", "the sequence is read from right to left"),
        ("first_missing", "the first step is left out"),
        ("same_x", "every step reads x[0]; step t reads x[t]"),
        ("ones", "the start states are ones; they are zeros"),
        ("one_row", "the start states are made for a batch of one; they are (B, H), and B = x.shape[1]"),
        ("no_batch", "the start states have no axis for the batch; they are (B, H), and B = x.shape[1]"),
        ("narrow", "the start states have as many numbers as x_t; they are (B, H), with H = hidden_size"),
        ("over_batch", "the loop runs over the sequences of the batch; x is (T, B, D): for x_t in x runs over time"),
    ),
    cases=sequences,
    read=LSTM_CELL,
    call=with_step,
    accept=states,
    axes="t b h",
    forbids=THEIRS,
)


# ---- Exercise 4


def right_gradients(forward, x, *, all_steps=False, first_step=False, mean=False, squared=False, each=False, backwards=False, largest=False,
                    averaged=False, over_batch=False, added=False, one_sequence=False, whole=False, no_leaf=False, square_loss=False, last_sequence=False, relative=False, summed=False,
                    rms=False, each_mean=False):
    """The norm of dL/dx_t for each t, L the sum of the last states; with a switch on, a known mistake."""
    x = x.detach().clone().requires_grad_(not no_leaf)
    h = forward(x)  # (T, B, H)
    last = h if all_steps else h[0] if first_step else h[:, -1] if last_sequence else h[-1]
    loss = last.mean() if mean else (last**2).sum() if square_loss else last.sum()
    grad = torch.autograd.grad(loss, x)[0]  # (T, B, D)
    each_norm = grad.norm(dim=2)  # (T, B)
    sizes = (each_norm if each else grad.sum(1).norm(dim=1) if over_batch else each_norm.sum(1) if added else each_norm[:, 0] if one_sequence
             else grad.flatten(1).norm(dim=1))  # (T,)
    sizes = grad.abs().amax((1, 2)) if largest else grad.abs().mean((1, 2)) if averaged else grad.abs().sum((1, 2)) if summed else sizes
    sizes = (grad**2).mean((1, 2)).sqrt() if rms else each_norm.mean(1) if each_mean else sizes
    sizes = sizes**2 if squared else sizes.flip(0) if backwards else sizes / sizes[-1] if relative else sizes
    return grad.norm() if whole else sizes


def with_forward(answer, x, weights):
    """Call with a small tanh network."""
    x, (W, U, b) = x.detach(), [w.detach() for w in weights]
    T, B, D = x.shape

    def run(x):
        if tuple(x.shape) != (T, B, D):
            raise ValueError(f"forward expects {(T, B, D)}, got {tuple(x.shape)}")
        h, out = x.new_zeros(B, len(U)), []
        for x_t in x:
            h = torch.tanh(x_t @ W + h @ U + b)  # (B, H)
            out.append(h)
        return torch.stack(out)  # (T, B, H)

    return answer(run, x)


def numbers(result):
    """A list of numbers, or of tensors that are numbers, as a tensor without a graph."""
    if isinstance(result, list | tuple) and result and all(isinstance(a, Tensor | np.generic) and a.ndim == 0 for a in result):
        result = [float(a) for a in result]
    return result.detach() if isinstance(result, Tensor) else result


def networks(g, sizes=((6, 4, 3, 5), (5, 2, 4, 3), (1, 3, 2, 4))):
    """Inputs and weights; in the last one the gradient fades by powers of ten, which has to be seen."""
    cases = []
    for i, (T, B, D, H) in enumerate(sizes):
        draw = drawing(g, double=i == 1)
        cases.append((draw(T, B, D), [draw(D, H), 0.5 * draw(H, H), draw(H)]))
    T, B, D, H = sizes[0]
    return [*cases, (draw(T, B, D), [0.3 * draw(D, H), 0.05 * draw(H, H), 0.3 * draw(H)])]


input_gradients = Exercise(
    title="Exercise 4",
    points=3,
    truth=right_gradients,
    slips=slips(
        DIRECT,
        ("all_steps", "the loss is the sum over all steps; it is the sum of the last states alone, h[-1]"),
        ("first_step", "the loss is that of the first state; it is the sum of the last states, h[-1]"),
        ("last_sequence", "the loss is that of the last sequence of the batch, h[:, -1]; the last step is h[-1]"),
        ("mean", "the loss is the mean of the last states; it is their sum"),
        ("square_loss", "the loss is a sum of squares; it is the sum of the last states themselves"),
        ("squared", "the root is missing: these are squared norms"),
        ("each", "there is a norm for each sequence of the batch; take one for each step, over batch and features together"),
        ("over_batch", "the gradients are added over the batch before the norm is taken; square every number first"),
        ("added", "the norms of the sequences are added; the norm over batch and features is the root of the sum of all squares"),
        ("one_sequence", "only the first sequence is looked at; the norm is over batch and features together"),
        ("whole", "this is one norm, of all steps together; return one for each step"),
        ("backwards", "the norms come in reverse; the first belongs to x[0]"),
        ("largest", "this is the largest number of the gradient; the norm is the root of the sum of squares"),
        ("summed", "these are sums of absolute values; the norm is the root of the sum of squares"),
        ("rms", "this is the root of the mean square; the norm is the root of the sum of squares"),
        ("each_mean", "the norms of the sequences are averaged; the norm over batch and features is the root of the sum of all squares"),
        ("relative", "the norms are divided by the last one; return them as they are (the cells below divide)"),
        ("averaged", "this is the mean size of the gradient's numbers; the norm is the root of the sum of squares"),
        ("no_leaf", "x needs no gradient, so that none is kept: x = x.clone().requires_grad_() before forward"),
    ),
    cases=networks,
    read=DIRECT,
    call=with_forward,
    accept=numbers,
    axes="t",
)


# ---- Exercise 5


def right_gates(W_xh, W_hh, b, x, h, *, same_step=False, next_step=False, rolled=False, no_past=False, g_last=False, f_first=False,
                interleaved=False, g_sigmoid=False, o_tanh=False, raw=False, sums=False, no_bias=False, softmax=False, alphabetical=False):
    """The gates of an LSTM at every step, (T, B, H) four times, in torch's order; with a switch on, a known mistake."""
    zeros = torch.zeros_like(h[:1])  # (1, B, H)
    before = h if same_step else torch.cat([h[1:], zeros]) if next_step else h.roll(1, 0) if rolled else torch.cat([zeros, h[:-1]])
    before = 0 * before if no_past else before
    a = x @ W_xh + before @ W_hh + (0 if no_bias else b)  # (T, B, 4H)
    i, f, g, o = a.unflatten(2, (-1, 4)).unbind(3) if interleaved else a.chunk(4, dim=2)
    o, g = (g, o) if g_last else (o, g)
    i, f = (f, i) if f_first else (i, f)
    gate = (lambda a: a) if raw or sums else (lambda a: torch.softmax(a, -1)) if softmax else torch.sigmoid
    i, f, g, o = gate(i), gate(f), (gate if g_sigmoid or sums else torch.tanh)(g), (torch.tanh if o_tanh else gate)(o)
    return (f, g, i, o) if alphabetical else (i, f, g, o)


def four(result):
    """The four in their order, also from a dict or from one tensor."""
    if isinstance(result, dict) and {*result} == {*"ifgo"}:
        result = [result[name] for name in "ifgo"]
    if isinstance(result, Tensor | np.ndarray) and result.ndim == 4 and len(result) == 4:
        result = [*result]
    if not isinstance(result, list | tuple) or len(result) != 4 or not all(isinstance(a, Tensor | np.ndarray) for a in result):
        raise Unfit("it returned nothing: is a return missing?" if result is None else f"it returned {kind(result)}, expected i, f, g and o")
    for name, a in zip("ifgo", result):
        if a.shape != result[0].shape:
            raise Unfit(f"{name} has another shape than i: {tuple(a.shape)} and {tuple(result[0].shape)}")
    return [*result]


def recording(answer, W_xh, W_hh, b, x, h):
    """A call without a graph: what is recorded needs none."""
    return [a.detach() if isinstance(a, Tensor) else a for a in four(plainly(answer, W_xh, W_hh, b, x, h))]


def recordings(g, sizes=((6, 4, 3, 7), (5, 2, 4, 3), (1, 3, 2, 4))):
    cases = []
    for i, (T, B, D, H) in enumerate(sizes):
        draw = drawing(g, double=i == 1)
        cases.append((draw(D, 4 * H), draw(H, 4 * H), draw(4 * H), draw(T, B, D), torch.tanh(draw(T, B, H))))
    return cases


gates = Exercise(
    title="Exercise 5",
    points=3,
    truth=right_gates,
    slips=slips(
        LSTM_CELL,
        ("same_step", "the gates of step t read h[t], the state after the step; they read the one before it, h[t - 1], and zeros at t = 0"),
        ("next_step", "the states are shifted the wrong way; the gates of step t read h[t - 1], and zeros at t = 0"),
        ("rolled", "the first step reads the last state (roll goes round, and h[-1] is the last); before the first step the state is zero"),
        ("no_past", "the state does not take part; the sum is x_t W_xh + h_{t-1} W_hh + b"),
        ("g_last", "the third and the fourth block are exchanged; the order is i, f, g, o"),
        ("f_first", "the first and the second block are exchanged; the order is i, f, g, o (TP 6 begins with f)"),
        ("interleaved", "every fourth number is taken; a block is H neighbouring columns, as chunk(4, dim=-1) cuts them"),
        ("g_sigmoid", "the candidate g went through a sigmoid; it is a tanh"),
        ("o_tanh", "the output gate went through tanh; it is a sigmoid"),
        ("raw", "i, f and o are the sums; a gate is the sigmoid of its sum"),
        ("sums", "these are the sums; i, f and o are the sigmoid of theirs, g is the tanh of its own"),
        ("softmax", "the gates are a softmax over the units; a gate is a sigmoid for each unit"),
        ("no_bias", "the bias is missing"),
        ("alphabetical", "they come in the order f, g, i, o; return i, f, g, o"),
    ),
    cases=recordings,
    read=LSTM_CELL,
    call=recording,
    returns=("i", "f", "g", "o"),
    axes="t b h,t b h,t b h,t b h",
    forbids=THEIRS,
)


# ---- Exercise 6


def right_forget_bias(lstm, value, *, both=False, one_left=False, other_left=False, input_block=False, candidate_block=False, last_block=False,
                      whole=False, one_layer=False, two_layers=False, one_way=False, added=False, strided=False, rounded=False, zeroed=False,
                      others_zeroed=False, weights=False, frozen=False, leaf=False, replaced=False, halves_reversed=False, new=False, on_copy=False):  # fmt: skip
    """Set the forget gate's bias of a torch LSTM, in place; with a switch on, a known mistake."""
    lstm, H = copy.deepcopy(lstm) if on_copy else lstm, lstm.hidden_size
    begin, value = 0 if input_block else 2 * H if candidate_block else 3 * H if last_block else H, int(value) if rounded else value
    block = slice(None) if whole else slice(1, None, 4) if strided else slice(2 * H) if halves_reversed else slice(begin, begin + H)
    if replaced:
        lstm.bias_ih_l0 = torch.full((4 * H,), value)
    for name, p in [*lstm.named_parameters()]:
        skipped = (one_layer and "l0" not in name) or (one_way and "reverse" in name) or (two_layers and not re.search("l[01]", name))
        if leaf:
            p[block] = value
        first = name.startswith("bias_ih") or weights
        with torch.no_grad():
            if not skipped and (name.startswith("bias") or weights):
                left = (one_left and not first) or (other_left and first)
                if others_zeroed or (zeroed and not first):
                    p.zero_()
                p[block] = p[block] + value * first if added else p[block] if left else value * (first or both or other_left)
        if new and name.startswith("bias"):
            setattr(lstm, name, nn.Parameter(p.detach().clone()))
        p.requires_grad_(not frozen)


REST = ("the weights have changed, not only the biases", "a parameter no longer asks for gradients", "a parameter is no longer the one that it was")


def biased(answer, hidden_size, input_size, layers, both_ways, value, biases):
    """Call with an LSTM of torch that has these biases: their sums in the end, and whether anything else has changed."""
    lstm = nn.LSTM(input_size, hidden_size, layers, bidirectional=both_ways)
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in lstm.parameters():
            p.copy_(torch.randn(p.shape, generator=g))
        for name, b in zip([n for n, _ in lstm.named_parameters() if n.startswith("bias")], biases.detach().flatten(0, 1)):
            getattr(lstm, name).copy_(b)
    first = dict(lstm.named_parameters())
    before = {name: p.detach().clone() for name, p in first.items()}
    answer(lstm, value)
    now = dict(lstm.named_parameters())
    sums = [now[n] + now[n.replace("_ih_", "_hh_")] for n in now if n.startswith("bias_ih")]
    rest = (all(torch.equal(now[n], before[n]) for n in now if n.startswith("weight")), all(p.requires_grad for p in now.values()),
            all(now[n] is first[n] for n in now))  # fmt: skip
    return torch.stack(sums).detach(), torch.tensor([float(kept) for kept in rest])


def bias_words(name, at, wanted, got):
    return REST[at[0]] if name == "the rest" else ""


def lstms(g, sizes=((3, 5, 1, False), (4, 2, 2, False), (3, 4, 1, True), (2, 3, 3, False)), values=(3.0, 1.0, -2.0, 1.5)):
    return [(H, D, n, way, v, torch.randn(n * (1 + way), 2, 4 * H, generator=g)) for (H, D, n, way), v in zip(sizes, values)]


set_forget_bias = Exercise(
    title="Exercise 6",
    points=4,
    truth=right_forget_bias,
    slips=slips(
        DECAY,
        ("both", "the value is set twice: torch adds bias_ih and bias_hh, so that the gate's bias is 2 * value; set one to it, the other to 0"),
        ("one_left", "only one of torch's two biases is set, and the other keeps what it was; their sum is the gate's bias: set the other to 0"),
        ("other_left", "what bias_ih was is still in the sum: it was kept, or the value was added to it; the two biases' sum is the gate's bias: set the other to 0"),
        ("zeroed", "all of bias_hh is set to 0, with what it held for the other gates; entries H to 2H alone are the forget gate's"),
        ("others_zeroed", "the biases of the other gates are set to 0; leave them as they are: entries H to 2H alone are the forget gate's"),
        ("input_block", "the first block is set, which is the input gate; torch's order is i, f, g, o: entries H to 2H"),
        ("candidate_block", "the third block is set, which is the candidate; torch's order is i, f, g, o: entries H to 2H"),
        ("last_block", "the fourth block is set, which is the output gate; torch's order is i, f, g, o: entries H to 2H"),
        ("halves_reversed", "the input gate's entries are set too; the forget gate has entries H to 2H alone"),
        ("whole", "all four blocks are set; the forget gate has entries H to 2H alone"),
        ("strided", "every fourth entry is set; a block is H neighbouring entries, H to 2H"),
        ("one_layer", "only the first layer is set; an LSTM may have several, l0, l1, ..."),
        ("two_layers", "layers after the second are left out; an LSTM may have any number, l0, l1, l2, ..."),
        ("one_way", "the direction from right to left is left out; its names end with _reverse"),
        ("rounded", "the value is rounded to a whole number; set it as it is"),
        ("on_copy", "the LSTM that is given has not changed (is a copy?); change it itself, in place"),
        ("added", "the value is added to what is there; set it"),
        ("weights", "the weights are set too; set the biases alone"),
        ("frozen", "the parameters no longer ask for gradients, so that they cannot be trained; leave requires_grad as it is"),
        ("new", "the parameters are other ones than before, so that an optimiser which has the old ones trains nothing; change entries of the "
         "parameter that is there"),
        ("leaf", "autograd does not let a parameter be changed in place; do it under torch.no_grad()"),
        ("replaced", "a tensor is put in the place of a parameter; change entries of the parameter that is there, under torch.no_grad()"),
    ),
    cases=lstms,
    read=DECAY,
    call=biased,
    returns=("the bias", "the rest"),
    words=bias_words,
    axes="layer entry,",
)


# ---- Exercise 7


def right_adding(values, first, second, *, all_marked=False, channels=False, mean=False, all_summed=False, one_mark=False, one_target=False,
                 product=False, positions=False, batch_first=False, channel_first=False, minus=False, numbered=False, column=False, masked=False, from_one=False):
    """Inputs (T, B, 2) and targets (B,) of the adding problem; with a switch on, a known mistake."""
    T, B = values.shape
    marks, each = torch.full((T, B), -1.0 if minus else 0.0, dtype=values.dtype), torch.arange(B)
    if all_marked:
        marks[first] = marks[second] = 1.0
    else:
        marks[first, each] = 1.0
        if not one_mark:
            marks[second, each] = 2.0 if numbered else 1.0
    a, b = values[first, each], values[second, each]  # (B,) each
    target = a * b if product else a if one_target else a + b
    if from_one:
        marks = marks.roll(-1, 0)
    target = values.sum(0) if all_summed else target / 2 if mean else (first + second).to(values) if positions else target
    shown = values * (marks > 0) if masked else values
    x = torch.stack([marks, shown] if channels else [shown, marks], dim=0 if channel_first else -1)
    return x.transpose(0, 1) if batch_first else x, target[:, None] if column else target


def draws(g, sizes=((7, 4), (9, 3), (2, 5))):
    cases = []
    for i, (T, B) in enumerate(sizes):
        first = torch.randint(T // 2, (B,), generator=g)
        second = torch.randint(T // 2, T, (B,), generator=g)
        values = (torch.randn if i == 1 else torch.rand)(T, B, generator=g, dtype=DOUBLE if i == 1 else torch.float32)
        cases.append((values, *((second, first) if i == 1 else (first, second))))
    return cases


def pair(result):
    return [torch.as_tensor(a).double() for a in result]


adding_data = Exercise(
    title="Exercise 7",
    points=2,
    truth=right_adding,
    slips=slips(
        ADDING,
        ("all_marked", "each mark is set in all sequences: marks[first] = 1 marks whole rows; marks[first, torch.arange(B)] = 1 marks one entry "
         "a sequence"),
        ("channels", "the two features are exchanged; feature 0 is the number, feature 1 the mark"),
        ("mean", "the target is the mean; it is the sum of the two marked numbers"),
        ("all_summed", "the target is the sum of all numbers; it is that of the two marked ones"),
        ("one_mark", "only the first of the two steps is marked"),
        ("one_target", "the target is the first marked number; it is the sum of the two"),
        ("product", "the target is the product; it is the sum of the two marked numbers"),
        ("positions", "the target is the sum of the positions; it is that of the numbers which stand there"),
        ("batch_first", "the axes are (B, T, 2); in this course time comes first: (T, B, 2)"),
        ("channel_first", "the axes are (2, T, B); the features come last: torch.stack([...], dim=-1)"),
        ("from_one", "the marks stand one step too early; steps are counted from 0: values[first], marks[first]"),
        ("minus", "unmarked steps have a mark of -1; here they have 0"),
        ("numbered", "the second mark is 2; both are 1"),
        ("masked", "the numbers that are not marked were set to 0, which gives the answer away: let the network ignore them"),
        ("column", "the targets have an axis too many; they are (B,)"),
    ),
    cases=draws,
    read=ADDING,
    call=plainly,
    returns=("x", "target"),
    accept=pair,
    axes="t b d,b",
    forbids=("rnncourse.tasks.adding",),
)


# ---- Exercise 8


def right_needed(errors, window, bound, mean_bound, *, signed=False, signed_mean=False, begins=False, index=False, mean_only=False,
                 all_only=False, either=False, so_far=False, in_lots=False, early=False, to_end=False, last_only=False, last_missing=False,
                 first_missing=False, at_most=False, mean_at_most=False, minus_one=False, apart=False, squares=False, never=False,
                 mean_so_far=False, final=False):  # fmt: skip
    """How many sequences were needed until the last ``window`` errors are all small; None if never. With a switch on, a mistake."""
    size = errors if signed else errors**2 if squares else errors.abs()  # (N,)
    met, found = [None, None], None
    for n in range(1 if early else window + first_missing, len(errors) + 1 - last_missing):
        if in_lots and n % window:
            continue
        last = size[:n] if so_far else size[max(0, n - window) : n]
        average = (errors[n - window : n] if signed_mean else size[:n] if mean_so_far else last).mean()
        average = average if signed else average.abs()
        most = last[-1] if last_only else last.max()
        small, low = bool(most <= bound if at_most else most < bound), bool(average <= mean_bound if mean_at_most else average < mean_bound)
        met = [m or (n if ok else None) for m, ok in zip(met, (small, low))]
        small, low = map(bool, met) if apart else (small, low)
        if not never and ((small or low) if either else (small or mean_only) and (low or all_only)):
            found = n - window if begins else n - 1 if index else n
            if not final:
                break
    return -1 if minus_one and found is None else len(errors) if to_end and found is None else found


def whole(result):
    """A whole number; below all numbers for None."""
    if isinstance(result, bool) or not (result is None or isinstance(result, int | float | np.number) or isinstance(result, Tensor)
                                        and result.numel() == 1):  # fmt: skip
        raise Unfit(f"it returned {kind(result)}, expected a number of sequences, or None")
    return torch.tensor(-math.inf if result is None else float(result))


def counted(name, at, wanted, got):
    """Counts in words."""
    said = ["None" if n == -math.inf else f"{n:g}" for n in (wanted, got)]
    return f"expected {said[0]}, got {said[1]}"


def courses(g, windows=(20, 20, 14, 30, 20, 16, 18, 8, 12, 10)):
    """Courses of errors, one for each way to be small that is not the one asked for; the two bounds come last."""
    cases = []
    for i, w in enumerate(windows):
        more = int(torch.randint(3, w, (), generator=g))
        start, rest = 0.5 * torch.ones(more), 0.005 * (1 + torch.rand(3 * w + more, generator=g))
        signs = torch.where(torch.arange(2 * w + more) % 2 == 0, 1.0, -1.0)
        bounds = 0.08, 0.02
        if i % 10 == 0:  # each within the bound, and they cancel
            errors = torch.cat([start, 0.05 * signs, rest])
        elif i % 10 == 1:  # where 20 w / 1000 leaves the window, the mean is low, and the last error is not
            errors = torch.cat([start, rest[: 5 + w // 2], rest])
            errors[[len(start) + 2, len(start) + 2 + w]] = torch.tensor([0.018 * w, 0.0817 + 0.002 * (w > 20)])
        elif i % 10 == 2:  # too low, all of them
            errors = torch.cat([start, -start, -0.12 * (1 + rest), -rest])
        elif i % 10 == 3:  # the last full window is the first good one
            errors = torch.cat([rest[:1] + 0.5, -rest[:w]])
        elif i % 10 == 4:  # small from the beginning, for one window, and bad from there on
            errors = torch.cat([rest[:w], start, 0.3 * signs])
        elif i % 10 == 5:  # too few
            errors = rest[: w - 1]
        elif i % 10 == 6:  # one by one within the bound, and of one sign; then low on average, with one that is large; then both
            errors = torch.cat([start, 0.05 + rest[: w + 2], rest[: 2 * w], rest])
            errors[more + w + 2 + w // 2] = 0.1
        elif i % 10 == 9:  # one that is large, and so many small ones that it is lost in the mean of all
            errors = torch.cat([0.3 + rest[:1], rest[: 3 * w]])
        else:  # exactly at a bound, in numbers that have no rounding: one error at 1/4, then a mean of 1/8; then well below
            bounds = 0.25, 0.125
            one = torch.full((w,), 0.0625)
            errors = torch.cat([start, torch.where(torch.arange(w) == w // 2, 0.25, one) if i % 10 == 7 else 2 * one, one / 2, one / 2])
        cases.append((errors, w, *bounds))
    return [cases[0], *cases]


sequences_needed = Exercise(
    title="Exercise 8",
    points=2,
    truth=right_needed,
    slips=slips(
        ADDING,
        ("signed", "errors below zero count as small, whatever their size; take absolute values"),
        ("signed_mean", "in the mean, errors above and below zero cancel; take the mean of absolute values"),
        ("begins", "the window's beginning is returned; return how many sequences had been seen at its end"),
        ("index", "the index of the last error is returned; a number of sequences is one more"),
        ("squares", "squares are looked at; the bounds are for sizes, so take absolute values"),
        ("last_missing", "n = len(errors) is never looked at; range(window, len(errors) + 1) ends with it"),
        ("first_missing", "n = window, the first full window, is never looked at; range(window, len(errors) + 1) begins with it"),
        ("at_most", "an error of exactly the bound counts as small; below means <"),
        ("mean_at_most", "a mean of exactly its bound counts as low; below means <"),
        ("minus_one", "where it never happens, -1 is returned, which to Python is as good as any number; return None"),
        ("apart", "the two conditions may be met at different n; both have to hold for the same window"),
        ("final", "the last window is returned that is good; return the first"),
        ("mean_so_far", "the mean is that of all errors since the beginning; it is that of the last ones, a window"),
        ("never", "it never finds a window (is its length written as a number? It is `window`), and always returns None"),
        ("mean_only", "the mean alone decides; each error of the window has to be below the bound too: all of them, not any"),
        ("all_only", "the mean is not looked at; it has to be below its own bound too"),
        ("either", "one of the two conditions is enough for it; both are needed"),
        ("so_far", "all errors since the beginning are looked at; only the last ones, a window, count"),
        ("in_lots", "only whole windows, one after the other, are looked at; the window moves on by one sequence at a time"),
        ("early", "a window that is not yet full counts; the first full one ends at n = window"),
        ("to_end", "where it never happens, the length is returned; return None"),
        ("last_only", "of the errors only the last is compared with the bound; all of the window are"),
    ),
    cases=courses,
    read=ADDING,
    call=plainly,
    accept=whole,
    words=counted,
)


# ---- Exercise 9


def gru_step(W, b, x, h):
    """One step of TP 6's GRU, with the weights (3, H, H + D) over [h, x] and biases (3, H) of z, r and the candidate."""
    z, r, _ = torch.sigmoid(torch.einsum("rhd,bd->rbh", W, torch.cat([h, x], 1)) + b[:, None])  # (B, H) each
    return (1 - z) * h + z * torch.tanh(torch.cat([r * h, x], 1) @ W[2].T + b[2])  # (B, H)


def right_torch(W_z, W_r, W_n, b_z, b_r, b_n, *, kept=False, only_weights=False, only_bias=False, zrn=False, x_first=False, all_negated=False,
                gates_negated=False, one_minus=False, b_inside=False, twice=False, transposed=False, no_bias=False, r_negated=False, hh_kept=False, no_hh=False):
    """TP 6's GRU in the arrays of torch.nn.GRUCell, as far as that goes; with a switch on, a known mistake."""
    H = len(b_z)
    if not (kept or r_negated):
        W_z, b_z = (1 - W_z if one_minus else W_z if only_bias else -W_z), 1 - b_z if one_minus else b_z if only_weights else -b_z
    if all_negated:
        W_n, b_n = -W_n, -b_n
    if r_negated or gates_negated or all_negated:
        W_r, b_r = -W_r, -b_r
    W, b = torch.cat([W_z, W_r, W_n] if zrn else [W_r, W_z, W_n]), torch.cat([b_z, b_r, b_n] if zrn else [b_r, b_z, b_n])  # (3H, H + D), (3H,)
    x, h = (W[:, : W.shape[1] - H], W[:, W.shape[1] - H :]) if x_first else (W[:, H:], W[:, :H])  # (3H, D), (3H, H)
    h = h * torch.tensor([1, -1, 1]).repeat_interleave(H)[:, None] if hh_kept else 0 * h if no_hh else h
    b = 0 * b if no_bias else b
    inside = torch.cat([0 * b[: 2 * H], b[2 * H :]])
    return (x.T if transposed else x), (h.T if transposed else h), b - inside if b_inside else b, b if twice else inside if b_inside else 0 * b


def moved(answer, W_z, W_r, W_n, b_z, b_r, b_n):
    """Call without a graph: the weights, and the biases; of those of r and z only the sums count."""
    result = plainly(answer, W_z, W_r, W_n, b_z, b_r, b_n)
    if not isinstance(result, list | tuple) or len(result) != 4 or not all(isinstance(a, Tensor | np.ndarray) for a in result):
        raise Unfit("it returned nothing: is a return missing?" if result is None else f"it returned {kind(result)}, expected four tensors")
    W_ih, W_hh, b_ih, b_hh = (torch.as_tensor(a).detach() for a in result)
    for name, b in (("bias_ih", b_ih), ("bias_hh", b_hh)):
        if b.shape != (3 * len(b_z),):
            raise Unfit(f"{name} has shape {tuple(b.shape)}, expected {(3 * len(b_z),)}")
    n = 2 * len(b_z)
    return W_ih, W_hh, b_ih[:n] + b_hh[:n], b_ih[n:], b_hh[n:]


def grus(g, sizes=((3, 5), (6, 4), (2, 3))):
    cases = []
    for D, H in sizes:
        cases.append((*(torch.randn(H, H + D, generator=g) for _ in range(3)), *(torch.randn(H, generator=g) for _ in range(3))))
    return cases


to_torch = Exercise(
    title="Exercise 9",
    points=2,
    truth=right_torch,
    slips=slips(
        MOVE,
        ("kept", "z is handed over as it is; torch's z is TP 6's 1 - z, and sigmoid(-a) = 1 - sigmoid(a): negate its weights and its bias"),
        ("only_weights", "the weights of z are negated, but not its bias; sigmoid(-(W v + b)) needs both"),
        ("only_bias", "the bias of z is negated, but not its weights; sigmoid(-(W v + b)) needs both"),
        ("hh_kept", "z's weights for x and its bias are negated, but not its weights for h, in weight_hh; sigmoid(-(W v + b)) needs all of W"),
        ("no_hh", "weight_hh is zero: at a step from h = 0 it does not matter, at the next one it does; carry all weights over"),
        ("one_minus", "1 - W is not what makes 1 - z; sigmoid(-a) = 1 - sigmoid(a): negate weights and bias"),
        ("r_negated", "r is negated in the place of z; r means the same in both"),
        ("gates_negated", "r is negated as well; it means the same in both, z alone is turned round"),
        ("all_negated", "everything is negated; z alone is turned round"),
        ("zrn", "the blocks come as z, r, n; torch's order is r, z, n"),
        ("x_first", "the columns are read as [x, h]; they are [h, x]: the first H belong to h"),
        ("transposed", "the matrices are transposed; torch keeps (3H, D) and (3H, H), a row for each unit"),
        ("b_inside", "the candidate's bias is in bias_hh, where torch multiplies it with r; it belongs to bias_ih", GRU_RESET),
        ("twice", "the biases are in bias_ih and in bias_hh, which torch adds; put zeros in one of them"),
        ("no_bias", "the biases are missing"),
    ),
    cases=grus,
    read=MOVE,
    call=moved,
    returns=("weight_ih", "weight_hh", "bias_ih + bias_hh of r and z", "bias_ih of n", "bias_hh of n"),
    axes="row column,row column,entry,entry,entry",
)
