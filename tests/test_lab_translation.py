"""Lab 6: wrong answers as students write them, and what the lab promises. What holds for all labs stands in test_labs.py."""

import itertools
import math
import re
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from banks import hidden, modules, noting, refused

from rnncourse.checks import CheckFailed, same

FOLDER = Path(__file__).parents[1] / "solutions" / "translation"
LAB = modules("translation")
check, right, EXERCISES = LAB.check, LAB.right, LAB.exercises
WRONG = []
wrong = noting(WRONG)
PAD, EOS = 0, 1


@pytest.fixture(scope="module")
def space():
    """What the notebook defines, with its answers."""
    names, before = {"__name__": "__main__"}, sys.modules.get("check")
    sys.modules["check"] = check
    try:
        for cell in nbformat.read(FOLDER / "translation.ipynb", as_version=4).cells:
            if "define" in cell.metadata.get("tags", []):
                exec(compile(cell.source, cell.id, "exec"), names)
    finally:
        sys.modules.pop("check") if before is None else sys.modules.update(check=before)
        torch.use_deterministic_algorithms(False)
    return names


# Exercise 1


def collating(source=lambda s: s, before=lambda t: [EOS, *t], after=lambda t: [*t, EOS], mask=lambda y, s, t: y != PAD, lengths=lambda s, t: len(s), first=False, order=lambda p: p,
              finish=lambda *found: found):  # fmt: skip
    """An answer as most write it, with one thing wrong."""

    def answer(pairs):
        pairs = order([(s.tolist(), t.tolist()) for s, t in pairs])
        pad = lambda rows: pad_sequence([torch.tensor(row) for row in rows], batch_first=first, padding_value=PAD)  # noqa: E731
        x, y = pad([before(t) for _, t in pairs]), pad([after(t) for _, t in pairs])
        return finish(pad([source(s) for s, _ in pairs]), torch.tensor([lengths(s, t) for s, t in pairs]), x, y, mask(y, *zip(*pairs)))

    return answer


wrong("collate", "not_shifted")(collating(before=lambda t: [*t, EOS]))
wrong("collate", "teacher_late")(collating(after=lambda t: [EOS, *t]))
wrong("collate", "no_eos")(collating(before=lambda t: t, after=lambda t: t))
wrong("collate", "eos_twice")(collating(before=lambda t: [EOS, *t, EOS]))
wrong("collate")(collating(before=lambda t: [EOS, *t, EOS], after=lambda t: [EOS, *t, EOS]))
wrong("collate", "eos_uncounted")(collating(source=lambda s: [*s, EOS]))
wrong("collate", "eos_source")(collating(source=lambda s: [*s, EOS], lengths=lambda s, t: len(s) + 1))
wrong("collate", "long_lengths")(collating(lengths=lambda s, t: len(s) + 1))
wrong("collate", "target_lengths")(collating(lengths=lambda s, t: len(t)))
wrong("collate", "batch_first")(collating(first=True))
wrong("collate", "inverted")(collating(mask=lambda y, s, t: y == PAD))
wrong("collate", "no_mask")(collating(mask=lambda y, s, t: torch.ones_like(y).bool()))
wrong("collate", "mask_short")(collating(mask=lambda y, s, t: (y != PAD) & (y != EOS)))
wrong("collate", "mask_source")(collating(mask=lambda y, s, t: torch.arange(len(y))[:, None] <= torch.tensor([*map(len, s)])))
wrong("collate", "ordered")(collating(order=lambda pairs: sorted(pairs, key=lambda p: -len(p[0]))))
wrong("collate", "sides")(collating(order=lambda pairs: [(t, s) for s, t in pairs]))
wrong("collate", "swapped")(collating(before=lambda t: [*t, EOS], after=lambda t: [EOS, *t]))
wrong("collate", "source_first")(collating(finish=lambda s, *rest: (s.T, *rest)))
wrong("collate")(collating(finish=lambda s, n, *rest: (s, *rest)))
wrong("collate")(collating(finish=lambda *found: None))
wrong("collate", "floats")(collating(finish=lambda s, n, x, y, m: (s.float(), n, x.float(), y.float(), m)))
wrong("collate")(collating(finish=lambda s, n, x, y, m: (s, n, x, y, m.float() * 2)))


def collating_plainly(source=lambda s: s, before=lambda eos, t: torch.cat([eos, t]), counted=lambda rows, inputs: [len(s) for s in rows], first=False):
    """An answer with the mask from the number of rows, one thing wrong."""

    def answer(pairs):
        sources, targets = zip(*pairs)
        eos = torch.tensor([EOS])
        pad = partial(pad_sequence, batch_first=first, padding_value=PAD)
        x, y = pad([before(eos, t) for t in targets]), pad([torch.cat([t, eos]) for t in targets])
        n = torch.tensor([len(t) + 1 for t in targets])
        rows = pad([source(s) for s in sources])
        return rows, torch.tensor(counted(sources, rows)), x, y, torch.arange(len(x))[:, None] < n

    return answer


