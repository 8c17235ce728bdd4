"""The checks of Lab 6, and the wrong answers that they can name."""

import math
import random
import re
import time
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from IPython import get_ipython
from torch import Tensor, nn

from rnncourse import bilingual
from rnncourse.checks import Exercise, slips
from rnncourse.traces import Unfit, kind

PAD, EOS = 0, 1
GIVEN = {"PAD": PAD, "EOS": EOS, "PAD_IX": PAD, "EOS_IX": EOS}
ENCODER, BATCH, LENGTH, ATTENTION = (f"generation/translation.html#sec-translation-{name}" for name in ("model", "loss", "bottleneck", "attention"))
FORCING, GREEDY = "generation/forcing.html#sec-forcing-two", "generation/search.html#sec-search-greedy"
MASKS, PADDING = "language/neural.html#sec-neural-masks", "recurrence/cell.html#sec-padding"


def meant(error, known):
    """An exception in words that do not depend on sizes and versions, where they are known: rows (pattern, type, words)."""
    for pattern, type_, says in known:
        if re.search(pattern, str(error)):
            return type_(says).with_traceback(error.__traceback__)
    return error


def tensor(a, name):
    """A tensor, an array or a list of numbers as a tensor."""
    try:
        return a if isinstance(a, Tensor) else torch.as_tensor(a.copy() if isinstance(a, np.ndarray) else a)
    except (TypeError, ValueError, RuntimeError):
        raise Unfit(f"{name}: {kind(a)}, expected a tensor") from None


def together(result, *names):
    """What an answer returned, if it is as many things as there are names."""
    if result is None:
        raise Unfit(f"it returned nothing, expected {', '.join(names)}: is a return missing?")
    if not isinstance(result, list | tuple) or len(result) != len(names):
        raise Unfit(f"it returned {kind(result)}, expected {', '.join(names)}")
    return result


# ---- Exercise 1


def right_collate(pairs, *, not_shifted=False, eos_twice=False, no_first=False, no_last=False, no_eos=False, eos_last=False, eos_source=False, long_lengths=False, target_lengths=False,
                  batch_first=False, source_first=False, source_left=False, inverted=False, no_mask=False, mask_short=False, mask_source=False,
                  ordered=False, swapped=False, sides=False, floats=False, no_pad=False, one_row=False, shortest=False, teacher_late=False,
                  square_mask=False, short_inputs=False, short_mask=False, eos_uncounted=False, padded_lengths=False):  # fmt: skip
    """Pairs of ids to one batch; with a switch on, a known mistake."""
    if no_pad:
        raise RuntimeError(UNEQUAL)
    pairs = [([int(i) for i in s], [int(i) for i in t]) for s, t in pairs]
    pairs = sorted(pairs, key=lambda pair: len(pair[0]), reverse=True) if ordered else pairs
    sources, targets = zip(*pairs)
    sources, targets = (targets, sources) if sides else (sources, targets)
    sources = [[*s, EOS] for s in sources] if eos_source or eos_uncounted else sources
    S = max(map(len, sources))
    lengths = [S if padded_lengths else len(t if target_lengths else s) + long_lengths - eos_uncounted for s, t in zip(sources, targets)]
    targets = [t[: min(map(len, targets))] for t in targets] if shortest else targets
    T = max(map(len, targets)) + (0 if no_eos else 1) + one_row
    source = torch.tensor([[PAD] * (S - len(s)) + s if source_left else s + [PAD] * (S - len(s)) for s in sources]).T  # (S, B)
    fill = lambda rows, T=T: torch.tensor([(row + [PAD] * (T + 1 - len(row)))[:T] for row in rows]).T  # noqa: E731  (T, B)
    after = [t if no_eos or no_last else [*t, EOS] for t in targets]  # what is to be said
    after = [[*t, *[PAD] * (T - 1 - len(t)), EOS] for t in targets] if eos_last else after
    before = [t if no_first or no_eos else [EOS, *t] for t in targets]  # what has been said
    before = [[*t, EOS] for t in targets] if not_shifted else before
    before, after = ([[EOS, *t] for t in targets], [[EOS, *t] for t in targets]) if teacher_late else (before, after)
    counts = [len(s if mask_source else t) + (not (mask_short or no_eos)) for s, t in zip(sources, targets)]
    mask = torch.arange(T)[:, None] < torch.tensor([T] * len(counts) if no_mask else counts)
    inputs, targets, mask = (fill(after), fill(before), mask) if swapped else (fill(before), fill(after), mask)
    inputs = fill([[EOS, *t, EOS] for _, t in pairs], T + 1) if eos_twice else fill([t for _, t in pairs], T - 1) if short_inputs or short_mask else inputs
    mask = torch.arange(len(pairs))[:, None] < torch.tensor(counts) if square_mask else mask[:-1] if short_mask else mask
    found = [source, torch.tensor(lengths), inputs, targets, ~mask if inverted else mask]
    found = [a.T if a.dim() > 1 and (batch_first or (source_first and i == 0) or (square_mask and i < 4)) else a for i, a in enumerate(found)]
    return [a.float() if floats and i < 4 else a for i, a in enumerate(found)]


UNEQUAL = "sequences of different lengths are stacked; they need padding first"
COLLATE = ((r"stack expects each tensor to be equal size|expected sequence of length|[Ss]izes of tensors must match|same number of dim"
            r"|inhomogeneous|must match the size of tensor|expanded size", RuntimeError, UNEQUAL),)
FIVE = ("source", "lengths", "inputs", "targets", "mask")


def collated(answer, pairs):
    """A batch, the mask before what it hides; what lies where the answer's own mask is False is not looked at."""
    try:
        result = answer([(s, t) for s, t in pairs])
    except (RuntimeError, ValueError) as error:
        raise meant(error, COLLATE) from None
    found = [tensor(a, name) for name, a in zip(FIVE, together(result, *FIVE))]
    for name, a in zip(FIVE, found):
        if a.dim() != 2 - (name == "lengths"):
            raise Unfit(f"{name} has shape {tuple(a.shape)}, expected {'one axis, (B,)' if name == 'lengths' else 'two axes'}")
        if a.is_floating_point() and name != "mask":
            raise Unfit(f"{name} is of a floating-point type (torch.zeros makes that); numbers of tokens are whole: dtype=torch.long")
    source, lengths, inputs, targets, mask = found
    if not ((mask == 0) | (mask == 1)).all():
        raise Unfit("the mask is neither True and False nor 1 and 0")
    mask = mask.bool()
    if inputs.shape == targets.shape == mask.shape:
        inputs, targets = inputs * mask, targets * mask
    return [source, lengths, mask, inputs, targets]


def pairs_of(g, sizes=(((3, 6), (5, 2), (4, 4)), ((2, 7), (6, 1), (4, 5), (6, 3)), ((5, 3), (5, 3)), ((2, 4),))):
    """Sources and targets as tensors."""
    ids = lambda n: torch.randint(3, 40, (n,), generator=g)  # noqa: E731
    return [([[ids(n), ids(m)] for n, m in lengths],) for lengths in sizes]


