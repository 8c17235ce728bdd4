"""What the checks of `generate` and `generate_beam` know (Labs 4 and 5): the forms a written text may come in, a beam search with
a switch for every known mistake, and what is said of each.
"""

import math
import random
import re
from collections import namedtuple

import numpy as np
import torch
from torch import Tensor, nn

from .text import PAD
from .toys import LETTERS, Toy, pooled, read_on, string2code, toy
from .traces import Unfit, kind


def meant(error, known):
    """An exception in words that do not depend on sizes and versions, where they are known: rows (pattern, type, words)."""
    for pattern, type_, says in known:
        if re.search(pattern, str(error)):
            return type_(says).with_traceback(error.__traceback__)
    return error


def sequence(a):
    """A text, or whole numbers in a tensor, an array or a list: as a string or a list of numbers; None if it is something else."""
    if isinstance(a, str):
        return a
    if isinstance(a, Tensor | np.ndarray):
        a = torch.as_tensor(a)
        return None if a.is_floating_point() or math.prod(a.shape) != max(a.shape, default=1) else a.flatten().tolist()
    if not isinstance(a, list | tuple):
        return None
    if a and all(isinstance(b, str) for b in a):
        return "".join(a) if all(len(b) == 1 for b in a) else None
    flat = [sequence(b) if isinstance(b, Tensor | np.ndarray | list) else [b] for b in a]
    if any(b is None or len(b) != 1 or isinstance(b[0], bool) or not isinstance(b[0], int | np.integer) for b in flat):
        return None
    return [int(b[0]) for b in flat]


def hypotheses(result):
    """The sequences in what an answer returned, best first or best last: strings or lists of numbers."""
    if (found := sequence(result)) is not None:
        return [found]
    if isinstance(result, Tensor | np.ndarray):
        return [row.tolist() for row in torch.as_tensor(result)] if result.ndim == 2 and not torch.as_tensor(result).is_floating_point() else []
    if isinstance(result, dict):
        result = [*result.values()]
    return [found for a in result if not isinstance(a, float | int) for found in hypotheses(a)] if isinstance(result, list | tuple) else []


def as_text(result, start, code2string, score=None):
    """What `generate` or `generate_beam` returned, in any form that the checks accept, as a string that begins with the start.

    Of several, best first or best last, it is the one of the two ends with the larger ``score``, a function of the string; without it, the first.
    """
    texts = [found if isinstance(found, str) else code2string(found) for found in hypotheses(result)]
    texts = [text if text.startswith(start) else start + text for text in texts]
    return max((texts[0], texts[-1]), key=score) if score and len(texts) > 1 else texts[0]


def tidy(ids, start, eos):
    """What follows the start, as often as it stands there, without EOS and what fills up after it."""
    while ids and ids[: len(start)] == start:
        ids = ids[len(start) :]
    n = len(ids)
    while n and ids[n - 1] in (eos, PAD):
        n -= 1
    return ids[:n] if ids[n : n + 1] == [eos] else ids


NEGATIVE = "the weights to draw with have negative numbers among them"
H_ALONE = "h alone is handed to an LSTM, whose state is the pair (h, c)"
TOO_FEW = "topk is asked for more tokens than there are"
NONE_ENDED = "the best of no sequences is asked for: none has ended"
WRITING = (
    (r"index 1 is out of bounds for dimension 0 with size 1|must be tuple|hx\[1\]", IndexError, H_ALONE),
    (r"argument 'indices' .* must be Tensor, not|embedding\(\): argument", TypeError, "emb takes a tensor of whole numbers: string2code(start), torch.tensor([[i]])"),
    (r"index k out of range", RuntimeError, TOO_FEW),
    (r"Expected input to be 2D or 3D|For unbatched 2-D input", RuntimeError, "a token is read without its axes: emb and rnn take (T, B), as in torch.tensor([[i]])"),
    (r"Expected hidden(\[\d\])? size|batch.*hx should|input batch size", RuntimeError, "the state belongs to another number of sequences than what is read: "
     "emb and rnn take (T, B), time first, as in string2code(start)[:, None] and torch.tensor([[i]])"),
    (r"'tuple' object has no attribute", AttributeError, "an LSTM's state is the pair (h, c), and was used as if it were one tensor"),
    (r"(max|min)\(\) (arg|iterable argument) is (an )?empty", ValueError, NONE_ENDED),
    (r"contains either `inf`, `nan` or element < 0", RuntimeError, NEGATIVE),
)  # fmt: skip


