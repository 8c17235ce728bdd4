"""The checks of Lab 1, and the wrong answers that they can name."""

import numpy as np
import torch

from rnncourse.checks import Exercise, Slip
from rnncourse.traces import Unfit

PAGE = "recurrence/cell.html"
CELL, LECTURE, UNFOLD = f"{PAGE}#sec-cell", f"{PAGE}#sec-simple-rnn", f"{PAGE}#sec-unfold"
DIRECTIONS, PADDING, TORCH = f"{PAGE}#sec-directions", f"{PAGE}#sec-padding", f"{PAGE}#sec-torch-rnn"
CUT = "the graph is cut (torch.tensor, detach, .data, .item, numpy, no_grad): no gradient flows back; compute with the tensors themselves"
OURS = ("rnncourse.cells.RNN", "rnncourse.unfold.unfold", "rnncourse.unfold.unfold_back", "rnncourse.unfold.both_ways",
        "rnncourse.unfold.stacked", "rnncourse.unfold.reverse", "rnncourse.unfold.last", "rnncourse.unfold.summary")
THEIRS = ("torch.nn.RNN", "torch.nn.RNNCell", "torch.nn.LSTM", "torch.nn.LSTMCell", "torch.nn.GRU", "torch.nn.GRUCell", "torch.rnn_tanh",
          "torch.rnn_relu", "torch.rnn_tanh_cell", "torch.rnn_relu_cell")
PACKED = (*(f"torch.nn.utils.rnn.{name}" for name in
            ("pad_sequence", "pack_sequence", "pack_padded_sequence", "pad_packed_sequence", "unpad_sequence")),
          "torch._C._nn.pad_sequence", "torch._VF._pack_padded_sequence", "torch._VF._pad_packed_sequence")  # fmt: skip


def weights(g, D, H):
    return torch.randn(D, H, generator=g), torch.randn(H, H, generator=g), torch.randn(H, generator=g)


def some_lengths(g, T, B, full):
    """Lengths in 1 to T, (B,), in no order; the second is 1, the longest T, or T - 1 if not ``full``."""
    lengths = torch.randint(1, max(T, 2), (B,), generator=g)  # (B,)
    lengths[:2], lengths[-1] = torch.tensor([T - 2, 1])[:B], T if full else T - 1
    return lengths.clamp(1, T)


# ---- Exercise 1


def right_step(x_t, h, W_xh, W_hh, b, *, no_tanh=False, sigmoid=False, relu=False, softmax=False, tanh_each=False, tanh_split=False,
               tanh_input=False, tanh_state=False, bias_after=False, no_bias=False,
               bias_twice=False, no_past=False, no_input=False, kept=False, columns=False, turned=False, first=False, hh_turned=False,
               exchanged=False, exchanged_h=False, rows=False, rows_h=False, under=False, elementwise=False, cut=False, cut_state=False):
    """One step, (B, D) and (B, H) -> (B, H); with a switch on, a known wrong one. Some of them raise."""
    h = h.detach() if cut_state else h
    W_hh = W_hh.T if hh_turned else W_hh
    under and torch.cat([x_t, h])
    first and W_xh @ x_t
    columns and W_xh.T @ x_t
    elementwise and x_t * W_xh
    exchanged_h and h @ W_xh
    now = 0 * (h @ W_hh) if no_input else x_t @ (W_xh.T if turned else W_hh if exchanged else W_xh)  # (B, H)
    past = 0 * now if no_past else h @ W_hh  # (B, H)
    if rows or rows_h:
        xh, W = ([x_t, h], [W_hh, W_xh]) if rows else ([h, x_t], [W_xh, W_hh])
        now, past = torch.cat(xh, 1) @ torch.cat(W), 0 * now  # (B, D + H) @ (D + H, H) -> (B, H)
    shift = 0 * b if no_bias else 2 * b if bias_twice else b
    squash = (lambda a: a) if no_tanh else torch.sigmoid if sigmoid else torch.relu if relu else torch.tanh
    squash = (lambda a: a.softmax(1)) if softmax else squash
    outside, shift = (shift, 0 * shift) if bias_after else (0 * shift, shift)
    new = (squash(now) + squash(past + shift) if tanh_each else squash(now + shift) + squash(past) if tanh_split
           else squash(now + shift) + past if tanh_input else now + squash(past + shift) if tanh_state else squash(now + past + shift))
    new = new + outside
    new = new + h if kept else new
    return new.detach() if cut else new