collate = Exercise(
    title="Exercise 1",
    points=5,
    truth=right_collate,
    slips=slips(
        BATCH,
        ("not_shifted", "the inputs are the targets themselves: at each step the model reads the word that it is asked for, and learns to copy; the inputs are one "
         "step behind: EOS, then the words"),
        ("teacher_late", "the targets are the inputs themselves, so that the model learns to copy; they are one step ahead: the words, then EOS"),
        ("swapped", "inputs and targets are exchanged; EOS stands before the inputs, and after the targets"),
        ("eos_twice", "the inputs are one step longer than the targets: they end with EOS, too; after EOS nothing is asked, so leave it out"),
        ("no_first", "no EOS stands before the inputs; without it the model has nothing to read when it is asked for the first word"),
        ("short_inputs", "the inputs are a row shorter than the targets, since they lack the EOS before them: the model reads it when it is asked for the first word"),
        ("short_mask", "the inputs lack the EOS before them, and the mask, which is as long as they are, leaves out the end of the longest target; put EOS before each"),
        ("no_last", "no EOS stands after the targets; without it the model never learns to stop"),
        ("no_eos", "there is no EOS at all; one stands before the inputs, and one after the targets"),
        ("eos_last", "EOS does not follow the last word of each target: it stands after the padding, or only the longest has one; append it to each, then pad"),
        ("eos_source", "the source has an EOS; here it stays as it is"),
        ("eos_uncounted", "an EOS stands after each source, and lengths does not count it; leave the sources as they are"),
        ("padded_lengths", "the lengths are all that of the padded batch; count each source's own tokens, before it is filled up"),
        ("long_lengths", "the lengths are one too large; they count the tokens of the source, which has no EOS"),
        ("target_lengths", "the lengths are those of the targets; they are those of the sources"),
        ("batch_first", "the axes are (B, S) and (B, T); in this course time comes first"),
        ("square_mask", "the sentences are rows, (B, S) and (B, T), so that a mask as long as the inputs has B rows; "
         "time comes first (pad_sequence does that, unless batch_first=True)"),
        ("source_first", "the source has the axes (B, S); in this course time comes first"),
        ("source_left", "the padding of the source stands before the sentences; it comes after them", PADDING),
        ("inverted", "the mask is inverted; it is True on the real targets", MASKS),
        ("no_mask", "the mask is True everywhere, on the padding too; it is True on the real targets alone", MASKS),
        ("mask_short", "the mask leaves the targets' EOS out; it is a real target, and the one that says when to stop", MASKS),
        ("mask_source", "the mask is made from the lengths of the sources; it says which targets are real, and these have lengths of their own", MASKS),
        ("ordered", "the pairs were sorted by length; keep their order"),
        ("sides", "source and target are exchanged; each pair is (source, target)"),
        ("floats", "the ids have a floating-point type (torch.zeros makes that); nn.Embedding takes whole numbers: dtype=torch.long"),
        ("no_pad", "sequences of different lengths cannot be stacked; fill them up to the longest first, with PAD", PADDING),
        ("one_row", "there is a row of padding too many; T is the longest target plus 1, for its EOS"),
        ("shortest", "the targets are cut to the shortest; fill them up to the longest"),
    ),
    cases=pairs_of,
    read=BATCH,
    call=collated,
    returns=("source", "lengths", "mask", "inputs", "targets"),
    axes="s b, b, t b, t b, t b",
    forbids=("rnncourse.text.batch", "rnncourse.translation.together"),
    lends=GIVEN,
)

# ---- Small models for Exercises 2 and 3


def made(cell, weights):
    """The three parts of a model with these weights."""
    table, *inner, W, b = [w.detach().clone() for w in weights]
    with torch.random.fork_rng():
        emb, rnn, decoder = nn.Embedding(*table.shape), getattr(nn, cell)(table.shape[1], W.shape[1]), nn.Linear(*W.T.shape)
    with torch.no_grad():
        for p, w in zip([*emb.parameters(), *rnn.parameters(), *decoder.parameters()], [table, *inner, W, b], strict=True):
            p.copy_(w)
    return emb, rnn, decoder


def weights_of(g, cell, V, D, H):
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[cell] * H
    return [0.8 * torch.randn(shape, generator=g) for shape in ((V, D), (gates, D), (gates, H), (gates,), (gates,), (V, H), (V,))]


def parameters(module):
    return [*module.parameters()]


def gradient(total, things):
    """The gradients of some tensors, in one row."""
    grads = torch.autograd.grad(total, things, allow_unused=True, retain_graph=True) if total.requires_grad else [None] * len(things)
    return torch.cat([(torch.zeros_like(a) if grad is None else grad).flatten() for a, grad in zip(things, grads)])


# ---- Exercise 2


def right_encode(emb, rnn, source, lengths, *, after_padding=False, early=False, late=False, first=False, ordered=False, mean=False, summed=False, c_lost=False, c_is_h=False,
                 c_padded=False, swapped=False, h_alone=False, flipped=False, flipped_padded=False, from_pad=False, no_layer=False, zeroed=False, masked_last=False,
                 all_pairs=False, cut=False, unsorted=False, shortest=False, outputs=False, one_more=False, sorted_twice=False, batch_first=False):  # fmt: skip
    """The state after each source's last token; with a switch on, a known mistake."""
    if unsorted or batch_first:
        raise RuntimeError(SORTED if unsorted else FIRST)
    if late:
        raise IndexError(LATE)
    pair, real = isinstance(rnn, nn.LSTM), torch.arange(len(source))[:, None] < lengths  # (S, B)
    if h_alone and pair:
        raise Unfit(H_ALONE)
    x = emb(source)  # (S, B, D)
    counts = [1 if first else int(lengths.min()) if shortest else int(n) - 1 if early else min(int(n) + one_more, len(x)) for n in ((source != PAD).sum(0) if from_pad else lengths)]
    x = x * real[..., None] if zeroed else x
    out, end = rnn(x.flip(0) if flipped_padded else x)
    h, c = one_by_one(rnn, x, counts, flipped)
    if after_padding or zeroed or flipped_padded:
        h, c = end if pair else (end, end)
    kept = out * real[..., None]  # (S, B, H)
    h = kept[-1:] if masked_last else kept.sum(0)[None] if summed else kept.sum(0)[None] / lengths[:, None] if mean else h
    h = out[lengths - 1] if all_pairs else out if outputs else h
    if pair and (masked_last or c_padded or all_pairs):
        c = end[1]
    if ordered or sorted_twice:
        order = lengths.argsort(descending=True, stable=True)
        h, c = (a[:, order[order] if sorted_twice else order] for a in (h, c))
    c = torch.zeros_like(c) if c_lost else h if c_is_h else c
    h, c = (c, h) if swapped else (h, c)
    h, c = (a[0] if no_layer else a.detach() if cut else a for a in (h, c))
    return (h, c) if pair else h


def one_by_one(rnn, x, counts, flipped):
    """The state (1, B, H), twice but for an LSTM, after so many steps of each sentence."""
    zeros = torch.zeros(1, 1, rnn.hidden_size)
    each = [rnn(x[:n, b : b + 1].flip(0) if flipped else x[:n, b : b + 1])[1] if n > 0 else zeros for b, n in enumerate(counts)]
    return (torch.cat([s[i] if isinstance(s, tuple) else s for s in each], dim=1) for i in (0, 1))


SORTED = "pack_padded_sequence asks for lengths that fall"
FIRST = "pack_padded_sequence is told that the batch is the first axis"
LATE = "an index of time is one too large"
H_ALONE = "it returned h alone; the state of an LSTM is the pair (h, c)"
READ = ((r"must be sorted in decreasing order", RuntimeError, SORTED), (r"exceeds dimension size|Expected `len\(lengths\)`", RuntimeError, FIRST), (r"index \d+ is out of bounds for dimension", IndexError, LATE))