def written(answer, cell, weights, eos, k, start, maxlen):
    """What a function writes with a small model after the start, as numbers: all that it returned, or of several sequences the first and the last."""
    model = toy(cell, [w.detach() for w in weights])
    random.seed(0), np.random.seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            result = answer(*model, eos, *([] if k is None else [k]), start, maxlen)
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise meant(error, WRITING) from None
    if any(not torch.equal(p, w) for p, w in zip([*model.emb.parameters(), *model.rnn.parameters(), *model.decoder.parameters()], weights)):
        raise Unfit("the weights of the model have been changed; what you are given stays as it is")
    found = known_letters(result)
    return [torch.tensor(ids, dtype=torch.long) for ids in (found[:1] if len(found) == 1 else [found[0], found[-1]])]


def meaning(values, cell, weights, eos, k, start, maxlen):
    """Of the sequences that `written` found the likelier one after its start: its length, and its numbers."""
    model, first = toy(cell, weights), string2code(start).tolist()
    found = [[int(i) for i in ids] for ids in values]
    texts = [tidy(ids, first, eos) for ids in found]
    if len(texts) > 1:
        texts = sorted({tuple(texts[0]), tuple(texts[-1])}, key=lambda t: -likelihood(model, first, t, eos, maxlen))
    if len(found) == 1 and found[0][: 2 * len(first)] == 2 * first:  # right but for the start, which comes twice
        known = search(model, first, eos, k or 1, maxlen)
        texts = [found[0][len(first) :] if texts[0] == tidy(known, first, eos) else texts[0]]
    return [torch.tensor([len(texts[0])]), torch.tensor([*texts[0]], dtype=torch.long)]


def known_letters(result):
    """The sequences that were returned, as lists of numbers."""
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    found = hypotheses(result)
    if not found:
        raise Unfit(f"it returned {kind(result)}, expected a text or its numbers")
    if any(isinstance(text, str) and {*text} - {*LETTERS} for text in found):
        raise Unfit("it returned characters that are not in the check's alphabet: use string2code and code2string")
    return [string2code(text).tolist() if isinstance(text, str) else text for text in found]


def likelihood(model, first, ids, eos, maxlen):
    """The log-probability of a sequence after the start, with EOS where it is shorter than maxlen; of one with unknown tokens, -inf."""
    if not all(0 <= i < model.emb.num_embeddings for i in ids):
        return -math.inf
    ids = [*ids, *[eos] * (len(ids) < maxlen)]
    out, _ = model.rnn(model.emb(torch.tensor([*first, *ids])[:, None]))
    scores = model.decoder(out[len(first) - 1 : -1, 0]).log_softmax(1)  # (N, V)
    return scores.gather(1, torch.tensor(ids)[:, None]).sum().item()


def written_words(name, at, wanted, got):
    """A wrong length or a wrong character, in words."""
    if name == "the length":
        return f"{got:g} character{'s' * (got != 1)} follow{'s' * (got == 1)} the start, expected {wanted:g}"
    return f"character {at[0] + 1} after the start: expected '{LETTERS[int(wanted)]}', got '{LETTERS[int(got)]}'" if 0 <= got < len(LETTERS) else ""


# ---- The beam

Line = namedtuple("Line", "ids score scores state ended", defaults=(None, None, False))  # one sequence of a beam; scores of what comes next