wrong("collate", "square_mask")(collating_plainly(first=True))
wrong("collate", "short_mask")(collating_plainly(before=lambda eos, t: t))
wrong("collate", "short_inputs")(collating(before=lambda t: t))
wrong("collate", "padded_lengths")(collating_plainly(counted=lambda sources, rows: [len(rows)] * len(sources)))
wrong("collate", "eos_uncounted")(collating_plainly(source=lambda s: F.pad(s, (0, 1), value=EOS)))
wrong("collate", "eos_source")(collating_plainly(source=lambda s: F.pad(s, (0, 1), value=EOS), counted=lambda sources, rows: [len(s) + 1 for s in sources]))


@wrong("collate", "eos_last")
def answer(pairs):
    sources, targets = zip(*pairs)
    padded, end = pad_sequence(targets), torch.full((1, len(pairs)), EOS)
    x, y = torch.cat([end, padded]), torch.cat([padded, end])
    lengths = torch.tensor([*map(len, targets)])
    return pad_sequence(sources), torch.tensor([*map(len, sources)]), x, y, torch.arange(len(y))[:, None] <= lengths


@wrong("collate", "no_pad")
def answer(pairs):
    sources, targets = zip(*pairs)
    return torch.stack(sources, 1), None, None, None, None


@wrong("collate", "source_left")
def answer(pairs):
    found = right.collate_stack(pairs)
    S = len(found[0])
    return torch.stack([F.pad(s, (S - len(s), 0)) for s, _ in pairs], 1), *found[1:]


@wrong("collate", "shortest")
def answer(pairs):
    n = min(len(t) for _, t in pairs)
    return right.collate_stack([(s, t[:n]) for s, t in pairs])


@wrong("collate", "no_last")
def answer(pairs):
    source, lengths, inputs, targets, mask = right.collate_stack(pairs)
    return source, lengths, inputs, targets.where(targets != EOS, PAD), mask


wrong("collate", "mask_short")(collating(finish=lambda s, n, x, y, m: (s, n, x, y, m & (y != EOS))))
wrong("collate")(lambda pairs: dict(zip(check.FIVE, right.collate_stack(pairs))))
wrong("collate")(lambda pairs: (pad_sequence([s for s, _ in pairs], padding_value=EOS), *right.collate_stack(pairs)[1:]))
wrong("collate")(lambda pairs: (pad_sequence([s for s, _ in pairs], padding_value=-1), *right.collate_stack(pairs)[1:]))


# Exercise 2


def both(state, f):
    return tuple(map(f, state)) if isinstance(state, tuple) else f(state)


@wrong("encode", "after_padding")
def answer(emb, rnn, source, lengths):
    return rnn(emb(source))[1]


@wrong("encode", "unsorted")
def answer(emb, rnn, source, lengths):
    return rnn(pack_padded_sequence(emb(source), lengths))[1]


@wrong("encode", "sorted_twice")
def answer(emb, rnn, source, lengths):
    lengths, order = lengths.sort(descending=True, stable=True)
    return both(rnn(pack_padded_sequence(emb(source[:, order]), lengths))[1], lambda a: a[:, order])


@wrong("encode", "batch_first")
def answer(emb, rnn, source, lengths):
    return rnn(pack_padded_sequence(emb(source), lengths, batch_first=True, enforce_sorted=False))[1]


@wrong("encode", "one_more")
def answer(emb, rnn, source, lengths):
    return right.encode_steps(emb, rnn, source, lengths + 1)


@wrong("encode")
def answer(emb, rnn, source, lengths):
    state = right.encode_steps(emb, rnn, source, lengths)
    return dict(zip("hc", state)) if isinstance(state, tuple) else state


@wrong("encode", "ordered")
def answer(emb, rnn, source, lengths):
    lengths, order = lengths.sort(descending=True, stable=True)
    return rnn(pack_padded_sequence(emb(source[:, order]), lengths))[1]


@wrong("encode", "no_layer")
def answer(emb, rnn, source, lengths):
    return both(right.encode_steps(emb, rnn, source, lengths), lambda a: a[0])


@wrong("encode", "late")
def answer(emb, rnn, source, lengths):
    return rnn(emb(source))[0][lengths, torch.arange(len(lengths))][None]


@wrong("encode", "zeroed")
def answer(emb, rnn, source, lengths):
    mask = torch.arange(len(source))[:, None] < lengths
    return rnn(emb(source) * mask.unsqueeze(-1))[1]


@wrong("encode", "c_padded")
def answer(emb, rnn, source, lengths):
    out, state = rnn(emb(source))
    h = out[lengths - 1, torch.arange(len(lengths))][None]
    return (h, state[1]) if isinstance(state, tuple) else h


@wrong("encode", "c_is_h")
def answer(emb, rnn, source, lengths):
    out, state = rnn(emb(source))
    h = out[lengths - 1, torch.arange(len(lengths))][None]
    return (h, h) if isinstance(state, tuple) else h


@wrong("encode", "c_lost")
def answer(emb, rnn, source, lengths):
    out, state = rnn(emb(source))
    h = out[lengths - 1, torch.arange(len(lengths))][None]
    return (h, torch.zeros_like(h)) if isinstance(state, tuple) else h