def encoded(answer, cell, weights, source, lengths):
    """The state (h, c), c empty but for an LSTM, and what flows back from it."""
    emb, rnn, _ = made(cell, weights)
    try:
        state = answer(emb, rnn, source, lengths)
    except (RuntimeError, IndexError) as error:
        raise meant(error, READ) from None
    if cell == "LSTM":
        if isinstance(state, Tensor | np.ndarray):
            raise Unfit(H_ALONE)
        state = [*together(state, "h", "c")]
    else:
        state = [state[0] if isinstance(state, list | tuple) and len(state) == 1 else state]
    for a in state:
        if not isinstance(a, Tensor):
            raise Unfit("it returned nothing: is a return missing?" if a is None else f"it returned {kind(a)}, expected the state, a tensor (1, B, H)")
    g = torch.Generator().manual_seed(1)
    total = sum((a * torch.randn(a.shape, generator=g)).sum() for a in state)
    flows = [gradient(total, parameters(part)) for part in (emb, rnn)]
    return [a.detach() for a in state] + [torch.zeros(0)] * (len(state) < 2) + flows


def sources(g, sizes=(("GRU", 9, 3, 5, (4, 6, 2, 5)), ("RNN", 8, 4, 3, (1, 3, 5)), ("LSTM", 9, 2, 4, (3, 1, 6, 6, 2)), ("LSTM", 7, 3, 4, (5, 2)))):
    """Padded sources; in all cases but the first, what stands beyond the lengths is any token."""
    cases = []
    for i, (cell, V, D, H, lengths) in enumerate(sizes):
        source, lengths = torch.randint(3, V, (max(lengths), len(lengths)), generator=g), torch.tensor(lengths)
        source = source if i else source.where(torch.arange(len(source))[:, None] < lengths, torch.tensor(PAD))
        cases.append((cell, weights_of(g, cell, V, D, H), source, lengths))
    return cases


encode = Exercise(
    title="Exercise 2",
    points=5,
    truth=right_encode,
    slips=slips(
        ENCODER,
        ("after_padding", "this is the state after the padding, which has run over the short sentences' state; take it after each sentence's last token", PADDING),
        ("zeroed", "the padding's embeddings are set to 0, but the state runs on over them all the same; take it after each sentence's last token", PADDING),
        ("masked_last", "the outputs of the padding are set to 0, and then the last ones are taken, which are 0 for all but the longest; take the output at lengths - 1", PADDING),
        ("from_pad", "the lengths are counted anew from PAD; beyond a sentence's length anything may stand: use lengths", PADDING),
        ("early", "this is the state before each sentence's last token; that one belongs to the sentence"),
        ("late", "the output after n tokens is out[n - 1]; out[lengths] is one too late, and does not exist for the longest", None, ""),
        ("one_more", "this is the state one token after each sentence's last one; sentence b ends with step lengths[b] - 1", PADDING),
        ("first", "this is the state after the first token; take it after the last"),
        ("shortest", "all sentences are read only as far as the shortest; each is read to its own end"),
        ("ordered", "the states stand in the order of the sorted lengths; put them back in the order of the batch"),
        ("sorted_twice", "the states are put in order with the same order once more; the way back is its inverse, order.argsort()"),
        ("batch_first", "pack_padded_sequence is told batch_first=True, but the axes are (S, B, D)", PADDING, ""),
        ("unsorted", "pack_padded_sequence asks for falling lengths unless it is told enforce_sorted=False", PADDING, ""),
        ("mean", "this is the mean over the steps; asked for is the state after the last one"),
        ("summed", "this is the sum over the steps; asked for is the state after the last one"),
        ("outputs", "all the outputs are returned; the state is what is left after the last token: (1, B, H)"),
        ("all_pairs", "out[lengths - 1] picks, for each length, the step of all sentences, (B, B, H); out[lengths - 1, torch.arange(B)] picks one of each"),
        ("c_lost", "the LSTM's c is zeros; hand both h and c on"),
        ("c_is_h", "h stands in c's place; an LSTM's outputs are its h, its c has to be taken after the last token, too"),
        ("c_padded", "h is right, but c is from after the padding; an LSTM's outputs are its h alone, so packing or a loop has to find c", PADDING),
        ("swapped", "h and c are exchanged; torch's LSTM takes (h, c)"),
        ("h_alone", "the state of an LSTM is the pair (h, c), and only h is returned", None, ""),
        ("flipped", "the sentences are read backwards; read them from their first token to the last"),
        ("flipped_padded", "the batch is read backwards, the padding first; read it from the first token to the last"),
        ("no_layer", "the first axis is lost; torch takes and returns states as (layers, B, H), here (1, B, H)"),
        ("cut", "the values are right, but no gradient flows back, so that the encoder would never learn; leave detach, no_grad and .data out"),
    ),
    cases=sources,
    read=ENCODER,
    call=encoded,
    returns=("the state (of an LSTM: h)", "c", "the gradient of emb", "the gradient of rnn"),
    axes="layer b h, layer b h",
    forbids=("rnncourse.translation.Translator",),
    lends=GIVEN,
)

# ---- Exercise 3


def right_loss(emb, rnn, decoder, state, inputs, targets, mask, *, free=False, fed_targets=False, against_inputs=False, state_lost=False, only_h=False, again=False, cut_state=False, pads=False,
               summed=False, by_all=False, per_sentence=False, per_step=False, by_batch=False, inverted=False, own_mask=False, eos_left=False, over_batch=False,
               over_time=False, softmax_first=False, shifted=False, per_token=False, zeroed=False, sign=False, raw=False, cut=False, class_axis=False, unequal=False, mixed=False,
               as_index=False, second=False):  # fmt: skip
    """The mean loss of the real targets under teacher forcing; with a switch on, a known mistake."""
    if class_axis or unequal:
        raise RuntimeError(CLASSES) if class_axis else ValueError(ROWS)
    pair = isinstance(state, tuple)
    state = (tuple(a.detach() for a in state) if pair else state.detach()) if cut_state else state
    state = None if state_lost else (state[0], torch.zeros_like(state[1])) if only_h and pair else state
    if shifted:
        inputs, targets, mask = inputs[:-1], targets[1:], mask[1:]
    x = targets if fed_targets else inputs  # (T, B)
    if free or again:
        steps, tokens, now = [], x[0], state
        for t in range(len(x)):
            out, now = rnn(emb((x[t] if again else tokens)[None]), state if again else now)  # (1, B, H)
            steps.append(decoder(out[0]))  # (B, V)
            tokens = steps[-1].argmax(-1)
        logits = torch.stack(steps)  # (T, B, V)
    else:
        logits = decoder(rnn(emb(x), state)[0])  # (T, B, V)
    logits = logits.transpose(0, 1).reshape(logits.shape) if mixed else logits * mask[..., None] if zeroed else logits.softmax(-1) if softmax_first else logits
    scores = logits if raw else logits.log_softmax(1 if over_batch else 0 if over_time else 2)
    losses = -scores.gather(2, (inputs if against_inputs else targets)[..., None])[..., 0]  # (T, B)
    mask = mask if not (own_mask or eos_left or inverted) else targets != PAD if own_mask else mask & (targets != EOS) if eos_left else ~mask
    loss = losses[1:][mask[1:]].mean() if second else reduced(losses, mask, dict(
        pads=pads or zeroed, summed=summed, by_all=by_all, per_sentence=per_sentence, per_step=per_step, by_batch=by_batch, per_token=per_token, as_index=as_index))
    return -loss if sign else loss.detach() if cut else loss