def grown(model, beam, eos, k, on, sums):
    """All sequences one token longer, the best k of them first; those that have ended stay as they are."""
    new = [] if "ended_lost" in on else [(line, None, line.score) for line in beam if line.ended]
    for line in (line for line in beam if not line.ended):
        gains = sums(line.scores)  # (V,)
        for token in gains.topk(min(k, len(gains)))[1][: 1 if "apart" in on and line.ids else k].tolist():
            new.append((line, token, gains[token].item() + (0 if "last_only" in on else line.score)))
    new.sort(key=lambda a: -a[2])
    kept, slot, left = [], 0, None
    for parent, token, score in new[:k]:
        if token is None:
            kept.append(parent)
            continue
        other = beam[min(slot, len(beam) - 1)]
        slot += 1
        ids = [*(other.ids if "stale_texts" in on else parent.ids), token]
        source = other if "stale_states" in on else beam[0] if "shared" in on else parent
        state = source.state if left is None or "threaded" not in on else left
        state = (state[0], torch.zeros_like(state[1])) if "only_h" in on and isinstance(state, tuple) else state
        scores, state = read_on(model, [token], None if "state_lost" in on else state)
        left = state
        kept.append(Line(ids, score, scores, state, token == (1 if "eos_fixed" in on else eos) and not {"goes_on", "goes_on_cut"} & on))
    return kept


def search(model, first, eos, k, maxlen, on=frozenset(), aside=""):
    """The best sequence of a beam search; where some are set ``aside`` when they end, a way that is right too."""
    sums = (lambda s: s) if "raw" in on else (lambda s: s.softmax(0)) if "summed" in on else (lambda s: s.log_softmax(0))
    beam, done, told, k = [Line([], 0.0, *read_on(model, first[-1:] if "start_last" in on else first))], [], [], 1 if "greedy" in on else k
    for _ in range(maxlen - len(first) * ("counts_start" in on) - ("one_short" in on) + ("one_long" in on and "one_short" not in on)):
        beam = grown(model, beam, eos, k - len(done) if aside == "shrink" else k, on, sums)
        ended = [line for line in beam if line.ended]
        told += [line.ids[-1] for line in beam if not any(line is other for other in done)]
        done += [line for line in ended if aside or all(line is not other for other in done)]
        beam = [line for line in beam if not line.ended] if aside else beam
        if ended and on & {"first_eos", "first_eos_best"} or all(line.ended for line in beam) or aside and len(done) >= k and aside != "wide":
            break
    if "only_ended" in on and not done:
        raise ValueError(NONE_ENDED)
    return told if "aliased" in on else chosen(beam, done, eos, on, aside)


def chosen(beam, done, eos, on, aside):
    """The sequence that is returned."""
    every = [*(done if aside else []), *beam]
    if "first_eos" in on or "ended_first" in on:
        every = done[:1] if done and "first_eos" in on else [line for line in every if line.ended] or every
    score = (lambda line: line.score / len(line.ids)) if "normalised" in on else lambda line: line.score
    best = (min if "worst" in on else max)(every, key=score, default=Line([], 0.0))
    return best.ids[: best.ids.index(eos)] if "goes_on_cut" in on and eos in best.ids else best.ids


def right_beam(rnn, emb, decoder, eos, k, start, maxlen, *, goes_on=False, goes_on_cut=False, state_lost=False, shared=False, threaded=False, stale_states=False,
               stale_texts=False, first_eos=False, first_eos_best=False, last_only=False, greedy=False, top_drawn=False, only_ended=False, aliased=False,
               apart=False, summed=False, raw=False, normalised=False, worst=False, ended_lost=False, k_fails=False, counts_start=False, one_short=False,
               eos_fixed=False, start_last=False, h_alone=False, drawn=False, ended_first=False, only_h=False, one_long=False):  # fmt: skip
    """The likeliest sequence that a beam of k finds, as numbers; with a switch on, a known mistake."""
    on = {name for name, value in locals().items() if value is True}
    model, first = Toy(rnn, emb, decoder), string2code(start).tolist()
    if k_fails and k > decoder.out_features:
        raise RuntimeError(TOO_FEW)
    if h_alone and isinstance(rnn, nn.LSTM):
        raise IndexError(H_ALONE)
    if not (top_drawn or drawn):
        return [*first, *search(model, first, eos, k, maxlen, on)]
    (scores, state), out = read_on(model, first), []
    while len(out) < maxlen and eos not in out:
        p, tokens = scores.softmax(0).topk(len(scores) if drawn else min(k, len(scores)))
        out.append(int(tokens[torch.multinomial(p / p.sum(), 1)]))
        scores, state = read_on(model, out[-1:], state)
    return [*first, *out]