@wrong("encode", "h_alone")
def answer(emb, rnn, source, lengths):
    return rnn(emb(source))[0][lengths - 1, torch.arange(len(lengths))][None]


@wrong("encode", "masked_last")
def answer(emb, rnn, source, lengths):
    out, state = rnn(emb(source))
    h = (out * (torch.arange(len(source))[:, None] < lengths)[..., None])[-1:]
    return (h, state[1]) if isinstance(state, tuple) else h


@wrong("encode", "cut")
def answer(emb, rnn, source, lengths):
    with torch.no_grad():
        return right.encode_steps(emb, rnn, source, lengths)


@wrong("encode", "swapped")
def answer(emb, rnn, source, lengths):
    state = right.encode_steps(emb, rnn, source, lengths)
    return state[::-1] if isinstance(state, tuple) else state


@wrong("encode", "from_pad")
def answer(emb, rnn, source, lengths):
    return right.encode_steps(emb, rnn, source, (source != PAD).sum(0))


@wrong("encode", "flipped_padded")
def answer(emb, rnn, source, lengths):
    return rnn(emb(source.flip(0)))[1]


@wrong("encode", "all_pairs")
def answer(emb, rnn, source, lengths):
    out, state = rnn(emb(source))
    return (out[lengths - 1], state[1]) if isinstance(state, tuple) else out[lengths - 1]


@wrong("encode", "outputs")
def answer(emb, rnn, source, lengths):
    out, state = rnn(emb(source))
    return (out, right.encode_steps(emb, rnn, source, lengths)[1]) if isinstance(state, tuple) else out


@wrong("encode")
def answer(emb, rnn, source, lengths):
    packed = pack_padded_sequence(emb(source), lengths, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0])[0][-1:]


@wrong("encode", "early")
def answer(emb, rnn, source, lengths):
    out, state = rnn(emb(source))
    if isinstance(state, tuple):
        steps, state = [(torch.zeros_like(state[0]), torch.zeros_like(state[1]))], None
    else:
        steps, state = [torch.zeros_like(state)], None
    for x in emb(source):
        state = rnn(x[None], state)[1]
        steps.append(state)
    pick = lambda states: torch.cat(states)[lengths - 1, torch.arange(len(lengths))][None]  # noqa: E731
    return tuple(pick([s[i] for s in steps]) for i in (0, 1)) if isinstance(state, tuple) else pick(steps)


# Exercise 3


def losing(read=lambda x, y: (x, y), start=lambda s: s, mask=lambda m, y: m, losses=None, end=lambda v, m: (v * m).sum() / m.sum()):
    """An answer as most write it, with one thing wrong."""

    def answer(emb, rnn, decoder, state, inputs, targets, mask_):
        x, y = read(inputs, targets)
        logits = decoder(rnn(emb(x), start(state))[0])
        each = losses(logits, y) if losses else F.cross_entropy(logits.permute(0, 2, 1), y, reduction="none")
        return end(each, mask(mask_, targets))

    return answer


wrong("translation_loss", "fed_targets")(losing(read=lambda x, y: (y, y)))
wrong("translation_loss", "against_inputs")(losing(read=lambda x, y: (x, x)))
wrong("translation_loss", "state_lost")(losing(start=lambda s: None))
wrong("translation_loss", "only_h")(losing(start=lambda s: (s[0], torch.zeros_like(s[0])) if isinstance(s, tuple) else s))
wrong("translation_loss", "cut_state")(losing(start=lambda s: both(s, torch.detach)))
wrong("translation_loss", "inverted")(losing(mask=lambda m, y: ~m))
wrong("translation_loss", "own_mask")(losing(mask=lambda m, y: y != PAD))
wrong("translation_loss", "eos_left")(losing(mask=lambda m, y: m & (y != EOS)))
wrong("translation_loss", "pads")(losing(end=lambda v, m: v.mean()))
wrong("translation_loss", "summed")(losing(end=lambda v, m: v[m].sum()))
wrong("translation_loss", "by_all")(losing(end=lambda v, m: (v * m).mean()))
wrong("translation_loss", "per_sentence")(losing(end=lambda v, m: ((v * m).sum(0) / m.sum(0)).mean()))
wrong("translation_loss", "per_step")(losing(end=lambda v, m: ((v * m).sum(1) / m.sum(1)).mean()))
wrong("translation_loss", "by_batch")(losing(end=lambda v, m: (v * m).sum() / m.shape[1]))
wrong("translation_loss", "per_token")(losing(end=lambda v, m: v[m]))
wrong("translation_loss", "as_index")(losing(end=lambda v, m: v[m.long()].mean()))
wrong("translation_loss", "cut")(losing(end=lambda v, m: v[m].mean().item()))
wrong("translation_loss", "sign")(losing(end=lambda v, m: -v[m].mean()))
wrong("translation_loss", "second")(losing(end=lambda v, m: v[1:][m[1:]].mean()))
wrong("translation_loss", "softmax_first")(losing(losses=lambda z, y: F.cross_entropy(z.softmax(-1).transpose(1, 2), y, reduction="none")))
wrong("translation_loss", "raw")(losing(losses=lambda z, y: F.nll_loss(z.transpose(1, 2), y, reduction="none")))
wrong("translation_loss", "over_batch")(losing(losses=lambda z, y: F.nll_loss(z.log_softmax(1).transpose(1, 2), y, reduction="none")))
wrong("translation_loss", "class_axis")(losing(losses=lambda z, y: F.cross_entropy(z, y, reduction="none")))
wrong("translation_loss", "unequal")(losing(losses=lambda z, y: F.cross_entropy(z.flatten(0, 1), y, reduction="none")))
wrong("translation_loss", "mixed")(losing(losses=lambda z, y: F.cross_entropy(z.transpose(0, 1).flatten(0, 1), y.flatten(), reduction="none").reshape(y.shape)))
wrong("translation_loss")(losing(end=lambda v, m: None))
wrong("translation_loss")(losing(end=lambda v, m: v[m].mean() / math.log(2)))