def reduced(losses, mask, on):
    """One number, (), from the losses (T, B)."""
    kept, n = losses * mask, mask.sum()
    ways = {"pads": losses.mean, "summed": kept.sum, "by_all": kept.mean, "per_sentence": lambda: (kept.sum(0) / mask.sum(0)).mean(), "per_step": lambda: (kept.sum(1) / mask.sum(1)).mean(),
            "by_batch": lambda: kept.sum() / losses.shape[1], "per_token": lambda: losses[mask], "as_index": lambda: losses[mask.long()].mean()}  # fmt: skip
    return next((way() for name, way in ways.items() if on[name]), kept.sum() / n)


CLASSES = "cross_entropy takes axis 1 for the classes, and finds another size there"
ROWS = "as many rows of logits as targets are needed: one of the two was flattened, and the other was not"
LOSSES = ((r"Expected target size", RuntimeError, CLASSES), (r"Expected input batch_size \(", ValueError, ROWS))


def taught(answer, cell, weights, state, inputs, targets, mask):
    """The loss, and what flows back from it."""
    emb, rnn, decoder = made(cell, weights)
    state = [a.detach().clone().requires_grad_() for a in state]
    given = tuple(a * 1.0 for a in state) if cell == "LSTM" else state[0] * 1.0
    try:
        loss = answer(emb, rnn, decoder, given, inputs, targets, mask)
    except (RuntimeError, ValueError) as error:
        raise meant(error, LOSSES) from None
    if loss is None or isinstance(loss, list | tuple | str):
        raise Unfit("it returned nothing: is a return missing?" if loss is None else f"it returned {kind(loss)}, expected one number")
    loss = tensor(loss, "the loss").float()
    loss = loss.reshape(()) if loss.numel() == 1 else loss
    flows = [gradient(loss.sum(), things) for things in (*map(parameters, (emb, rnn, decoder)), state)]
    return [loss.detach(), *flows]


def lessons(g, sizes=(("GRU", 9, 3, 5, (4, 6, 2, 5)), ("LSTM", 8, 4, 3, (3, 1, 5)), ("RNN", 7, 2, 4, (2, 6)))):
    """States, inputs, targets and masks; in the second case what stands under the padding is any token."""
    cases = []
    for i, (cell, V, D, H, lengths) in enumerate(sizes):
        mask = torch.arange(max(lengths))[:, None] < torch.tensor(lengths)  # (T, B)
        targets = torch.randint(3, V, mask.shape, generator=g)
        targets[torch.tensor(lengths) - 1, torch.arange(len(lengths))] = EOS
        inputs = torch.cat([torch.full((1, len(lengths)), EOS), targets[:-1]])
        if i != 1:
            inputs, targets = inputs * mask, targets * mask
        state = [torch.tanh(torch.randn(1, len(lengths), H, generator=g)) for _ in range(2 if cell == "LSTM" else 1)]
        cases.append((cell, weights_of(g, cell, V, D, H), state, inputs, targets, mask))
    return cases


translation_loss = Exercise(
    title="Exercise 3",
    points=4,
    truth=right_loss,
    slips=slips(
        FORCING,
        ("free", "the model reads its own words (argmax) back: that is free running; under teacher forcing it reads the right ones, inputs"),
        ("fed_targets", "the model reads the targets, the very words that it is asked for, and learns to copy; it reads the inputs"),
        ("against_inputs", "the loss compares with the inputs, what has just been read; compare with the targets"),
        ("shifted", "inputs and targets are shifted once more; collate has done it already"),
        ("state_lost", "the decoder begins from zeros, so that it knows nothing of the source; begin from state", ENCODER),
        ("only_h", "of the LSTM's state only h is handed to the decoder, c begins from zeros; hand on the pair", ENCODER),
        ("again", "every step begins from the encoder's state again, so that the decoder forgets what it has said; each step hands its state to the next", ENCODER),
        ("cut_state", "the loss is right, but no gradient flows back to state, so that the encoder would never learn; leave detach out", ENCODER),
        ("cut", "the loss is right, but it carries no gradient; leave .item(), float() and detach out", MASKS),
        ("pads", "the padding counts like real words; take the mean where the mask is True", MASKS),
        ("by_all", "the sum is divided by the number of all positions, padding included; divide by the number of real ones, mask.sum()", MASKS),
        ("summed", "this is the sum; asked for is the mean over all real targets", MASKS),
        ("per_sentence", "a mean is taken for each sentence, then the mean of these, so that words of short sentences weigh more; take one mean over all", MASKS),
        ("per_step", "a mean is taken for each step, then the mean of these; take one mean over all real targets", MASKS),
        ("by_batch", "the sum is divided by the number of sentences; divide by the number of real targets", MASKS),
        ("per_token", "one loss for each real target is returned; return their mean", MASKS),
        ("inverted", "the mask is inverted: the loss is that of the padding", MASKS),
        ("own_mask", "another mask is made from PAD in the targets or inputs; where the mask is False anything may stand: use mask", MASKS),
        ("as_index", "the mask was made a whole number and used as an index, which picks rows 0 and 1 again and again; a mask has to be bool to select", MASKS),
        ("eos_left", "EOS is left out of the loss; it is a real target, and the one that says when to stop", MASKS),
        ("second", "the first step is left out of the loss; EOS in the inputs stands there to ask for the first word"),
        ("zeroed", "the logits of the padding are set to 0, which makes a uniform guess there, and that is counted; mask the losses", MASKS),
        ("over_batch", "the softmax goes over the batch, axis 1; the words are the last axis"),
        ("over_time", "the softmax goes over time, axis 0; the words are the last axis"),
        ("softmax_first", "a softmax is taken before the cross-entropy, which takes one itself; give it the logits"),
        ("raw", "the logits are taken for log-probabilities; log_softmax over the last axis makes them so"),
        ("sign", "the sign is lost; the loss is minus the log-probability"),
        ("mixed", "logits and targets do not belong together: one is flattened batch first, the other time first"),
        ("class_axis", "cross_entropy wants the axis of the classes second: select with the mask first, logits[mask], targets[mask], or flatten both", MASKS, ""),
        ("unequal", "logits and targets are flattened differently; logits.flatten(0, 1) is (T B, V), targets.flatten() is (T B,)", MASKS, ""),
    ),
    cases=lessons,
    read=FORCING,
    call=taught,
    returns=("the loss", "the gradient of emb", "the gradient of rnn", "the gradient of decoder", "the gradient of state"),
    forbids=("rnncourse.metrics.token_nll",),
    lends=GIVEN,
)

# ---- Exercise 4