rnn_step = Exercise(
    title="Exercise 1",
    points=2,
    truth=right_step,
    slips=(
        Slip("no_tanh", "the tanh is missing; it is taken of the whole sum", CELL),
        Slip("sigmoid", "the sum goes through a sigmoid; here it is tanh", CELL),
        Slip("relu", "the sum goes through a ReLU; here it is tanh", CELL),
        Slip("softmax", "the sum goes through a softmax, so that the units share one budget of 1; tanh treats each unit by itself", CELL),
        Slip("tanh_each", "tanh is taken of the input's part and of the rest; it is taken once, of the whole sum", CELL),
        Slip("tanh_split", "tanh is taken of the input's part with the bias, and of the state's; it is taken once, of the whole sum", CELL),
        Slip("tanh_input", "the old state's part is added outside the tanh; it is taken of the whole sum (look at the parentheses)", CELL),
        Slip("tanh_state", "the input's part is added outside the tanh; it is taken of the whole sum (look at the parentheses)", CELL),
        Slip("bias_after", "the bias is added after the tanh; it belongs to the sum inside", CELL),
        Slip("no_bias", "the bias b is missing from the sum", CELL),
        Slip("bias_twice", "the bias counts twice (once with each product, perhaps); torch.nn.RNN keeps two, we keep their sum, once",
             TORCH),
        Slip("no_past", "the old state h has no part in the new one; h @ W_hh belongs to the sum", CELL),
        Slip("no_input", "the input x_t has no part in the new state; x_t @ W_xh belongs to the sum", CELL),
        Slip("kept", "the old state is added to the new one; it enters only through W_hh, inside the tanh", CELL),
        Slip("columns", "W_xh.T @ x_t is the column form, for one vector; here each row of x_t is a sequence, so the matrix stands on "
             "the right", CELL),
        Slip("turned", "x_t meets W_xh turned round, (H, D) (F.linear does that too); W_xh is (D, H), so x_t @ W_xh fits as it is", CELL),
        Slip("first", "W_xh stands left of x_t; (B, D) @ (D, H) is x_t @ W_xh", CELL),
        Slip("hh_turned", "h meets W_hh turned round (F.linear does that too); it is square, so no error says so. It is h @ W_hh", CELL),
        Slip("exchanged", "W_xh and W_hh have changed places; W_xh (D, H) reads the input, W_hh (H, H) the old state", CELL),
        Slip("exchanged_h", "W_xh and W_hh have changed places; W_hh (H, H) reads the old state, W_xh (D, H) the input", CELL),
        Slip("rows_h", "[h, x] stands side by side but W_xh lies above W_hh; the rows go in the order of the columns: W_hh above W_xh",
             CELL),
        Slip("rows", "[x, h] stands side by side but W_hh lies above W_xh; the rows go in the order of the columns: W_xh above W_hh", CELL),
        Slip("under", "torch.cat put h under x_t, as if it were more sequences; dim=1 puts them side by side", LECTURE,
             r"(cat|concat|concatenate|vstack)\(\W*x_t\W+h\W*(, *(dim|axis)? *=? *0 *)?\)"),
        Slip("elementwise", "x_t * W_xh multiplies entry by entry; the matrix product is x_t @ W_xh", CELL,
             r"x_t *\* *W_xh|W_xh *\* *x_t|mul(tiply)?\("),
        Slip("cut", CUT, CELL),
        Slip("cut_state", "no gradient flows back to h: the graph is cut there (torch.tensor(h), detach, .data); use h itself", CELL),
    ),
    cases=lambda g, sizes=((2, 3, 4), (2, 3, 4), (5, 4, 3), (1, 3, 4)): [  # (B, D, H)
        (torch.randn(B, D, generator=g), torch.randn(B, H, generator=g), *weights(g, D, H)) for B, D, H in sizes],
    read=CELL,
    returns=("h_t",),
    forbids=THEIRS + OURS,
    axes="b unit",
)


# ---- Exercise 2


def given_step(x, h0, W_xh, W_hh, b):
    """The step that `unfold` is given, which says what it expects."""
    wanted = (tuple(x.shape[1:]), tuple(h0.shape))

    def step(x_t, h):
        shapes = tuple(x_t.shape), tuple(h.shape)
        if shapes != wanted:
            raise ValueError(f"step(x_t, h) expects x_t (B, D) = {wanted[0]} and h (B, H) = {wanted[1]}, got {shapes[0]} and {shapes[1]}")
        return right_step(x_t, h, W_xh, W_hh, b)

    return step


def filled(step, x, h0, aliased):
    """Two ways to lose the past in place, (T, B, H): one state overwritten T times, or read back from the tensor that is being filled."""
    h, rows = h0.clone(), h0.new_zeros(len(x), *h0.shape)  # (B, H), (T, B, H)
    for t, x_t in enumerate(x):
        if aliased:
            h[:] = step(x_t, h)
        else:
            rows[t] = step(x_t, rows[t - 1] if t else h0)
    return torch.stack([h] * len(x)) if aliased else rows


def right_unfold(step, x, h0, *, batch_first=False, whole=False, order=False, two_values=False, zeros=False, not_carried=False,
                 backwards=False, short=False, late=False, kept_start=False, shifted=False, aliased=False, overwritten=False,
                 cut_between=False, listed=False, catted=False, stacked_b=False, only_h=False, only_last=False, swapped=False,
                 leading=False, first_state=False, start_state=False, cut=False, cut_start=False, cut_last=False):
    """All states and the last one, (T, B, D) -> (T, B, H), (B, H); with a switch on, a known wrong answer. Some of them raise."""
    whole and step(x, h0)
    order and step(h0, x[0])
    h0 = h0.detach() if cut_start else h0
    h, states, out = 0 * h0 if zeros else h0, [], [h0] * kept_start
    for x_t in x.flip(0) if backwards else x[:-1] if short else x[1:] if late else x.transpose(0, 1) if batch_first else x:
        new = step(x_t, h0 if not_carried else h.detach() if cut_between and states else h)  # (B, H)
        if two_values:
            new, h = new
            continue
        out.append(h if shifted else new)
        states.append(new)
        h = new
    if aliased or overwritten:
        out = filled(step, x, h0, aliased)  # (T, B, H)
        h = out[-1]
    if only_last:
        return h
    last = h0 if start_state else states[0] if first_state else h.detach() if cut_last else h
    last = last[None] if leading else last
    out = out if listed else torch.cat([*out]) if catted else torch.stack([*out], 1) if stacked_b else torch.stack([*out])
    if cut:
        out, last = out.detach(), last.detach()
    return out if only_h else (last, out) if swapped else (out, last)