BEAMS = (("GRU", 6, 4, 5, 4, 3, 3, 8), ("LSTM", 7, 3, 5, 1, 2, 2, 8), ("RNN", 6, 4, 6, 2, 4, 2, 9), ("LSTM", 6, 4, 5, 5, 3, 2, 5), ("GRU", 5, 3, 4, 3, 8, 1, 7),
         ("LSTM", 6, 4, 6, 4, 3, 1, 9), ("GRU", 6, 4, 5, 2, 4, 2, 7))  # fmt: skip


def beams(g, forms=BEAMS):
    """Small models to search with, of these forms: cell, V, D, H, eos, k, length of the start, maxlen."""
    return [(cell, *pooled(g, cell, V, D, H, eos, k, n, maxlen)) for cell, V, D, H, eos, k, n, maxlen in forms]


WRITES = (
    ("state_lost", "the state is not carried: each step begins from zeros, and knows the last token alone; hand the state that rnn returns to its next call"),
    ("start_last", "only the last character of the start is read; read all of it, one after the other, before the first token is chosen"),
    ("counts_start", "maxlen counts the start too; it is the largest number of tokens that are generated"),
    ("one_short", "it stops one token too early; up to maxlen tokens are generated"),
    ("one_long", "one token too many is generated; maxlen is the largest number"),
    ("only_h", "of an LSTM's state only h is carried, c begins from zeros at each step; the state is the pair (h, c), hand on all of it"),
    ("eos_fixed", "the end of a sequence is a number that is written in; it is the argument eos"),
)

BEAM_SLIPS = (
    ("goes_on", "sequences go on after EOS; one that has ended is kept as it is, with its log-probability, and is never extended"),
    ("goes_on_cut", "sequences go on after EOS, and are cut there in the end, so that what comes after it lowers their log-probability; one that has ended is "
     "kept as it is"),
    ("shared", "all sequences go on from the state of one of them; each has a state of its own"),
    ("threaded", "the state that one sequence leaves is where the next one goes on; each has a state of its own, which is kept beside its tokens"),
    ("stale_states", "the states are not put in order with the survivors: a new sequence goes on from the state of the sequence that stood in its place; "
     "it is that of the one that it extends"),
    ("stale_texts", "the texts are not put in order with the survivors: a token is appended to the sequence that stood in its place; it belongs to the one "
     "that it extends"),
    ("first_eos", "the sequence that is the first to end is returned; others that are still open may end up likelier: go on until the k best have ended"),
    ("first_eos_best", "it stops at the first EOS, and returns the likeliest of then; the others have not ended: go on until the k best have ended"),
    ("last_only", "sequences are compared by their last token alone; log-probabilities add up over all tokens"),
    ("greedy", "only one sequence is kept; at each step the k likeliest are"),
    ("top_drawn", "one sequence is drawn, at each step from the k likeliest tokens: that is top-k sampling; a beam keeps k sequences, and draws nothing"),
    ("drawn", "one sequence is drawn; a beam keeps k sequences, and draws nothing"),
    ("only_ended", "where no sequence has ended by maxlen, it fails; then the likeliest of the open ones is returned"),
    ("ended_first", "one that has ended is preferred to a likelier one that is still open at maxlen; the likeliest is returned, ended or not"),
    ("aliased", "the k sequences are one list under k names ([seq] * k does that), so that each token is appended to all; make a list for each"),
    ("apart", "each sequence goes on with its own best token, and none is ever replaced; at each step the k best of all continuations, of all sequences, are kept"),
    ("summed", "probabilities are added; they are multiplied, or their logarithms added"),
    ("raw", "logits are added; log_softmax makes log-probabilities of them first"),
    ("normalised", "the log-probability is divided by the length; asked for is the likeliest sequence, its sum as it is"),
    ("worst", "the least likely of the beam is returned; return the likeliest"),
    ("ended_lost", "sequences that have ended are lost; they stay among the k, and may be the likeliest in the end"),
    ("k_fails", "topk(k) fails where k is larger than the vocabulary; take min(k, V)", None, ""),
    ("h_alone", "an LSTM's state is the pair (h, c); hand on whatever rnn returns as its state, and it works for all three", None, ""),
)