def right_attend(query, keys, mask, *, no_mask=False, inverted=False, late=False, over_batch=False, scaled=False, cosine=False, zero_scores=False, total=False, flat=False, plain=False,
                 of_query=False, raw=False, sigmoid=False, logs=False, overflow=False, hard=False, cut=False, cut_weights=False, turned=False, swapped=False, per_unit=False, far=False,
                 late_again=False, weak=False, weights_alone=False, context_alone=False, overflow_masked=False):  # fmt: skip
    """Weights (S, B) and context (B, H); with a switch on, a known mistake."""
    scores = scored_by(query, keys, scaled, cosine, far)  # (S, B)
    shown = scores * mask if zero_scores else scores if no_mask or late or late_again else scores.masked_fill(mask if inverted else ~mask, -100 if weak else -torch.inf)
    if sigmoid or raw:
        weights = (scores.sigmoid() if sigmoid else scores) * mask
    elif overflow:
        weights = scores.exp() * mask
        weights = weights / weights.sum(0)
    elif overflow_masked:
        weights = shown.exp() / shown.exp().sum(0)
    else:
        weights = shown.softmax(1 if over_batch else 0)
    weights = weights * mask if late or late_again else weights
    weights = weights / weights.sum(0) if late_again else weights
    weights = F.one_hot(weights.argmax(0), len(keys)).T.to(weights) if hard else weights
    weights = mask / mask.sum(0) if plain else weights
    used = weights.detach() if cut_weights else weights
    context = (used[..., None] * (query if of_query else keys)).sum(0) / (mask.sum(0)[:, None] if flat else 1)  # (B, H)
    context = (keys * mask[..., None]).sum(0) if total else context
    weights = weights.clamp(min=1e-30).log() if logs else weights
    if cut:
        weights, context = weights.detach(), context.detach()
    if weights_alone or context_alone:
        raise Unfit(f"it returned a tensor of shape {tuple((weights if weights_alone else context).shape)}, expected the weights, the context")
    weights = weights.T if turned else weights
    context = weights[..., None] * keys if per_unit else context
    return (context, weights) if swapped else (weights, context)


def scored_by(query, keys, scaled, cosine, far):
    """The scores (S, B) of query (B, H) and keys (S, B, H)."""
    if cosine:
        return F.cosine_similarity(query[None], keys, dim=-1)
    scores = (query * keys).sum(-1)
    return -((query - keys) ** 2).sum(-1) if far else scores / keys.shape[-1] ** 0.5 if scaled else scores


def looked(answer, query, keys, mask):
    weights, context = together(answer(query, keys, mask), "the weights", "the context")
    weights, context = tensor(weights, "weights"), tensor(context, "context")
    return [weights, context]


def looked_words(name, at, wanted, got):
    """What is no number, with where it may come from."""
    return f"in {name}, index {[*at]}: expected {wanted:.4g}, got nan, which is what infinity / infinity and 0 / 0 are" if math.isnan(got) else ""


def views(g, sizes=((6, 4, 3), (4, 3, 5), (7, 2, 4), (3, 5, 2))):
    """Queries, keys and masks; one sentence has its padding first, in the second case masks have holes, in the third some are near 96, some near -120."""
    cases = []
    for i, (S, B, H) in enumerate(sizes):
        lengths = torch.randint(1, S, (B,), generator=g)
        lengths[0] = torch.randint(2, S, (), generator=g)
        mask = torch.arange(S)[:, None] < lengths
        mask[:, 1] = torch.arange(S) >= torch.randint(1, int(lengths[0]) + 1, (), generator=g)
        if i == 1:
            mask[1:-1, 1:] = torch.rand(S - 2, B - 1, generator=g) < 0.6
        query, keys = torch.randn(B, H, generator=g), torch.randn(S, B, H, generator=g)
        if i == 2:
            query[0], keys[:2, 0] = (96 / H) ** 0.5, torch.tensor([[1.0], [0.99]]) * (96 / H) ** 0.5
            keys[:, 1] -= mask[:, 1:2] * (120 / H) ** 0.5
            query[1] = (120 / H) ** 0.5
        cases.append((query, keys, mask))
    return cases


attend = Exercise(
    title="Exercise 4",
    points=5,
    truth=right_attend,
    slips=slips(
        ATTENTION,
        ("no_mask", "the padding gets weight too; set its scores to minus infinity before the softmax"),
        ("inverted", "the mask is inverted: the weight lies on the padding; masked_fill fills where its mask is True, so give it ~mask"),
        ("late", "the mask comes after the softmax, so that what is left does not sum to 1; mask the scores before, with minus infinity"),
        ("late_again", "the softmax goes over the padding too, and what it leaves is divided by its sum: where the padding's scores are much the larger, nothing is left "
         "to divide; mask the scores before, with minus infinity"),
        ("weak", "the scores of the padding are set to a number that real scores may fall below; set them to minus infinity, or -1e9"),
        ("zero_scores", "the scores of the padding are set to 0 (or 1e-9, which is next to 0), and e to the 0 is 1, no small weight; set them to minus infinity, or -1e9"),
        ("over_batch", "the softmax goes over the batch, axis 1; the weights of each sentence sum to 1 over its steps, axis 0"),
        ("scaled", "the scores are divided by the root of H; asked for is the product as it is"),
        ("cosine", "the scores are cosines; asked for is the product as it is"),
        ("far", "the scores are distances; asked for is the product of query and key"),
        ("sigmoid", "a sigmoid makes the weights, which then do not sum to 1; softmax does"),
        ("raw", "there is no softmax: the scores themselves are used as weights"),
        ("logs", "the weights are logarithms; softmax, not log_softmax, makes weights"),
        ("overflow", "e to the 96 is infinite in floats, and infinity divided by itself no number; softmax subtracts the largest score first"),
        ("overflow_masked", "exp of a score above 88 is infinite in floats, and of one below -104 is 0; infinity / infinity and 0 / 0 are no numbers: softmax avoids both"),
        ("hard", "all weight lies on the largest score; softmax shares it out, and lets gradients through"),
        ("plain", "all real steps get the same weight; the scores, the products of query and keys, decide"),
        ("of_query", "the weights are multiplied with the query; the context is the weighted mean of the keys"),
        ("total", "the context is the sum of the keys without their weights; multiply each with its weight first"),
        ("flat", "the weighted keys are divided by the length too; the weights sum to 1, so their sum is the mean already"),
        ("per_unit", "the weighted keys are not added up; their sum over the steps is the context, (B, H)"),
        ("turned", "the weights have the axes (B, S); time comes first, (S, B)"),
        ("swapped", "the context comes first; return the weights, then the context"),
        ("weights_alone", "only the weights are returned; return the context, the weighted mean of the keys, too", None, ""),
        ("context_alone", "only the context is returned; return the weights before it", None, ""),
        ("cut", "the values are right, but no gradient flows back; leave detach and no_grad out"),
        ("cut_weights", "the values are right, but no gradient flows back through the weights, so that the model could not learn where to look"),
    ),
    cases=views,
    read=ATTENTION,
    call=looked,
    returns=("weights", "context"),
    words=looked_words,
    axes="s b, b h",
    forbids=("torch.nn.functional.scaled_dot_product_attention", "torch.nn.MultiheadAttention", "rnncourse.translation.Translator"),
)

# ---- Exercise 5