unfold = Exercise(
    title="Exercise 2",
    points=3,
    truth=right_unfold,
    slips=(
        Slip("batch_first", "the loop runs over the second axis, which is the batch; time is the first axis, so x[t] is step t of all "
             "sequences", UNFOLD),
        Slip("whole", "step gets all of x at once; it takes one step of all sequences, x[t]", UNFOLD),
        Slip("order", "step gets its arguments in the wrong order; it is step(x_t, h), the input first", UNFOLD),
        Slip("two_values", "step is taken to return two things; here it returns one, the new state (B, H)", UNFOLD),
        Slip("zeros", "h0 is ignored and zeros stand in its place; the first step starts from h0", UNFOLD),
        Slip("not_carried", "every step starts from h0; each step starts from the state that the one before has made", UNFOLD),
        Slip("backwards", "the steps are read from the last to the first; unfold goes from left to right", DIRECTIONS),
        Slip("short", "the last step is left out; T inputs make T states", UNFOLD),
        Slip("late", "the first step is left out; x[0] is the first input", UNFOLD),
        Slip("kept_start", "h0 stands among the states, so there are T + 1 of them; h[0] is the state after the first step", UNFOLD),
        Slip("shifted", "each state is stored before its step; h[t] is the state after step t has been read", UNFOLD),
        Slip("aliased", "one tensor is overwritten at each step, and h holds it T times; each step makes a new tensor", UNFOLD),
        Slip("overwritten", "a state is overwritten that backward() still needs (read out of the tensor that is being filled, or "
             "changed by h[:] = ...), so backward() fails; let each step make a new tensor, h = step(x_t, h)", UNFOLD),
        Slip("cut_between", "the state is detached between the steps, so gradients reach one step back only; carry the state itself",
             UNFOLD),
        Slip("listed", "h is a Python list; torch.stack makes one tensor (T, B, H) of it", UNFOLD),
        Slip("catted", "the states are glued along the batch, (T·B, H), as torch.cat does, and states += h; append each, and torch.stack "
             "makes a new axis, (T, B, H)", UNFOLD),
        Slip("stacked_b", "the states are stacked along the second axis, (B, T, H); time comes first, (T, B, H)", UNFOLD),
        Slip("only_h", "only the states are returned; return the pair h, h_T", UNFOLD),
        Slip("only_last", "only the last state is returned; return the pair h, h_T", UNFOLD),
        Slip("swapped", "the pair is the wrong way round; it is h, h_T", UNFOLD),
        Slip("leading", "h_T has an axis too many in front; that is h_n of torch.nn.RNN, (1, B, H), while h_T is (B, H)", TORCH),
        Slip("first_state", "what is returned as h_T is the state after the first step; it is the one after the last", UNFOLD),
        Slip("start_state", "what is returned as h_T is h0; it is the state after the last step", UNFOLD),
        Slip("cut", CUT, UNFOLD),
        Slip("cut_start", "no gradient flows back to h0: the graph is cut there (torch.tensor(h0), detach, .data); use h0 itself", UNFOLD),
        Slip("cut_last", "no gradient flows back through h_T: the graph is cut there (torch.tensor, detach, .data); return the state "
             "itself", UNFOLD),
    ),
    cases=lambda g, sizes=((5, 3, 2, 4), (5, 3, 2, 4), (4, 2, 5, 3), (13, 2, 4, 3), (4, 1, 2, 3), (1, 3, 2, 4)): [  # (T, B, D, H)
        (torch.randn(T, B, D, generator=g), torch.randn(B, H, generator=g), *weights(g, D, H)) for T, B, D, H in sizes],
    read=UNFOLD,
    call=lambda answer, x, h0, W_xh, W_hh, b: answer(given_step(x, h0, W_xh, W_hh, b), x, h0),
    returns=("h", "h_T"),
    forbids=THEIRS + OURS,
    lends={"rnn_step": right_step},
    axes="t b unit, b unit",
)


# ---- Exercise 3


def right_shapes(T, B, D, H, num_layers, bidirectional, *, out_b=False, h_n_b=False, one_way=False, layers_only=False, wide=False,
                 no_axis=False,
                 top=False, every_layer=False, four=False, features=False, all_steps=False, one_step=False, swapped=False):
    """The shapes of out and h_n; with a switch on, a known mistake."""
    ways = 2 if bidirectional else 1
    width = D if features else H if one_way else ways * H * num_layers if every_layer else ways * H
    out = (B, width) if one_step else (T, B, ways, H) if four else (B, T, width) if out_b else (T, B, width)
    number = num_layers if layers_only or wide else ways if top else num_layers * ways
    h_n = (B, number, H) if h_n_b else (number, B, ways * H if wide else H)
    h_n = (B, H) if no_axis else (T, B, H) if all_steps else h_n
    return (h_n, out) if swapped else (out, h_n)


def two_shapes(answer, *case):
    """The two shapes as tensors, whatever kind of sequence they came as."""
    result = answer(*case)
    if not isinstance(result, list | tuple) or len(result) != 2:
        return result
    for name, s in zip(("out", "h_n"), result):
        numbers = isinstance(s, list | tuple) and all(isinstance(n, int | float | torch.Tensor | np.integer) for n in s)
        if not numbers and not isinstance(s, torch.Tensor | np.ndarray):
            raise Unfit(f"the shape of {name} is {s!r}, expected a tuple of whole numbers")
    return tuple(torch.as_tensor(s) for s in result)