@wrong("translation_loss", "free")
def answer(emb, rnn, decoder, state, inputs, targets, mask):
    tokens, total = inputs[0], 0
    for t in range(len(inputs)):
        out, state = rnn(emb(tokens)[None], state)
        logits = decoder(out[0])
        total = total + (F.cross_entropy(logits, targets[t], reduction="none") * mask[t]).sum()
        tokens = logits.argmax(-1)
    return total / mask.sum()


@wrong("translation_loss", "again")
def answer(emb, rnn, decoder, state, inputs, targets, mask):
    logits = torch.cat([decoder(rnn(emb(x)[None], state)[0]) for x in inputs])
    return F.cross_entropy(logits[mask], targets[mask])


@wrong("translation_loss", "shifted")
def answer(emb, rnn, decoder, state, inputs, targets, mask):
    return right.loss_permuted(emb, rnn, decoder, state, inputs[:-1], targets[1:], mask[1:])


@wrong("translation_loss", "zeroed")
def answer(emb, rnn, decoder, state, inputs, targets, mask):
    logits = decoder(rnn(emb(inputs), state)[0]) * mask[..., None]
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


# Exercise 4


def attending(score=lambda q, k: (q * k).sum(-1), hide=lambda s, m: s.masked_fill(~m, -torch.inf), weigh=lambda s: s.softmax(0), then=lambda w, m: w,
              mean=lambda w, k, q: (w[..., None] * k).sum(0), end=lambda w, c: (w, c)):  # fmt: skip
    """An answer as most write it, with one thing wrong."""

    def answer(query, keys, mask):
        weights = then(weigh(hide(score(query, keys), mask)), mask)
        return end(weights, mean(weights, keys, query))

    return answer


wrong("attend", "no_mask")(attending(hide=lambda s, m: s))
wrong("attend", "inverted")(attending(hide=lambda s, m: s.masked_fill(m, -torch.inf)))
wrong("attend", "inverted")(attending(hide=lambda s, m: s.masked_fill(m, -1e9)))
wrong("attend", "late")(attending(hide=lambda s, m: s, then=lambda w, m: w * m))
wrong("attend", "late")(attending(hide=lambda s, m: s, then=lambda w, m: w.masked_fill(~m, 0)))
wrong("attend", "zero_scores")(attending(hide=lambda s, m: s * m))
wrong("attend", "zero_scores")(attending(hide=lambda s, m: s.masked_fill(~m, 1e-9)))
wrong("attend", "over_batch")(attending(weigh=lambda s: s.softmax(1)))
wrong("attend", "over_batch")(attending(weigh=lambda s: s.softmax(-1)))
wrong("attend", "scaled")(attending(score=lambda q, k: (q * k).sum(-1) / k.shape[-1] ** 0.5))
wrong("attend", "cosine")(attending(score=lambda q, k: F.cosine_similarity(q.expand_as(k), k, dim=-1)))
wrong("attend", "sigmoid")(attending(hide=lambda s, m: s.masked_fill(~m, -torch.inf), weigh=torch.sigmoid))
wrong("attend", "raw")(attending(hide=lambda s, m: s * m, weigh=lambda s: s))
wrong("attend", "overflow")(attending(hide=lambda s, m: s, weigh=torch.exp, then=lambda w, m: w * m / (w * m).sum(0)))
wrong("attend", "overflow_masked")(attending(hide=lambda s, m: s.masked_fill(~m, -torch.inf), weigh=lambda s: s.exp() / s.exp().sum(0)))
wrong("attend", "overflow_masked")(attending(hide=lambda s, m: s.masked_fill(~m, -1e9), weigh=lambda s: torch.exp(s) / torch.exp(s).sum(0, keepdim=True)))
wrong("attend", "overflow")(attending(hide=lambda s, m: s + (~m) * -1e9, weigh=lambda s: torch.exp(s) / torch.sum(torch.exp(s), 0)))
wrong("attend", "of_query")(attending(mean=lambda w, k, q: (w[..., None] * q).sum(0)))
wrong("attend", "per_unit")(attending(mean=lambda w, k, q: w[..., None] * k))
wrong("attend")(attending(mean=lambda w, k, q: (w[..., None] * k).mean(0)))
wrong("attend", "turned")(attending(end=lambda w, c: (w.T, c)))
wrong("attend", "swapped")(attending(end=lambda w, c: (c, w)))
wrong("attend", "weights_alone")(attending(end=lambda w, c: w))
wrong("attend", "context_alone")(attending(end=lambda w, c: c))
wrong("attend", "cut_weights")(attending(mean=lambda w, k, q: (w.detach()[..., None] * k).sum(0)))
wrong("attend", "cut")(attending(end=lambda w, c: (w.detach(), c.detach())))
wrong("attend")(attending(hide=lambda s, m: s.masked_fill(~m, -10)))
wrong("attend", "weak")(attending(hide=lambda s, m: s.masked_fill(~m, -100)))
wrong("attend", "weak")(attending(hide=lambda s, m: s.masked_fill(~m, -50)))
wrong("attend", "late_again")(attending(hide=lambda s, m: s, then=lambda w, m: w * m / (w * m).sum(0)))
wrong("attend")(attending(end=lambda w, c: (w[..., None], c)))
wrong("attend")(attending(end=lambda w, c: (w, c[None])))
wrong("attend")(attending(end=lambda w, c: {"weights": w, "context": c}))
wrong("attend")(attending(then=lambda w, m: w.round(decimals=1)))
wrong("attend")(lambda query, keys, mask: F.scaled_dot_product_attention(query, keys, keys))