def right_greedy(step, state, B, eos, maxlen, *, first_stops=False, goes_on=False, goes_on_filtered=False, state_lost=False, same_input=False, from_zero=False, start_kept=False,
                 eos_kept=False, one_short=False, one_long=False, least=False, over_batch=False, turned=False, eos_fixed=False, aliased=False, filled=False, last_state=False,
                 unended_lost=False, first_lost=False, first_only=False, tensor_input=False, no_end=False, no_end_filtered=False, ended_first=False):  # fmt: skip
    """The likeliest token again and again, for a batch; with a switch on, a known mistake."""
    if tensor_input:
        raise ValueError(TOKENS)
    if ended_first:
        return [[] for _ in range(B)]
    end, start = 1 if eos_fixed else eos, state
    tokens, rows = torch.full((B,), 0 if from_zero else eos), [[eos] if start_kept else [] for _ in range(B)]
    rows, ended = [rows[0]] * B if aliased else rows, torch.zeros(B, dtype=torch.bool)
    for t in range(maxlen - one_short + (one_long and not one_short)):
        log_probs, new = step(tokens, start if state_lost else state)
        state = state if last_state and t else new
        chosen = (-log_probs if least else log_probs).argmax(0 if over_batch else 1)
        chosen = chosen[torch.arange(B) % len(chosen)]
        ended_before, ended = ended, ended | (chosen == end)
        for row, token, was, now in zip(rows, chosen.tolist(), ended_before, ended):
            if goes_on or goes_on_filtered or no_end or no_end_filtered:
                row += [token] * (goes_on or no_end or token != end)
            else:
                row += [token] if not now or eos_kept and not was else [PAD] * filled
        tokens = tokens if same_input else chosen[:1].expand(B) if first_only else chosen
        if ended.all() and not (no_end or no_end_filtered) or first_stops and ended.any():
            break
    rows = [row if now or not unended_lost else [] for row, now in zip(rows, ended)]
    rows = [row[:start_kept] + row[1 + start_kept :] for row in rows] if first_lost else rows
    if turned:
        longest = max(map(len, rows))
        rows = [[row[t] for row in rows if t < len(row)] for t in range(longest)]
    return rows


TOKENS = "step takes B whole numbers, a tensor (B,), one token for each sentence"


def stepper(moves, logits):
    """A step over a table: from a token and a row's number to another row's number, which decides what comes next."""

    def step(tokens, state):
        places = state["place"]
        if not isinstance(tokens, Tensor) or tokens.shape != places.shape or tokens.is_floating_point():
            raise ValueError(TOKENS)
        places = moves[places, tokens.long()]  # (B,)
        return logits[places].log_softmax(-1), {"place": places}

    return step


def said(answer, moves, logits, places, eos, maxlen):
    """How many tokens each sentence has, and which."""
    try:
        result = answer(stepper(moves, logits.detach()), {"place": places}, len(places), eos, maxlen)
    except IndexError as error:
        raise (ValueError(TOKENS).with_traceback(error.__traceback__) if "index" in str(error) and "bound" in str(error) else error) from None
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    if not isinstance(result, list | tuple | Tensor | np.ndarray):
        raise Unfit(f"it returned {kind(result)}, expected a list with a list of numbers for each sentence")
    if any(isinstance(row, str) for row in result):
        raise Unfit("a sentence is a str, expected a list of numbers")
    rows = [tensor(row, "a sentence").reshape(-1) for row in result]
    padded = nn.utils.rnn.pad_sequence([row.double() for row in rows], batch_first=True, padding_value=-1) if rows else torch.zeros(0, 0)
    return [torch.tensor([len(rows)]), torch.tensor([len(row) for row in rows]), padded]


def said_words(name, at, wanted, got):
    if name == "the number of sentences":
        return f"it returned {got:g} sentence{'s' * (got != 1)}, expected {wanted:g}"
    if name == "the lengths":
        return f"sentence {at[0] + 1} has {got:g} token{'s' * (got != 1)}, expected {wanted:g}"
    return f"sentence {at[0] + 1}, token {at[1] + 1}: expected {wanted:g}, got {got:g}"


def tables(g, sizes=((5, 12, 6, 3, 7), (4, 14, 7, 5, 6), (3, 12, 5, 2, 8), (2, 10, 4, 1, 5))):
    """Tables to write from: of more than two sentences one has no token, one is still open at maxlen, and the others end between."""
    cases = []
    for B, K, V, eos, maxlen in sizes:
        picked = []
        while len(picked) < B:
            moves, logits = torch.randint(K, (K, V), generator=g), 2 * torch.randn(K, V, generator=g)
            rows = right_greedy(stepper(moves, logits), {"place": torch.arange(K)}, K, eos, 3 * maxlen)  # from every place
            between = [k for k, row in enumerate(rows) if 0 < len(row) < maxlen - 1 and rows.index(row) == k]
            between = [k for k in between if len(rows[k]) != len(rows[between[0]])] + between[:1]
            last, none = ([k for k, row in enumerate(rows) if fits(row)] for fits in (lambda row: len(row) > maxlen + 1 and len({*row}) > 2, lambda row: not row))
            picked = between[-B:] if B < 3 and len(between) > 1 else [between[-1], *last[:1], *between[: B - 3], *none[:1]] if last and none and len(between) > 1 else []
        cases.append((moves, logits, torch.tensor(picked), eos, maxlen))
    return cases


greedy = Exercise(
    title="Exercise 5",
    points=4,
    truth=right_greedy,
    slips=slips(
        GREEDY,
        ("first_stops", "it stops when the first sentence ends, and the others are cut there; go on until all have ended"),
        ("goes_on", "sentences go on after EOS; what comes after it is no part of the sentence"),
        ("goes_on_filtered", "EOS is taken out, but what comes after it stays; the sentence ends at its first EOS"),
        ("no_end", "nothing ends: every sentence has maxlen tokens; it ends at its first eos"),
        ("no_end_filtered", "EOS is left out, but the sentence goes on; remember which sentences have ended, until all have"),
        ("ended_first", "every sentence is empty: the eos that is read first is taken for its end; only a token that argmax has chosen can end a sentence"),
        ("filled", "sentences that have ended are filled up; each list ends where its sentence does"),
        ("state_lost", "every step begins from the first state; hand the state that step returns to the next one"),
        ("last_state", "the state is handed on once, and not any more; each step gets the state that the one before returned"),
        ("same_input", "every step reads EOS again; it reads the token that was chosen last"),
        ("first_only", "all sentences read the first one's token; each reads its own"),
        ("from_zero", "the first token that is read is 0; it is eos"),
        ("start_kept", "the EOS that is read first stands in the result; it is no part of the sentence"),
        ("first_lost", "the first token is lost; the first step chooses it already"),
        ("eos_kept", "the EOS at the end stands in the result; leave it out"),
        ("eos_fixed", "the end of a sentence is a number that is written in, 1; it is the argument eos"),
        ("one_short", "it stops one token too early; up to maxlen tokens are chosen"),
        ("one_long", "one token too many is chosen; maxlen is the largest number"),
        ("unended_lost", "a sentence that is still open at maxlen is lost; it is returned as it is then"),
        ("least", "the least likely token is taken; take the likeliest"),
        ("over_batch", "argmax goes over the batch, axis 0; log_probs is (B, V), and the tokens are the last axis"),
        ("turned", "there is a list for each step; return a list for each sentence"),
        ("aliased", "the sentences are one list under B names ([[]] * B does that), so that every token is appended to all; make a list for each"),
        ("tensor_input", "step takes the tokens of all sentences at once, a tensor of B whole numbers, (B,)", None, ""),
    ),
    cases=tables,
    read=GREEDY,
    call=said,
    returns=("the number of sentences", "the lengths", "the tokens"),
    words=said_words,
    forbids=("rnncourse.decoding.sample", "rnncourse.decoding.greedy", "rnncourse.decoding.beam"),
    lends=GIVEN,
)