shapes = Exercise(
    title="Exercise 3",
    points=2,
    truth=right_shapes,
    slips=(
        Slip("out_b", "out is taken to have the batch first; without batch_first=True, time comes first", TORCH),
        Slip("h_n_b", "h_n is taken to have the batch first; its first axis counts layers and directions, even with batch_first=True",
             TORCH),
        Slip("one_way", "out has the width of one direction; a bidirectional network puts both side by side, 2H", TORCH),
        Slip("layers_only", "h_n counts only the layers; each direction of each layer has a last state of its own", TORCH),
        Slip("wide", "the directions widen the last axis of h_n; that is so in out, but h_n keeps them apart on its first axis", TORCH),
        Slip("no_axis", "h_n lacks its first axis; it is there even with one layer and one direction", TORCH),
        Slip("top", "h_n holds the top layer only; it has the last state of every layer, while it is out that shows the top layer "
             "alone", TORCH),
        Slip("every_layer", "out shows the layers side by side; it shows the top layer alone", TORCH),
        Slip("four", "out has an axis of its own for the directions; both stand side by side on the last axis, 2H", TORCH),
        Slip("features", "the last axis of out has the size of the input, D; a state has H units", TORCH),
        Slip("all_steps", "h_n has a state for every step; that is out, while h_n holds last states only", TORCH),
        Slip("one_step", "out lacks the axis of time; it holds the top layer's state at every step", TORCH),
        Slip("swapped", "the two are the wrong way round; torch returns out, h_n", TORCH),
    ),
    cases=lambda g, rows=((1, False), (2, False), (1, True), (2, True), (3, True)): [
        (*(torch.randperm(9, generator=g)[:4] + 4).tolist(), layers, both) for layers, both in rows],
    read=TORCH,
    call=two_shapes,
    returns=("out", "h_n"),
    forbids=THEIRS,
    axes="axis, axis",
)


# ---- Exercise 4


def right_pad(names, *, batch_first=False, from_zero=False, codes=False, in_front=False, ordered=False, cut_short=False, one_more=False,
              minus=False,
              full_lengths=False, counts_end=False, only_ids=False, swapped=False, floats=False, lists=False, all_lists=False,
              ragged=False):
    """Names as ids (T, B) and lengths (B,); with a switch on, a known mistake."""
    names = sorted(names, key=len, reverse=True) if ordered else names
    lengths = [len(name) for name in names]
    T = min(lengths) if cut_short else max(lengths) + one_more
    ragged and torch.tensor([[ord(letter) - 96 for letter in name] for name in names])
    base = 0 if codes else ord("a") - (0 if from_zero else 1)
    rows = []
    for name in names:
        row, fill = [ord(letter) - base for letter in name][:T], [-1 if minus else 0] * (T - len(name))
        rows.append(fill + row if in_front else row + fill)
    ids = torch.tensor(rows)  # (B, T)
    ids = (ids if batch_first else ids.T).to(torch.float32 if floats else torch.int64)  # (T, B)
    lengths = [T] * len(names) if full_lengths else [n + counts_end for n in lengths]
    lengths = lengths if lists else torch.tensor(lengths)  # (B,)
    if all_lists:
        return ids.tolist(), [*lengths]
    return ids if only_ids else (lengths, ids) if swapped else (ids, lengths)


def whole_numbers(result):
    """Both have to be tensors of whole numbers, and the lengths of a kind that torch takes for indices."""
    for name, value in zip(("ids", "lengths"), result):
        if not isinstance(value, torch.Tensor):
            raise Unfit(f"{name} are an array, expected a tensor: torch.from_numpy makes one of it")
        if value.is_floating_point():
            raise Unfit(f"{name} are floating-point numbers, expected whole ones")
    if result[1].dtype not in (torch.int64, torch.int32):
        raise Unfit(f"lengths are {result[1].dtype}, expected torch.int64 (or torch.int32): torch takes no other kind for indices")
    return result


def batches(g, sizes=((3, 6), (5, 9), (4, 3)), words=(), edges=()):
    """Lists of names for (B, longest), the longest second, and after them some ``edges`` as they are."""
    cases = []
    for B, T in sizes:
        shorter = [w for w in (words[i] for i in torch.randperm(len(words), generator=g)) if len(w) < T]
        cases.append(([*shorter[:1], next(w for w in words if len(w) == T), *shorter[1 : B - 1]],))
    return cases + [([*names],) for names in edges]