@wrong("attend", "hard")
def answer(query, keys, mask):
    best = (query * keys).sum(-1).masked_fill(~mask, -torch.inf).argmax(0)
    return F.one_hot(best, len(keys)).T, keys[best, torch.arange(len(best))]


# Exercise 5


def writing(end="first", start=None, feed=lambda new, old: new, keep=False, one=0, choose=lambda p: p.argmax(1), carry=lambda new, old, t: new, out=lambda rows: rows):
    """An answer as most write it, with one thing wrong."""

    def answer(step, state, B, eos, maxlen):
        tokens, rows, ended, t = torch.full((B,), eos if start is None else start), [[] for _ in range(B)], [False] * B, 0
        while t < maxlen + one:
            p, new = step(tokens, state)
            state, chosen = carry(new, state, t), choose(p)
            for b, token in enumerate(chosen.tolist()):
                if not ended[b] and (token != eos or keep):
                    rows[b].append(token)
                ended[b] |= token == eos
            tokens, t = feed(chosen, tokens), t + 1
            if all(ended) or end == "any" and any(ended):
                break
        return out(rows)

    return answer


wrong("greedy", "first_stops")(writing(end="any"))
wrong("greedy", "from_zero")(writing(start=0))
wrong("greedy", "same_input")(writing(feed=lambda new, old: old))
wrong("greedy", "first_only")(writing(feed=lambda new, old: new[:1].expand(len(new))))
wrong("greedy", "eos_kept")(writing(keep=True))
wrong("greedy", "one_short")(writing(one=-1))
wrong("greedy", "one_long")(writing(one=1))
wrong("greedy", "least")(writing(choose=lambda p: p.argmin(1)))
wrong("greedy", "state_lost")(writing(carry=lambda new, old, t: old))
wrong("greedy", "last_state")(writing(carry=lambda new, old, t: old if t else new))
wrong("greedy", "first_lost")(writing(out=lambda rows: [row[1:] for row in rows]))
wrong("greedy")(writing(out=lambda rows: sorted(rows, key=len)))
wrong("greedy")(writing(out=lambda rows: rows[0]))
wrong("greedy")(writing(out=lambda rows: None))
wrong("greedy", "tensor_input")(writing(feed=lambda new, old: new[:, None]))
wrong("greedy", "tensor_input")(writing(feed=lambda new, old: new.float()))
wrong("greedy", "tensor_input")(writing(feed=lambda new, old: new.tolist()))


@wrong("greedy", "goes_on")
def answer(step, state, B, eos, maxlen):
    tokens, rows, ended = torch.full((B,), eos), [], torch.zeros(B).bool()
    for _ in range(maxlen):
        p, state = step(tokens, state)
        tokens = p.argmax(1)
        rows.append(tokens)
        ended |= tokens == eos
        if ended.all():
            break
    return torch.stack(rows, 1).tolist()


@wrong("greedy", "goes_on_filtered")
def answer(step, state, B, eos, maxlen):
    tokens, rows, ended = torch.full((B,), eos), [], torch.zeros(B).bool()
    for _ in range(maxlen):
        p, state = step(tokens, state)
        tokens = p.argmax(1)
        rows.append(tokens)
        ended |= tokens == eos
        if ended.all():
            break
    return [[t for t in row if t != eos] for row in torch.stack(rows, 1).tolist()]


def steps(step, state, B, eos, maxlen):
    tokens, rows = torch.full((B,), eos), []
    for _ in range(maxlen):
        p, state = step(tokens, state)
        tokens = p.argmax(1)
        rows.append(tokens)
    return torch.stack(rows, 1).tolist()