# ---- Exercise 6


def right_by_length(found, wanted, lengths, edges, *, tokens=False, cut=False, bags=False, counts=False, of_all=False, below=False, right_edge=False, last_lost=False, found_lengths=False,
                    wanted_lengths=False, empty_zero=False, empty_lost=False, wrong=False, percent=False, lengths_only=False, both_edges=False, divided=False):  # fmt: skip
    """The share of right sentences in each group of lengths; with a switch on, a known mistake."""
    lengths = [len(f) for f in found] if found_lengths else [len(w) for w in wanted] if wanted_lengths else lengths
    shares = []
    for a, b in list(zip(edges, edges[1:]))[: len(edges) - 1 - last_lost]:
        inside = [i for i, n in enumerate(lengths) if (a < n <= b if right_edge else a <= n <= b if both_edges else n < b if below else a <= n < b)]
        good = [right(found[i], wanted[i], tokens=tokens, cut=cut, bags=bags, lengths_only=lengths_only) for i in inside]
        good = [1 - g for g in good] if wrong else good
        if not inside and divided:
            raise ZeroDivisionError(DIVIDED)
        if not inside and empty_lost:
            continue
        n = len(found) if of_all else 1 if counts else len(good)
        shares.append(sum(good) / n * (100 if percent else 1) if good else 0.0 if empty_zero else math.nan)
    return shares


DIVIDED = "division by zero"


def right(found, wanted, tokens, cut, bags, lengths_only):
    """Whether a sentence is right, or how much of it."""
    same = [f == w for f, w in zip(found, wanted)]
    if tokens:
        return sum(same) / max(len(wanted), 1)
    return all(same) if cut else sorted(found) == sorted(wanted) if bags else len(found) == len(wanted) if lengths_only else found == wanted


def grouped(answer, sentences, right_ones, sizes, edges):
    """The shares; of the arguments, a message shows the edges alone."""
    try:
        result = answer([[*f] for f in sentences], [[*w] for w in right_ones], [*sizes], [*edges])
    except ZeroDivisionError as error:
        raise meant(error, ((r"division", ZeroDivisionError, DIVIDED),)) from None
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    result = [*result.values()] if isinstance(result, dict) else result
    if not isinstance(result, list | tuple | Tensor | np.ndarray):
        raise Unfit(f"it returned {kind(result)}, expected a list of shares")
    for a in result:
        if a is None or isinstance(a, str | list | tuple):
            raise Unfit(f"a share is {'None' if a is None else kind(a)}, expected a number, or nan for a group without sentences")
    return tensor([float(a) for a in result], "the shares").double()


def translated(g, sizes=((40, (1, 5, 9, 13)), (30, (2, 4, 8, 16, 20)), (50, (1, 3, 6)))):
    """Sentences that were found, and right ones; in the second case one group is empty."""
    cases, pick = [], lambda low, high: int(torch.randint(low, high, (), generator=g))  # noqa: E731
    for i, (n, edges) in enumerate(sizes):
        found, wanted, lengths = [], [], []
        for k in range(n):
            lengths.append(edges[k % len(edges)] if k < 2 * len(edges) else pick(edges[0] - (i == 2), edges[-1] + 1))
            if i == 1 and 8 <= lengths[-1] < 16:
                lengths[-1] = 3
            right_ = [pick(3, 9) for _ in range(max(1, lengths[-1] + pick(-2, 3)))]
            wrong = ([*right_, 4], right_[:-1], right_[::-1], [*right_[:-1], 9], right_)
            wanted.append(right_)
            found.append(wrong[k % 5 if k < 20 else pick(0, 7) % 5])
        cases.append((found, wanted, lengths, list(edges)))
    return cases


by_length = Exercise(
    title="Exercise 6",
    points=2,
    truth=right_by_length,
    slips=slips(
        LENGTH,
        ("tokens", "the share of right tokens is counted; a sentence is right as a whole, or not at all"),
        ("cut", "a sentence counts as right if the shorter of the two agrees with the other's beginning (zip stops there); its length has to agree, too"),
        ("bags", "a sentence counts as right if it has the right words in any order; the order counts"),
        ("lengths_only", "a sentence counts as right if it is as long as the right one; compare the tokens"),
        ("wrong", "the share of wrong sentences is returned; asked for is that of right ones"),
        ("counts", "the number of right sentences is returned; divide by the number in the group"),
        ("of_all", "the number of right sentences is divided by that of all sentences; divide by the number in the group"),
        ("percent", "the shares are percentages; asked for are numbers from 0 to 1"),
        ("below", "a group takes all sentences below its upper edge; it begins at its lower one"),
        ("right_edge", "a length on an edge is put into the group below it; edges[i] <= length < edges[i + 1]"),
        ("both_edges", "a length on an edge is counted in two groups; edges[i] <= length < edges[i + 1] takes the lower edge alone"),
        ("last_lost", "the last group is missing; n edges make n - 1 groups"),
        ("found_lengths", "the sentences are grouped by the length of what was found; use lengths, those of the sources"),
        ("wanted_lengths", "the sentences are grouped by the length of the right translation; use lengths, those of the sources"),
        ("empty_zero", "a group without sentences gets 0, as if all of it were wrong; nobody knows its share: nan"),
        ("empty_lost", "a group without sentences is left out, so that the others move up; it gets nan"),
        ("divided", "a group without sentences has none to divide by; look first whether there are any, and give nan if not", None, ""),
    ),
    cases=translated,
    read=LENGTH,
    call=grouped,
    axes="group",
)

# ---- Exercises 7 and 8: a recipe for training, scored

RIGHT = {}  # what sentences of a secret language mean, by the first pairs of the lesson: noted where the language is drawn
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
AIM, SECONDS, SHORT = 5, 30, 8  # seconds of computing; pairs in a batch of the short lesson
TOOK = {}  # seconds of computing, by exercise: those of the answer that was run last


def language(pick, top):
    """Number words below ``top`` in a language of its own: English or French, forwards or backwards, with other words."""
    say, step = (bilingual.english_number, bilingual.french_number)[pick.randrange(2)], pick.choice((1, -1))
    words = lambda n: say(n).replace("-", " ").split()  # noqa: E731
    known = sorted({word for n in (*range(1000), *range(1000, top, 997)) for word in words(n)})
    names = dict(zip(known, pick.sample([a + b for a in SYLLABLES for b in SYLLABLES], len(known))))
    return lambda n: " ".join(names[word] for word in words(n)[::step])


def lesson(g, top, batches, B, asked):
    """Pairs to learn from, batch by batch, and other sentences of the same words: plain strings. Their translations are noted in ``RIGHT``."""
    pick = random.Random(int(torch.randint(2**31, (), generator=g)))
    write, numbers = language(pick, top), [*range(top)] if top < 100_000 else pick.sample(range(top), batches * B + 20 * asked)
    pick.shuffle(numbers)
    known = numbers[asked:]
    learned = [known[i % len(known)] for i in range(batches * B)]
    sources, targets = [write(n) for n in learned], [str(n) for n in learned]
    words = {word for source in sources for word in source.split()}
    fresh = [n for n in numbers[:asked] + known[batches * B :] if words.issuperset(write(n).split())][:asked]
    questions = [write(n) for n in fresh]
    RIGHT[tuple(sources[:9])] = {"asked": [str(n) for n in fresh], "meaning": dict(zip(questions, map(str, fresh)))}
    return sources, targets, B, questions