NAMES = "amina bo eero francisco giulia iris jurgis katerina liam mateo noor oya pekka rosa seda titilayo ugne vilma wayan zdenka".split()
# One twice, one alone, one letter each, all letters:
EDGES = (("bo", "zdenka", "bo", "liam"), ("katerina",), ("a", "z"), ("abcdefghijklmnopqrstuvwxyz", "bo"))
pad = Exercise(
    title="Exercise 4",
    points=2,
    truth=right_pad,
    slips=(
        Slip("batch_first", "ids are (B, T), a row for each name; time comes first, (T, B)", PADDING),
        Slip("from_zero", "a is 0, which is the padding; a is 1 and z is 26", PADDING),
        Slip("codes", "the ids are the letters' codes as ord gives them (97 for a); a is 1 and z is 26", PADDING),
        Slip("in_front", "the padding stands in front of the names; it comes after them", PADDING),
        Slip("ordered", "the names have been sorted; column b belongs to names[b]", PADDING),
        Slip("cut_short", "all names are cut to the shortest (zip does that); T is the length of the longest", PADDING),
        Slip("one_more", "there is one row too many; T is the length of the longest name", PADDING),
        Slip("ragged", "torch.tensor got names of different lengths, and a tensor has one; fill the shorter ones up first", PADDING),
        Slip("minus", "the padding is -1; it is 0", PADDING),
        Slip("full_lengths", "every length is T; lengths[b] counts the letters of names[b] only", PADDING),
        Slip("counts_end", "the lengths are one too large; lengths[b] is the number of letters of names[b]", PADDING),
        Slip("only_ids", "only the ids are returned; return the pair ids, lengths", PADDING),
        Slip("swapped", "the pair is the wrong way round; it is ids, lengths", PADDING),
        Slip("floats", "ids are whole numbers, since they are indices; torch.zeros makes float32, unless it is told dtype=torch.long",
             PADDING),
        Slip("all_lists", "ids are a Python list; torch.tensor makes a tensor of it (and of lengths, if they are one too)", PADDING),
        Slip("lists", "lengths are a Python list; torch.tensor(lengths) makes a tensor of it", PADDING),
    ),
    cases=lambda g, **sizes: batches(g, **{"words": NAMES, "edges": EDGES} | sizes),
    read=PADDING,
    returns=("ids", "lengths"),
    accept=whole_numbers,
    forbids=PACKED,
    axes="t b, b",
)


# ---- Exercise 5


def right_classify(h, lengths, W_hy, b_y, *, after_padding=False, one_late=False, one_early=False, first=False, mean_all=False,
                   mean_real=False,
                   total=False, same_length=False, unpaired=False, axes=False, every_step=False, longest=False,
                   softmax=False, log_softmax=False,
                   sigmoid=False,
                   tanh=False, no_bias=False, turned=False, winner=False, axis_b=False, gathered=False, over_batch=False, listed=False,
                   cut=False,
                   cut_state=False):
    """Scores of each sequence's last real state, (B, H) -> (B, C); with a switch on, a known mistake."""
    b, mask = torch.arange(len(lengths)), torch.arange(len(h))[:, None] < lengths  # (B,), (T, B)
    t = 0 * lengths if first else lengths - 2 if one_early else lengths - 1 + int(one_late)
    t = 0 * t + lengths.max() - 1 if longest else t
    axis_b and h[:, t]
    gathered and h.gather(1, t[:, None, None].expand(-1, 1, h.shape[2]))
    s = h[-1] if after_padding else h[b, t] if axes else h[t] if unpaired else h[lengths[0] - 1] if same_length else h[t, b]  # (B, H)
    s = h.mean(0) if mean_all else s
    if mean_real or total:
        s = (h * mask[..., None]).sum(0) / (lengths[:, None] if mean_real else 1)
    s = h if every_step else s.detach() if cut_state else s
    y = s @ (W_hy.T if turned else W_hy) + (0 if no_bias else b_y)  # (B, C)
    y = y.softmax(-1) if softmax else y.log_softmax(-1) if log_softmax else y.sigmoid() if sigmoid else y.tanh() if tanh else y
    y = y.softmax(0) if over_batch else [*y] if listed else y
    return y.argmax(-1) if winner else y.detach() if cut else y


classify = Exercise(
    title="Exercise 5",
    points=3,
    truth=right_classify,
    slips=(
        Slip("after_padding", "h[-1] is the state after the padding; read h[lengths[b] - 1, b], after the last letter", PADDING),
        Slip("one_late", "the state is read one step too late, at lengths; the last letter is step lengths - 1, since steps count from "
             "0", PADDING),
        Slip("one_early", "the state is read one step too early; the last letter is step lengths - 1", PADDING),
        Slip("first", "the state after the first letter is read; it is the one after the last letter", PADDING),
        Slip("mean_all", "the states are averaged over time, padding included; read the one after the last letter", PADDING),
        Slip("mean_real", "the states are averaged over the letters; read the one after the last letter", PADDING),
        Slip("total", "the states are summed over the letters; read the one after the last letter", PADDING),
        Slip("same_length", "all names are read where the first one ends; each has its own lengths[b]", PADDING),
        Slip("longest", "all names are read where the longest ends; each has its own lengths[b]", PADDING),
        Slip("unpaired", "h[lengths - 1] takes whole rows of the batch, (B, B, H); the batch needs an index too: h[lengths - 1, "
             "torch.arange(B)]", PADDING),
        Slip("axes", "the indices stand on the wrong axes; h is (T, B, H), so time comes first: h[lengths - 1, torch.arange(B)]", PADDING),
        Slip("axis_b", "h[:, lengths - 1] puts the lengths on the axis of the batch; time comes first: h[lengths - 1, "
             "torch.arange(B)]", PADDING, r"\[ *: *,"),
        Slip("gathered", "gather runs along the batch (axis 1); time is axis 0", PADDING, "gather"),
        Slip("every_step", "there are scores for every step; one state of each name is read, (B, C)", PADDING),
        Slip("softmax", "softmax is applied; scores (logits) go into the loss as they are, and cross_entropy does the rest", PADDING),
        Slip("over_batch", "softmax is applied, and over the batch at that; scores (logits) go into the loss as they are", PADDING),
        Slip("log_softmax", "log_softmax is applied; scores (logits) go into the loss as they are, and cross_entropy does the rest",
             PADDING),
        Slip("sigmoid", "a sigmoid is applied; scores (logits) go into the loss as they are", PADDING),
        Slip("tanh", "tanh is applied to the scores; it belongs to the state, which has been through it", PADDING),
        Slip("no_bias", "the bias b_y is missing", PADDING),
        Slip("turned", "the state meets W_hy turned round (F.linear does that); W_hy is (H, C), so it fits as it is", CELL),
        Slip("winner", "the best class is returned; return the scores of all classes, (B, C), through which gradients flow", PADDING),
        Slip("listed", "the scores are a list with a tensor for each name; torch.stack makes one tensor (B, C) of it", PADDING),
        Slip("cut", CUT, PADDING),
        Slip("cut_state", "no gradient flows back to h: the graph is cut there (torch.tensor, detach, .data, .tolist); index h itself",
             PADDING),
    ),
    cases=lambda g, sizes=((6, 4, 3, 5, True), (6, 4, 3, 5, False), (5, 3, 4, 2, False), (4, 1, 3, 5, False),
                           (1, 4, 3, 2, True)): [  # (T, B, H, C), and whether the longest fills T
        (torch.randn(T, B, H, generator=g), some_lengths(g, T, B, full), torch.randn(H, C, generator=g), torch.randn(C, generator=g))
        for T, B, H, C, full in sizes],
    read=PADDING,
    returns=("scores",),
    forbids=OURS + PACKED,
    axes="b class",
)