wrong("greedy", "no_end")(steps)
wrong("greedy", "no_end_filtered")(lambda step, state, B, eos, maxlen: [[t for t in row if t != eos] for row in steps(step, state, B, eos, maxlen)])
wrong("greedy")(lambda step, state, B, eos, maxlen: [" ".join(map(str, row)) for row in right.greedy_lists(step, state, B, eos, maxlen)])


@wrong("greedy", "aliased")
def answer(step, state, B, eos, maxlen):
    rows, ended, tokens = [[]] * B, [False] * B, torch.full((B,), eos)
    for _ in range(maxlen):
        p, state = step(tokens, state)
        tokens = p.argmax(1)
        for b in range(B):
            ended[b] = ended[b] or bool(tokens[b] == eos)
            if not ended[b]:
                rows[b].append(int(tokens[b]))
        if all(ended):
            break
    return rows


@wrong("greedy", "ended_first")
def answer(step, state, B, eos, maxlen):
    tokens, rows, ended = torch.full((B,), eos), [[] for _ in range(B)], torch.zeros(B).bool()
    for _ in range(maxlen):
        ended |= tokens == eos
        if ended.all():
            break
        p, state = step(tokens, state)
        tokens = p.argmax(1)
        for row, token, now in zip(rows, tokens.tolist(), ended):
            if not now and token != eos:
                row.append(token)
    return rows


@wrong("greedy", "ended_first")
def answer(step, state, B, eos, maxlen):
    tokens, rows, going = torch.full((B,), eos), [[] for _ in range(B)], [True] * B
    for _ in range(maxlen):
        p, state = step(tokens, state)
        new = p.argmax(-1)  # and never handed on  # noqa: F841
        for b, token in enumerate(tokens.tolist()):
            if going[b]:
                going[b] = token != eos
                rows[b] += [token] * going[b]
        if not any(going):
            break
    return rows


@wrong("greedy", "unended_lost")
def answer(step, state, B, eos, maxlen):
    rows, done, tokens = [[] for _ in range(B)], {}, torch.full((B,), eos)
    for _ in range(maxlen):
        p, state = step(tokens, state)
        tokens = p.argmax(1)
        for b, t in enumerate(tokens.tolist()):
            if t == eos:
                done.setdefault(b, [*rows[b]])
            rows[b].append(t)
    return [done.get(b, []) for b in range(B)]


# Exercise 6


def sharing(same=lambda f, w: f == w, inside=lambda a, n, b: a <= n < b, end=lambda good, every: sum(good) / len(good) if good else math.nan, edges=lambda e: e, by=lambda f, w, n: n):
    """An answer as most write it, with one thing wrong."""

    def answer(found, wanted, lengths, edges_):
        e, shares = edges(edges_), []
        for a, b in zip(e, e[1:]):
            shares.append(end([same(f, w) for f, w, n in zip(found, wanted, lengths) if inside(a, by(f, w, n), b)], len(found)))
        return [s for s in shares if s is not None]

    return answer


wrong("by_length", "tokens")(sharing(same=lambda f, w: sum(a == b for a, b in zip(f, w)) / len(w)))
wrong("by_length", "cut")(sharing(same=lambda f, w: all(a == b for a, b in zip(f, w))))
wrong("by_length", "bags")(sharing(same=lambda f, w: sorted(f) == sorted(w)))
wrong("by_length")(sharing(same=lambda f, w: set(f) == set(w)))
wrong("by_length", "lengths_only")(sharing(same=lambda f, w: len(f) == len(w)))
wrong("by_length", "wrong")(sharing(same=lambda f, w: f != w))
wrong("by_length", "right_edge")(sharing(inside=lambda a, n, b: a < n <= b))
wrong("by_length", "both_edges")(sharing(inside=lambda a, n, b: a <= n <= b))
wrong("by_length")(sharing(end=lambda good, every: "none" if not good else sum(good) / len(good)))
wrong("by_length", "below")(sharing(inside=lambda a, n, b: n < b))
wrong("by_length", "empty_zero")(sharing(end=lambda good, every: sum(good) / max(len(good), 1)))
wrong("by_length", "empty_lost")(sharing(end=lambda good, every: sum(good) / len(good) if good else None))
wrong("by_length", "divided")(sharing(end=lambda good, every: sum(good) / len(good)))
wrong("by_length", "percent")(sharing(end=lambda good, every: 100 * sum(good) / len(good) if good else math.nan))
wrong("by_length", "last_lost")(sharing(edges=lambda e: e[:-1]))
wrong("by_length", "found_lengths")(sharing(by=lambda f, w, n: len(f)))
wrong("by_length", "wanted_lengths")(sharing(by=lambda f, w, n: len(w)))
wrong("by_length", "of_all")(sharing(end=lambda good, every: sum(good) / every if good else math.nan))
wrong("by_length", "counts")(sharing(end=lambda good, every: sum(good) if good else math.nan))


@pytest.mark.parametrize("exercise,answer,switches", WRONG)
def test_a_wrong_answer_is_refused_and_named_if_it_is_known(exercise, answer, switches):
    refused(LAB, exercise, answer, switches)