@contextmanager
def seeded():
    """Random numbers from seeds 0, and afterwards as they were."""
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(0), np.random.seed(0), torch.manual_seed(0)
        try:
            yield
        finally:
            random.setstate(before[0]), np.random.set_state(before[1])


def taken(answer, sources, targets, B, questions):
    """What was learned from a lesson, asked: the translations, (N, L), as code points."""
    pairs, began = [*zip(sources, targets)], time.process_time()
    with seeded():
        translate = answer([pairs[i : i + B] for i in range(0, len(pairs), B)])
        if not callable(translate):
            raise Unfit(f"it returned {'nothing: is a return missing?' if translate is None else kind(translate)}; expected a function from sentences to translations")
        try:
            found = translate([*questions])
        except (NotImplementedError, TypeError, AttributeError) as error:
            if not isinstance(translate, nn.Module):
                raise
            raise Unfit(f"it returned a model ({type(translate).__name__}), which does not take a list of sentences; expected a function that does, and has the model "
                        f"translate them. ({type(error).__name__}: {error})") from error
    if time.process_time() - began > SECONDS:
        raise Unfit(f"it took more than {SECONDS} seconds of computing; make the model smaller, or the updates fewer")
    if not isinstance(found, list | tuple) or not all(isinstance(line, str) for line in found):
        raise Unfit(f"translate returned {kind(found)}{' of other things than strings' * isinstance(found, list | tuple)}, expected a list of strings")
    rows = [torch.tensor([*map(ord, line)] or [-1]) for line in found]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1) if rows else torch.zeros(0, 1)


def watched():
    """Whether somebody sits before it. A notebook that is run by a program can ask nobody, and is to print the same each time."""
    return getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", True)


def taken_long(seconds):
    """What to think of the time."""
    return f"aim at {AIM}" if seconds <= AIM else f"that is more than {AIM}, and a busy grader may stop it: make the model smaller, or the updates fewer"


class Scored(Exercise):
    """An exercise that no two right answers solve alike: what counts is how many of the questions of its whole lesson are answered rightly."""

    def __call__(self, answer, seed=0):
        super().__call__(answer, seed)
        if watched():
            print(f"(in {TOOK[self.title]:.1f} s of computing; {taken_long(TOOK[self.title])})")

    def trace(self, answer, cases):
        began = time.process_time()
        try:
            return super().trace(answer, cases)
        finally:
            TOOK[self.title] = time.process_time() - began

    def explain(self, got, cases, found):
        return super().explain(got, cases, found).replace("With : ", "")


def marked(values, sources, targets, B, questions, bar):
    """What was answered, marked: the number of answers; of the whole lesson the share that is right, up to the bar, and what shows."""
    found, wanted = ["".join(chr(int(c)) for c in row if c >= 0) for row in values[0]], RIGHT[tuple(sources[:9])]["asked"]
    return [torch.tensor(float(len(found))), *(scores(found, wanted, questions, bar) if B > SHORT else ())]


def scores(found, wanted, questions, bar):
    """The share that is right, up to the bar (0 if it may be luck), then 1 or 0 for each way to be wrong that shows: backwards, with other signs, …"""
    if len(found) != len(wanted):
        return [torch.zeros(()), torch.zeros(9)]
    share = lambda lines: sum(a == b for a, b in zip(lines, wanted)) / len(wanted)  # noqa: E731
    ways = ([line[::-1] for line in found], [re.sub(r"\D", "", line) for line in found], [line + right[-1] for line, right in zip(found, wanted)],
            [right[0] + line for line, right in zip(found, wanted)], [line[: len(right)] for line, right in zip(found, wanted)])  # fmt: skip
    shown = [share(way) >= bar / 2 for way in ways]
    shown += [len({*found}) == 1, sum(a == b for a, b in zip(found, questions)) > len(found) / 2, sum(line == "" for line in found) > len(found) / 2,
              len({*found} & {*wanted}) >= bar / 2 * len(wanted)]  # fmt: skip
    known = share(found) if share(found) > 0.05 else 0.0
    return [torch.tensor(min(known, bar), dtype=torch.float64), torch.tensor(shown).double()]


def right_learn(batches, *, backwards=False, spaced=False, last_lost=False, first_lost=False, goes_on=False, one_answer=False, copies=False, nothing=False, ordered=False):
    """A function that translates, without learning: the check has noted what is right. With a switch on, a known mistake."""
    meaning = RIGHT[tuple(source for batch in batches for source, _ in batch)[:9]]["meaning"]

    def translate(sentences):
        found = [meaning[sentence] for sentence in (sorted(sentences, key=lambda s: (len(s), s)) if ordered else sentences)]
        found = [line[::-1] if backwards else line for line in found]
        found = [line[:-1] if last_lost else line[1:] if first_lost else line for line in found]
        found = [line + line[-1:] * 3 if goes_on else line for line in found]
        found = [" ".join(line) if spaced else line for line in found]
        return sentences if copies else [""] * len(found) if nothing else [found[0]] * len(found) if one_answer else found

    return translate


def graded(name, at, wanted, got):
    """A mark in words."""
    if name == "the number of translations":
        return f"translate returned {got:g} translation{'s' * (got != 1)} of {wanted:g} sentences"
    if name == "the share that is right":
        return f"{got:.0%} of the new numbers are translated rightly; {wanted:.0%} are enough"
    return "the translations are not the expected ones"


def scored(title, points, bar, top, batches):
    """An exercise with numbers below ``top``."""
    return Scored(
        title=title,
        points=points,
        truth=right_learn,
        slips=slips(
            GREEDY,
            ("backwards", "the digits come backwards; say the first one first"),
            ("spaced", "there are other signs than digits in the translations, such as spaces or <eos>; without them they would be right"),
            ("last_lost", "the last digit is lost; cut each translation where its EOS stands"),
            ("first_lost", "the first digit is lost; the first step, which reads EOS, says it already"),
            ("goes_on", "the translations go on after their end; cut each at its first EOS"),
            ("one_answer", "every sentence gets the same translation: either the decoder does not see the encoder's state, or the model did not train", ENCODER),
            ("copies", "the sentences come back as they are"),
            ("nothing", "most translations are empty, as if the decoder said EOS at once"),
            ("ordered", "the translations stand in another order than the sentences (sorted by length?); keep their order"),
        ),
        cases=partial(lessons_for, top=top, batches=batches),
        read=ENCODER,
        call=taken,
        settle=partial(marked, bar=bar),
        returns=("the number of translations", "the share that is right", "what shows"),
        words=graded,
        forbids=tuple(f"rnncourse.bilingual.{name}" for name in ("english_number", "french_number", "pairs", "translations")),
    )


def lessons_for(g, top, batches, B=64, asked=300):
    """A short lesson, of which only the form is looked at, and a whole one."""
    few = int(torch.randint(4, 40, (), generator=torch.Generator().manual_seed(g.initial_seed())))
    return [lesson(g, top, 3, SHORT, few), lesson(g, top, batches, B, asked)]


learn = scored("Exercise 7", 3, 0.8, 10_000, 200)
learn_long = scored("Exercise 8", 2, 0.9, 1_000_000, 300)