# ---- Exercise 6


def right_detect(h, w, b, mask, *, scores=False, softmax=False, tanh=False, no_bias=False, hard=False, unmasked=False, inverted=False,
                 too_soon=False,
                 in_padding=False, from_one=False, last=False, largest=False, zero=False, end=False, at_half=False, step_zero=False,
                 over_batch=False, swapped=False,
                 only_p=False,
                 only_first=False, axis=False, overwritten=False, argmax=False, columns=False, listed=False, cut=False):
    """The probability of the event at each step, (T, B), and where it is first seen, (B,); with a switch on, a known mistake."""
    mask = ~mask if inverted else mask
    columns and h @ w[:, None] * mask
    z = h @ w + (0 if no_bias else b)  # (T, B, H) @ (H,) -> (T, B)
    z = torch.where(mask, z, 0) if too_soon else z
    p = z if scores else z.softmax(0) if softmax else z.tanh() if tanh else z.sigmoid()  # (T, B)
    over = torch.ge if at_half else torch.gt
    everywhere = over(p, 0.5)
    if overwritten:
        p[~mask] = 0
    p = p if unmasked or too_soon or overwritten else torch.where(mask, p, 0)
    p = (p > 0.5).float() if hard else p
    fires = everywhere if in_padding else over(p, 0.5)  # (T, B)
    t, T = torch.arange(len(h))[:, None], len(h)
    found = torch.where(fires, t, -1).amax(0) if last else p.argmax(0) if largest else torch.where(fires, t, T).amin(0)  # (B,)
    found = torch.where(fires.any(0), found, 0 if zero else T if end else -1) + from_one * fires.any(0)  # (B,)
    found = torch.where(found == 0, -1, found) if step_zero else found
    found = fires.any(1).int().argmax() if over_batch else p.argmax(0) if argmax else found
    p, found = p.detach() if cut else p[..., None] if axis else p, found.tolist() if listed else found
    return p if only_p else found if only_first else (found, p) if swapped else (p, found)


def detections(g, sizes=((6, 4, 3), (6, 4, 3), (7, 5, 2))):
    """States (T, B, H) whose scores keep clear of 0. Sequence 0 fires at once, 1 in its padding only, 2 at its second step and, more
    surely, later; 3 never does. Sequences 0 and 2 first fire with p just above 0.5. Then scores of exactly 0, B = 1, and T = 1."""
    cases = []
    for T, B, H in sizes:
        lengths = some_lengths(g, T, B, True)  # (B,)
        lengths[2] = T - 1
        mask = torch.arange(T)[:, None] < lengths  # (T, B)
        sign = 2 * torch.randint(2, (T, B), generator=g) - 1
        sign[0, 0], sign[:, 1], sign[:3, 2], sign[:, 3] = 1, 1 - 2 * mask[:, 1].long(), torch.tensor([-1, 1, 1]), -1
        size = 0.3 + 2 * torch.rand(T, B, generator=g)
        size[0, 0], size[1:3, 2] = 0.05, torch.tensor([0.05, 2.5])
        h, w, b = (torch.randn(shape, generator=g) for shape in ((T, B, H), (H,), ()))
        w = w + 0.5 * w.sign()
        b = b + 0.5 * b.sign()
        cases.append((h + ((sign * size - h @ w - b) / (w @ w))[..., None] * w, w, b, mask))
    (h, w, b, mask), flat = cases[0], cases[0][0].clone()
    flat[0, 0], flat[:, 3] = 0, 0  # a score of 0 is no event
    return [*cases, (flat, w, 0 * b, mask), (h[:, 2:3], w, b, mask[:, 2:3]), (h[:1], w, b, mask[:1])]