# Exercises 7 and 8


def test_a_recipe_that_does_not_learn_is_told_its_share():
    with pytest.raises(CheckFailed, match="0% of the new numbers are translated rightly; 80% are enough"):
        check.learn(lambda batches: lambda sentences: [str(7 * i) for i, _ in enumerate(sentences)])


@pytest.mark.parametrize("learn,says", [
    (lambda batches: None, "returned nothing"), (lambda batches: [], "expected a function"), (lambda batches: lambda sentences: "12", "expected a list of strings"),
    (lambda batches: lambda sentences: [12] * len(sentences), "of other things than strings"), (lambda batches: lambda sentences: ["12"], r"1 translation of \d+ sent"),
    (lambda batches: lambda sentences: [], r"returned 0 translations of \d+ sent"), (lambda batches: lambda sentences: ["12"] * len(sentences), "every sentence gets the same"),
    (lambda batches: lambda sentences: sentences, "come back as they are"), (lambda batches: lambda sentences: [""] * len(sentences), "most translations are empty"),
    (lambda batches: [][0], "IndexError")])  # fmt: skip
def test_what_is_no_translation_is_refused_in_words(learn, says):
    with pytest.raises(CheckFailed, match=says):
        check.learn(learn)


class Reader(nn.Module):
    """A model with a forward of its own."""

    def forward(self, source, lengths):
        return source


class Bare(nn.Module):
    """A model without."""


@pytest.mark.parametrize("model", [Bare, Reader, partial(nn.LSTM, 2, 3)])
def test_a_model_in_the_place_of_a_function_is_refused_by_name(model):
    with pytest.raises(CheckFailed, match=rf"Exercise 7: not yet.\nit returned a model \({type(model()).__name__}\), .*expected a function"):
        check.learn(lambda batches: model())


def test_a_model_that_translates_sentences_is_a_function():
    class Sevens(nn.Module):
        def forward(self, sentences):
            return ["7"] * len(sentences)

    with pytest.raises(CheckFailed, match="every sentence gets the same translation"):
        check.learn(lambda batches: Sevens())


def test_a_line_that_a_student_has_not_written_is_still_told_as_such():
    def learn(batches):
        raise NotImplementedError("Exercise 7")

    with pytest.raises(NotImplementedError, match="^Exercise 7$"):
        check.learn(learn)


@pytest.mark.parametrize("exercise", [check.learn, check.learn_long])
def test_a_right_recipe_is_told_its_time_and_warned_of_more_than_five_seconds(exercise, capsys, monkeypatch):
    def told(answer):
        exercise(answer)
        return capsys.readouterr().out.splitlines()

    first, second = told(exercise.truth)
    assert first == f"{exercise.title}: right, {exercise.points} points" and re.fullmatch(r"\(in [0-4]\.\d s of computing; aim at 5\)", second)
    now = iter(range(0, 10**6, 2))
    monkeypatch.setattr(check.time, "process_time", lambda: next(now))
    assert re.match(r"\(in 18\.0 s of computing; that is more than 5, and a busy grader may stop it: ", told(exercise.truth)[1])


def test_a_notebook_that_a_program_runs_prints_no_times(capsys, monkeypatch):
    for sits, lines in ((False, 1), (True, 2)):
        monkeypatch.setattr(check, "get_ipython", lambda: SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=sits)))  # noqa: B023
        check.learn(check.learn.truth)
        assert len(capsys.readouterr().out.splitlines()) == lines


def test_a_recipe_of_the_notebooks_own_parts_passes(space, capsys):
    """Exercise 7 on `learned` and `translations`, which the notebook uses itself: the tiny lesson of 24 pairs is fewer than its batches take."""
    exec(RECIPE, space)
    check.learn(space["learn"])
    assert "right, 3 points" in capsys.readouterr().out


RECIPE = """
def learn(batches):
    pairs = [pair for batch in batches for pair in batch]
    words, digits = text.Words(" ".join(s for s, _ in pairs), 1000), text.Characters("0123456789")
    model, _ = learned([(words.encode(s), digits.encode(t)) for s, t in pairs], (words, digits), True, len(batches))
    return lambda sentences: [digits.decode(row) for row in translations(model, [words.encode(s) for s in sentences])]
"""