detect = Exercise(
    title="Exercise 6",
    points=3,
    truth=right_detect,
    slips=(
        Slip("scores", "p are scores of any size; the sigmoid makes probabilities of them", PADDING),
        Slip("softmax", "softmax over time shares one event among all steps; each step has a probability of its own: sigmoid", PADDING),
        Slip("tanh", "tanh goes from -1 to 1; a probability goes from 0 to 1: sigmoid", PADDING),
        Slip("no_bias", "the bias b is missing from the score", PADDING),
        Slip("hard", "p are zeros and ones, through which no gradient flows; p are probabilities", PADDING),
        Slip("unmasked", "the padding is treated like letters; where mask is False, p is 0 and nothing is detected", PADDING),
        Slip("inverted", "the mask is turned round; it is True on letters, False on padding", PADDING),
        Slip("too_soon", "the padding's score is set to 0, and the sigmoid of 0 is 0.5; mask the probability", PADDING),
        Slip("in_padding", "p is masked but first is not: it looks into the padding too", PADDING),
        Slip("from_one", "steps are counted from 1; here the first step is 0, as in h[0]", PADDING),
        Slip("last", "the last step that fires is returned; it is the first", PADDING),
        Slip("largest", "the step with the largest p is returned; it is the first with p > 0.5", PADDING),
        Slip("argmax", "p.argmax(0) is the step with the largest p, whatever it is; first is the first step with p > 0.5, or -1", PADDING),
        Slip("zero", "where nothing fires, first is 0 (argmax gives that when all are equal), as if the first letter had; it is -1",
             PADDING),
        Slip("end", "where nothing fires, first is T; it is -1", PADDING),
        Slip("at_half", "p = 0.5 is taken for an event; it is one only if p > 0.5", PADDING),
        Slip("step_zero", "an event at step 0 is taken for none; only where nothing fires first is -1", PADDING),
        Slip("over_batch", "one step is returned for the whole batch; each sequence has its own, (B,)", PADDING),
        Slip("swapped", "the pair is the wrong way round; it is p, first", PADDING),
        Slip("only_p", "only p is returned; return the pair p, first", PADDING),
        Slip("only_first", "only first is returned; return the pair p, first", PADDING),
        Slip("listed", "first is a Python list; torch.tensor(first) makes a tensor of it", PADDING),
        Slip("axis", "p has an axis too many, (T, B, 1); w is (H,), so h @ w is (T, B)", PADDING),
        Slip("columns", "the scores have an axis too many, (T, B, 1), and do not fit the mask (T, B); w is (H,), so h @ w is (T, B)",
             PADDING),
        Slip("overwritten", "the padding is set to 0 inside the result of the sigmoid, which backward() needs as it was, so it fails; "
             "make a new tensor, "
             "by torch.where or by multiplying", PADDING),
        Slip("cut", CUT, PADDING),
    ),
    cases=detections,
    read=PADDING,
    returns=("p", "first"),
    axes="t b, b",
)


# ---- Exercise 7