@pytest.mark.parametrize("n", [1, 24, 64, 65, 200, 1279, 1280, 3000])
def test_batches_never_end_and_hold_each_pair_at_most_once_in_a_pass(n, space, monkeypatch):
    monkeypatch.setitem(space, "collated", lambda pairs: pairs)
    some = [*itertools.islice(space["batches"]([(i, [0] * (i % 7)) for i in range(n)]), 50)]
    assert {len(batch) for batch in some} == {min(n, 64)}
    once = some[: max(n // 64, 1)] if n < 1280 else some[: 20 * (n // 1280)]
    assert len({i for batch in once for i, _ in batch}) == sum(map(len, once))


def test_no_batches_can_be_made_of_nothing(space):
    with pytest.raises(ZeroDivisionError):
        next(space["batches"]([]))


def test_a_dictionary_of_what_was_seen_earns_nothing():
    """No number that is asked for was in the lesson."""

    def memory(batches):
        known = {source: target for batch in batches for source, target in batch}
        return lambda sentences: [known.get(sentence, str(i)) for i, sentence in enumerate(sentences)]

    for exercise in (check.learn, check.learn_long):
        with pytest.raises(CheckFailed, match="0% of the new numbers"):
            exercise(memory)


def test_a_rule_that_solves_one_language_does_not_solve_the_next():
    """The hidden language has other words, so that what an answer knows of the public one is of no use."""
    cases = check.learn.cases(torch.Generator().manual_seed(0))
    sources, targets, _, asked = cases[1]
    known = {**dict(zip(sources, targets)), **check.RIGHT[tuple(sources[:9])]["meaning"]}
    cheat = lambda batches: lambda sentences: [known.get(s, "0") for s in sentences]  # noqa: E731
    check.learn(cheat)
    got, wanted = (hidden(LAB, "learn", f, 3) for f in (cheat, check.learn.truth))
    assert not all(same(a, b, 1e-4) for a, b in zip(got, wanted))


@pytest.mark.parametrize("seed", range(3))
def test_every_word_that_is_asked_for_has_come_up(seed):
    for exercise in (check.learn, check.learn_long):
        for sources, _, _, asked in exercise.cases(torch.Generator().manual_seed(seed)):
            assert asked and {w for s in asked for w in s.split()} <= {w for s in sources for w in s.split()}
        assert len(asked) == 300


def test_the_message_of_a_group_does_not_show_all_sentences():
    with pytest.raises(CheckFailed, match=r"With edges = \[2, 4, 8, 16, 20\]: a share is None, expected a number, or nan") as failed:
        check.by_length(lambda *a: [None if math.isnan(share) else share for share in right.shares_loop(*a)])
    assert len(str(failed.value)) < 300


def test_a_mask_that_is_wrong_is_shown_before_what_it_hides():
    with pytest.raises(CheckFailed, match="in mask, "):
        check.collate(collating(mask=lambda y, s, t: (torch.arange(len(y)) < 2)[:, None].expand(y.shape)))


def test_a_share_at_the_bar_is_enough_and_one_below_is_not():
    cases = check.learn.cases(torch.Generator().manual_seed(0))

    def partly(share):
        def learn(batches):
            translate = check.learn.truth(batches)
            return lambda sentences: [t if i < share * len(sentences) else "x" for i, t in enumerate(translate(sentences))]

        return learn

    with torch.no_grad():
        for share, good in ((0.8, True), (0.79, False), (1.0, True)):
            codes = [check.taken(partly(share), *case).double() for case in check.learn.order(cases)]
            got = check.learn.settled([{"values": [c], "grads": [], "changed": []} for c in codes], cases)
            assert (check.learn.diagnose(got, cases) == []) == good


def test_a_lesson_leaves_the_random_numbers_of_the_notebook_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    check.learn(check.learn.truth)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_bars_are_within_reach_of_two_recipes_on_any_language(seed):
    check.learn(right.learn_gru, seed)
    check.learn_long(right.learn_attention, seed)


# The lab


def test_points_and_times_are_those_of_the_table():
    cells = nbformat.read(FOLDER / "translation.ipynb", as_version=4).cells
    table = cells[0].source
    for name, exercise in EXERCISES.items():
        number = exercise.title.split()[1]
        row = next(line for line in table.splitlines() if line.startswith(f"| {number} "))
        assert f"| {exercise.points} |" in row, name
    assert sum(e.points for e in EXERCISES.values()) == 30
    assert sum(int(line.split("|")[2]) for line in table.splitlines() if line.endswith("core |")) == 25


def test_messages_count_in_the_singular_and_stop_once():
    def one(step, state, B, eos, maxlen):
        return [row[:1] for row in right.greedy_lists(step, state, B, eos, maxlen)]

    with pytest.raises(CheckFailed, match=r"sentence \d has 1 token, expected"):
        check.greedy(one)
    with pytest.raises(CheckFailed, match=r"weights has shape"):
        check.attend(lambda query, keys, mask: (torch.zeros(2, 2), torch.zeros(2)))
    for exercise in EXERCISES.values():
        assert not [slip.switch for slip in exercise.slips if slip.says.endswith((".", "?"))]


def test_what_is_no_number_is_laid_to_its_division():
    """Not to torch.empty, which nobody uses here."""
    with pytest.raises(CheckFailed, match="infinity / infinity and 0 / 0 are") as failed:
        check.attend(attending(hide=lambda s, m: s.masked_fill(~m, -torch.inf), weigh=lambda s: s.exp() / s.exp().sum(0)))
    assert "torch.empty" not in str(failed.value)


def test_a_state_that_is_no_tensor_is_refused_in_words():
    with pytest.raises(CheckFailed, match="it returned nothing"):
        check.encode(lambda emb, rnn, source, lengths: None)
    with pytest.raises(CheckFailed, match="to write this yourself"):
        check.attend(lambda query, keys, mask: F.scaled_dot_product_attention(query, keys, keys))