def right_reverse(x, lengths, *, whole=False, batch=False, features=False, late=False, early=False, same_length=False, longest=False,
                  shortest=False, views=False,
                  unchanged=False,
                  halves=False, negative=False, batch_first=False, listed=False, dropped=False, cut=False):
    """Each sequence of (T, B, ...) turned round within its length; with a switch on, a known mistake. Some of them raise."""
    if negative or dropped:
        return x[::-1] if negative else torch.stack([x[:n, b].flip(0) for b, n in enumerate(lengths)], 1)
    if whole or batch or features:
        return x.flip([d for d, on in zip((0, 1, -1), (whole, batch, features)) if on])
    y = x.clone()
    one = lengths[0] if same_length else lengths.max() if longest else lengths.min()
    for b, n in enumerate((0 * lengths + one if same_length or longest or shortest else lengths).tolist()):
        if batch_first:
            y[b, :n] = x[b, :n].flip(0)
        elif late:
            for t in range(n):
                y[t, b] = x[n - t, b]
        else:
            n = 0 if unchanged else n - early
            turned, rest = x[:n, b].flip(0), x[n // 2 : n, b]  # (n, ...), the second half as it was
            y[:n, b] = torch.cat([turned[: n // 2], 0 * rest if halves else rest]) if views or halves else turned
    return [*y.unbind(1)] if listed else y.detach() if cut else y


def real_part(answer, x, lengths):
    """What an answer makes of the real steps; what stands in the padding is left to it."""
    mask = torch.arange(len(x))[:, None] < lengths  # (T, B), before the answer may change lengths
    result = answer(x, lengths)
    if isinstance(result, np.ndarray):
        raise Unfit("the result is an array, expected a tensor, through which gradients flow back")
    if not isinstance(result, torch.Tensor) or result.shape != x.shape:
        return result
    return torch.where(mask.reshape(*mask.shape, *[1] * (x.dim() - 2)), result, 0)  # (T, B, ...)


reverse_padded = Exercise(
    title="Exercise 7",
    points=3,
    truth=right_reverse,
    slips=(
        Slip("whole", "the padding is turned round too and comes first; each sequence is turned round within its own length", PADDING),
        Slip("batch", "the batch is turned round (axis 1); time is axis 0", DIRECTIONS),
        Slip("features", "the last axis is turned round; time is axis 0", DIRECTIONS),
        Slip("late", "each sequence begins one step too late, in its padding; the first step out is x[lengths[b] - 1, b]", PADDING),
        Slip("early", "the last real step stays where it is; all lengths[b] steps are turned round", PADDING),
        Slip("same_length", "all sequences are turned round within the first one's length; each has its own lengths[b]", PADDING),
        Slip("longest", "all sequences are turned round within the longest one's length; each has its own lengths[b]", PADDING),
        Slip("shortest", "all sequences are turned round within the shortest one's length; each has its own lengths[b]", PADDING),
        Slip("views", "steps were overwritten before they were read (x[t] is a view, and y = x is no copy); write into a new tensor "
             "and read from x, or clone the steps that you exchange", DIRECTIONS),
        Slip("unchanged", "nothing is turned round (or twice: exchanging over the whole length undoes itself)", DIRECTIONS),
        Slip("halves", "only the first half of each sequence is written", DIRECTIONS),
        Slip("negative", "torch does not slice with a negative step; flip(0) turns an axis round", DIRECTIONS),
        Slip("dropped", "the padding has been dropped, so the sequences no longer fit into one tensor; leave as many steps behind each "
             "as there were",
             PADDING),
        Slip("batch_first", "the first axis is taken for the batch; x is (T, B, ...), so sequence b is x[:, b]", PADDING),
        Slip("listed", "the sequences are returned as a list; return one tensor of the shape of x, (T, B, ...)", PADDING),
        Slip("cut", CUT, DIRECTIONS),
    ),
    cases=lambda g, sizes=((5, 3, (2,), False), (5, 3, (2,), True), (6, 4, (), True), (4, 3, (5,), True), (5, 1, (2,), False),
                           (1, 3, (2,), True)): [  # (T, B, ...), real numbers in the padding too
        (torch.randn(T, B, *rest, generator=g) if rest else torch.randint(1, 27, (T, B), generator=g), some_lengths(g, T, B, full))
        for T, B, rest, full in sizes],
    read=DIRECTIONS,
    call=real_part,
    returns=("the result",),
    forbids=OURS + PACKED,
    axes="t b feature",
)


# ---- Exercise 8


def right_summary(out, lengths, *, last_row=False, own_last=False, first_row=False, exchanged=False, order=False, padded=False,
                  one_late=False, longest=False,
                  mean=False, added=False, interleaved=False, under=False, stacked=False, only_forth=False, in_time=False,
                  listed=False, cut=False):
    """h_T beside h_1^R, (T, B, 2H) -> (B, 2H); with a switch on, a known mistake."""
    forth, back = (out[..., ::2], out[..., 1::2]) if interleaved else out.chunk(2, -1)  # (T, B, H) each
    b = torch.arange(len(lengths))
    in_time and out.chunk(2)[0][lengths - 1, b]
    t = 0 * lengths + lengths.max() - 1 if longest else lengths - 1 + int(one_late)  # (B,)
    own = lambda half: half[t, b]  # noqa: E731  (B, H)
    h = forth[0] if first_row or exchanged else forth[-1] if last_row or padded else forth.mean(0) if mean else own(forth)
    r = back[-1] if last_row else own(back) if own_last or exchanged else back.mean(0) if mean else back[0]
    if only_forth:
        return h
    pair = [r, h] if order else [h, r]
    s = h + r if added else torch.stack(pair) if stacked else torch.cat(pair, 0 if under else -1)  # (B, 2H)
    return [*s] if listed else s.detach() if cut else s


summary = Exercise(
    title="Exercise 8",
    points=2,
    truth=right_summary,
    slips=(
        Slip("last_row", "out[-1] holds h_T beside h_T^R, the state of a right-to-left reading that has just begun (and comes after the "
             "padding); "
             "h_1^R stands in out[0]", TORCH),
        Slip("own_last", "both halves are read at the last letter, where right to left has read one letter only; its summary stands in "
             "out[0] (or the halves are cut in the wrong place: H is half of the last axis)", TORCH),
        Slip("first_row", "both halves are read at the first letter, where left to right has read one letter only; its summary stands "
             "at the last", TORCH),
        Slip("exchanged", "the halves are read at each other's ends; left to right ends at the last letter, right to left at the "
             "first", DIRECTIONS),
        Slip("order", "h_1^R stands first; it is h_T, then h_1^R", DIRECTIONS),
        Slip("padded", "the first half is read after the padding, at out[-1]; read it at out[lengths[b] - 1, b]", PADDING),
        Slip("one_late", "the first half is read one step too late, at lengths; the last letter is step lengths - 1", PADDING),
        Slip("longest", "the first half is read where the longest name ends; each has its own lengths[b]", PADDING),
        Slip("mean", "the outputs are averaged over time; the summary is one state of each direction", DIRECTIONS),
        Slip("added", "the two are added, (B, H); they stand side by side, (B, 2H)", DIRECTIONS),
        Slip("interleaved", "every other unit is taken for one direction; the first H units are left to right, the last H right to "
             "left", TORCH),
        Slip("under", "one stands under the other, (2B, H), as if it were more sequences; dim=1 puts them side by side", DIRECTIONS),
        Slip("stacked", "torch.stack makes an axis for the directions, (2, B, H); torch.cat with dim=1 puts them side by side, (B, "
             "2H)", DIRECTIONS),
        Slip("only_forth", "only left to right is returned, (B, H); h_1^R stands beside it, (B, 2H)", DIRECTIONS),
        Slip("in_time", "out.chunk(2) cuts time in two halves; the directions are halves of the last axis, chunk(2, dim=-1)", TORCH),
        Slip("listed", "the summaries are a list with a tensor for each name; torch.stack makes one tensor (B, 2H) of it", DIRECTIONS),
        Slip("cut", CUT, DIRECTIONS),
    ),
    cases=lambda g, sizes=((7, 4, 3, True), (7, 4, 3, False), (5, 3, 2, False), (5, 1, 3, False),
                           (1, 4, 3, True)): [  # (T, B, H), and whether the longest fills T
        (torch.randn(T, B, 2 * H, generator=g), some_lengths(g, T, B, full)) for T, B, H, full in sizes],
    read=DIRECTIONS,
    returns=("the summary",),
    forbids=OURS + PACKED,
    lends={"reverse_padded": right_reverse},
    axes="b unit",
)
