"""The checks of Lab 5, and the wrong answers that they can name."""

import copy
import difflib
import inspect
import math
import random
import sys
from collections import Counter
from contextlib import contextmanager
from functools import lru_cache, reduce
from operator import or_
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from rnncourse.checks import Exercise, slips
from rnncourse.toys import ALPHABET
from rnncourse.traces import Forbidden, Unfit, forbidden, kind
from rnncourse.writing import BEAM_SLIPS, WRITES, as_text, beams, meaning, meant, right_beam, written, written_words  # noqa: F401

BEAM, LENGTH, DRAW = (f"generation/search.html#sec-search-{name}" for name in ("beam", "length", "draw"))
PRECISION, BLEU, ROUGE = (f"generation/measuring.html#sec-measuring-{name}" for name in ("precision", "bleu", "rouge"))
DECODING = tuple(f"rnncourse.decoding.{name}" for name in ("sample", "greedy", "beam", "exhaustive", "truncate", "best"))
METRICS = tuple(f"rnncourse.metrics.{name}" for name in ("ngram_counts", "clipped", "brevity_penalty", "smoothed", "bleu", "sentence_bleu", "rouge_n", "rouge_l",
                                                         "longest_common"))  # fmt: skip
LIBRARIES = {
    "sacrebleu": ("corpus_bleu", "sentence_bleu", "metrics.bleu.BLEU"), "nltk": ("translate.bleu_score.corpus_bleu", "translate.bleu_score.sentence_bleu",
    "translate.bleu_score.modified_precision", "translate.bleu_score.brevity_penalty", "translate.bleu_score.closest_ref_length"),
    "rouge_score": ("rouge_scorer.RougeScorer",), "rouge": (), "evaluate": (), "torchmetrics": (), "torchtext": (), "bert_score": (),
}  # fmt: skip


@contextmanager
def by_hand(title):
    """Refuse the libraries of metrics, those that are loaded already and those that an answer would load."""
    loaded = [f"{top}.{name}" for top, names in LIBRARIES.items() for name in names if f"{top}.{name}".rpartition(".")[0] in sys.modules]
    halted = {top: None for top in LIBRARIES if top not in sys.modules}
    with mock.patch.dict(sys.modules, halted), forbidden(loaded, title):
        try:
            yield
        except ImportError as error:
            if (error.name or "").split(".")[0] not in LIBRARIES:
                raise
            raise Forbidden(f"{title} asks you to write this yourself: {error.name.split('.')[0]} is not to be used here") from None
    for top in halted:
        sys.modules.pop(top, None) if sys.modules.get(top, 0) is None else None


def number(a, name):
    """One number, as a tensor without axes."""
    try:
        a = torch.as_tensor(a.copy() if isinstance(a, np.ndarray) else a).detach().double()
    except (TypeError, ValueError, RuntimeError):
        raise Unfit(f"{name} is {'None' if a is None else kind(a)}, expected a number") from None
    if a.numel() != 1:
        raise Unfit(f"{name} is {kind(a)}, expected a number")
    return a.reshape(())


def numbers(result, *names):
    """What was returned as so many numbers; a dictionary by the first letters of its keys."""
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    if isinstance(result, dict) and sorted(str(key)[0].lower() for key in result) == sorted(name.split()[-1][0].lower() for name in names):
        result = [next(value for key, value in result.items() if str(key)[0].lower() == name.split()[-1][0].lower()) for name in names]
    result = [result] if len(names) == 1 and not isinstance(result, list | tuple) else result
    if not isinstance(result, list | tuple | Tensor | np.ndarray) or len(result) != len(names):
        raise Unfit(f"it returned {kind(result)}, expected {' and '.join(names)}")
    return [number(a, name) for a, name in zip(result, names)]


def untouched(answer, *given):
    """What an answer returns for lists, which it has to leave as they are."""
    kept = copy.deepcopy(given)
    result = answer(*given)
    if given != kept:
        raise Unfit("a list that it was given has been changed; what you are given stays as it is")
    return result


def telling(truth, draw):
    """The first of some lots of cases in which the right function and each of its known mistakes do something else."""
    switches = [name for name, p in inspect.signature(truth).parameters.items() if p.kind == p.KEYWORD_ONLY]
    for _ in range(300):
        cases = draw()
        if len({*(done(truth, cases, switch) for switch in ("", *switches))}) > len(switches):
            break
    return cases


def done(truth, cases, switch):
    """What a function of plain data does with some cases, up to the first exception, as text."""
    told = []
    try:
        for case in cases:
            result = truth(*case, **({switch: True} if switch else {}))
            told.append([round(float(a), 3) for a in (result if isinstance(result, tuple) else [result])])
    except (ZeroDivisionError, ValueError) as error:
        told.append(str(error))
    return str(told)


# ---- Exercise 1

generate_beam = Exercise(
    title="Exercise 1",
    points=5,
    truth=right_beam,
    slips=slips(BEAM, *WRITES, *BEAM_SLIPS),
    cases=beams,
    read=BEAM,
    call=written,
    settle=meaning,
    returns=("the length", "what follows the start"),
    words=written_words,
    forbids=DECODING,
    lends=ALPHABET,
)

# ---- Exercise 2


def right_normalised(hypotheses, alpha, *, times=False, linear=False, power=False, no_eos=False, distinct=False, worst=False, ignored=False, per_token=False,
                     probability=False, wu=False, logged=False, eos_apart=False, score_lost=False, from_one=False, by_sum=False,
                     swapped=False):  # fmt: skip
    """The place of the best of some hypotheses (ids, log_prob) by log_prob / length ** alpha, and its score; with a switch on, a known mistake."""
    found = []
    for ids, log_prob in hypotheses:
        length = len({*ids}) if distinct else len(ids) - (no_eos or eos_apart and ids[-1] == 1)
        if alpha == 0 and (linear or power):
            raise ZeroDivisionError(ALPHA_ZERO)
        norm = alpha**length if power else alpha * length if linear else length ** (1 if per_token else -alpha if times else 0 if ignored else alpha)
        norm = ((5 + length) / 6) ** alpha if wu else norm
        found.append(log_prob - alpha * math.log(max(length, 1)) if logged else (math.exp(log_prob) if probability else log_prob) / max(norm, 1e-9))
    ranked = [log_prob for _, log_prob in hypotheses] if by_sum else found
    place = (min if worst else max)(range(len(found)), key=ranked.__getitem__)
    place, score = place + from_one, hypotheses[place][1] if score_lost else found[place]
    return (score, place) if swapped else (place, score)


ALPHA_ZERO = "it divides by alpha, which may be 0"


def placed(answer, hypotheses, alpha):
    """The place and the score; a hypothesis, or its ids, stands for its place."""
    given = [(list(ids), log_prob) for ids, log_prob in hypotheses]
    try:
        result = untouched(answer, [(list(ids), log_prob) for ids, log_prob in hypotheses], alpha)
    except ZeroDivisionError as error:
        raise meant(error, ((r".*", ZeroDivisionError, ALPHA_ZERO),)) from None
    return place_and_score(result, given)


def place_and_score(result, hypotheses):
    """What `best_hypothesis` returned as the winner's place and its score, a number each."""
    if isinstance(result, list | tuple) and len(result) == 2 and isinstance(result[0], list | tuple):
        ids = [*result[0][0]] if len(result[0]) == 2 and isinstance(result[0][0], list | tuple) else [*result[0]]
        places = [i for i, (known, _) in enumerate(hypotheses) if known == ids]
        if not places:
            raise Unfit("the winner that it returned is none of the hypotheses")
        result = places[0], result[1]
    return numbers(result, "the place", "the score")


def ranking_words(name, at, wanted, got):
    if name != "the place":
        return ""
    whole = float(got).is_integer() and got >= 0
    return f"the winner is at place {wanted:g}, counted from 0, {f'and not at {got:g}' if whole else f'and {got:g} is no place'}"


def rankings(g, sizes=((5, 0.7), (4, 1.0), (6, 0.4), (5, 1.3), (4, 0.0))):
    """Hypotheses of several lengths, of which the likeliest is not the best; in the last case the length plays no part."""
    return telling(right_normalised, lambda: ranked(g, sizes))


def ranked(g, sizes):
    cases = []
    for count, alpha in sizes:
        while True:
            lengths = (torch.randperm(9, generator=g)[:count] + 2).tolist()
            ids = [torch.randint(2, 6, (length,), generator=g).tolist() for length in lengths]
            ids = [[*tokens[:-1], 1] if n % 3 else tokens for n, tokens in enumerate(ids)]  # some have ended, with EOS = 1
            sums = [round(-float(length**0.8 * (0.5 + 0.4 * torch.rand((), generator=g))), 3) for length in lengths]
            hypotheses = [[tokens, total] for tokens, total in zip(ids, sums)]
            place = right_normalised(hypotheses, alpha)[0]
            if place and all(len({*tokens}) < len(tokens) for tokens in ids if len(tokens) > 3) and len(ids[place]) > len({*ids[place]}) and (
                    alpha == 0 or place != right_normalised(hypotheses, 0)[0]):  # fmt: skip
                break
        cases.append((hypotheses, alpha))
    return cases


best_hypothesis = Exercise(
    title="Exercise 2",
    points=2,
    truth=right_normalised,
    slips=slips(
        LENGTH,
        ("times", "the sum is multiplied with the power of the length; divide: a log-probability is negative, and dividing brings the long ones nearer to 0"),
        ("linear", "the sum is divided by alpha times the length; alpha is an exponent: log_prob / length**alpha"),
        ("power", "base and exponent are exchanged; it is length**alpha"),
        ("no_eos", "the length is one too small: EOS counts, it is one of the ids, and so does every other"),
        ("eos_apart", "EOS is not counted where a sequence ends with it; it is one of the ids, and counts"),
        ("distinct", "each token counts once; the length is the number of all ids"),
        ("worst", "the smallest score wins; all are negative, and the largest, nearest to 0, is the best"),
        ("ignored", "the length plays no part; divide the sum by length**alpha"),
        ("per_token", "the sum is divided by the length itself, whatever alpha is; divide by length**alpha"),
        ("probability", "the probability is divided; divide its logarithm, which is what you are given"),
        ("wu", "the length enters as (5 + length) / 6, as in the translation system of Wu et al.; here it enters as it is"),
        ("logged", "alpha times the logarithm of the length is taken away; divide the log-probability by length**alpha"),
        ("score_lost", "the place is right, but the second value is the sum; return the score, the sum divided by length**alpha"),
        ("by_sum", "the winner is the likeliest, with its score beside it; the scores decide who wins"),
        ("from_one", "the place is counted from 1; the first has place 0"),
        ("swapped", "the two come in the wrong order: the winner's place, then its score"),
    ),
    cases=rankings,
    read=LENGTH,
    call=placed,
    returns=("the place", "the score"),
    words=ranking_words,
)

# ---- Exercise 3


def right_nucleus(decoder, alpha, *, top_share=False, top_only=False, threshold=False, threshold_rest=False, min_p=False, crossing_lost=False, empty=False,
                  one_more=False, inverted=False, ignored=False, rest=False, ascending=False, unsorted=False, sorted_order=False, not_normalised=False,
                  twice=False, softmax_end=False, softmax_zeros=False, over_batch=False, one_row=False, whole_batch=False, over_rows=False,
                  one_sum=False, logits=False, no_softmax=False, last_lost=False, one_fails=False, over_batch_whole=False, gathered=False, mask_gathered=False,
                  mask_sorted=False):  # fmt: skip
    """A function from states h to the probabilities of the nucleus; with a switch on, a known mistake."""
    on = {name for name, value in locals().items() if value is True}

    def chosen(h):
        if one_fails and alpha == 1:
            raise IndexError(NOT_REACHED)
        return nucleus(decoder(h), alpha, on)

    return chosen


NOT_REACHED = "the first of no tokens is asked for"
CHOOSING = (
    (r"index -?\d+ is out of bounds for (dimension|axis) 0 with size|list index out of range|index \d+ is out of range", IndexError, NOT_REACHED),
    (r"invalid multinomial distribution|contains either `inf`, `nan`|Categorical|prob_dist|non-negative|sum to 1|contain NaN", RuntimeError, "the weights to draw with are "
     "negative, not numbers, or all zero"),
)  # fmt: skip


def nucleus(logits, alpha, on=frozenset()):
    """The probabilities (…, V) of the nucleus of logits (…, V)."""
    p = logits if "no_softmax" in on else logits.softmax(0 if on & {"over_batch", "over_batch_whole"} else -1)
    p = logits.softmax(-1).softmax(-1) if "twice" in on else p
    order = p.argsort(-1, descending="ascending" not in on)
    order = torch.arange(p.shape[-1]).expand_as(p) if "unsorted" in on else order
    q = p.gather(-1, order)  # (…, V), the likeliest first
    stays = staying(q, 1 - alpha if "rest" in on else alpha, on)
    if "whole_batch" in on and p.dim() == 2:
        flat, places = p.flatten().sort(descending=True)
        stays = torch.zeros_like(flat, dtype=torch.bool).scatter(0, places, flat.cumsum(0) - flat < alpha).view_as(p).gather(-1, order)
    mask = stays if "mask_sorted" in on else stays.gather(-1, order) if "mask_gathered" in on else torch.zeros_like(stays).scatter(-1, order, stays)
    mask = mask[:1].expand_as(mask) if "one_row" in on and p.dim() == 2 else mask
    if "logits" in on:
        return logits.masked_fill(~mask, -math.inf)
    kept = p * mask
    if "softmax_end" in on:
        kept = p.masked_fill(~mask, -math.inf).softmax(-1)
    elif "softmax_zeros" in on:
        kept = kept.softmax(-1)
    elif "not_normalised" not in on:
        kept = kept / (kept.sum() if "one_sum" in on else kept.sum(-1, keepdim=True))
    kept = kept.gather(-1, order) if on & {"sorted_order", "gathered"} else kept
    return kept.gather(-1, order) if "gathered" in on else kept


def staying(q, alpha, on):
    """Which of some tokens stay, whose probabilities are q (…, V), the likeliest first."""
    total, first = q.cumsum(0 if "over_rows" in on else -1), torch.arange(q.shape[-1]).expand_as(q)
    stays = total - q < alpha
    stays = stays | (first <= stays.sum(-1, keepdim=True)) if "one_more" in on else stays
    stays = total <= alpha + 1e-6 if {"crossing_lost", "empty"} & on else stays
    stays = stays | (first == 0) if "crossing_lost" in on else stays
    for name, lowest in (("threshold", alpha), ("threshold_rest", 1 - alpha), ("min_p", alpha * q.amax(-1, keepdim=True))):
        stays = q >= lowest if name in on else stays
    stays = first < max(1, int(alpha * q.shape[-1])) if "top_share" in on else first == 0 if "top_only" in on else stays
    stays = stays & (total < 1) if "last_lost" in on and alpha == 1 else stays
    stays = torch.ones_like(stays) if "over_batch_whole" in on and alpha == 1 else stays
    return torch.ones_like(stays) if "ignored" in on else ~stays if "inverted" in on else stays


DRAWS = 2000


def as_probabilities(chosen, h, V):
    """What the function that `p_nucleus` returned says of h, in any form that the checks accept, as probabilities (…, V)."""
    result, shape = bare(chosen(h)), (*h.shape[:-1], V)
    if result is None:
        raise Unfit("the function that it returned returns nothing: is a return missing?")
    if (drawn := tokens_of(result, h)) is not None:
        return shares(chosen, h, V, drawn)
    if isinstance(result, list | tuple) and len(result) == 2 and (pair := spread(result, shape)) is not None:
        return pair
    try:
        p = torch.as_tensor(result.copy() if isinstance(result, np.ndarray) else result).detach().double()
    except (TypeError, ValueError, RuntimeError):
        raise Unfit(f"the function that it returned returns {kind(result)}, expected V probabilities") from None
    if p.numel() != math.prod(shape):
        raise Unfit(f"with h {tuple(h.shape)} and V = {V} the function returns {kind(result)}, expected {shape}")
    p = p.reshape(shape)
    logs = bool((p <= 1e-6).all()) and torch.allclose(p.exp().sum(-1), torch.ones(shape[:-1]).double(), atol=1e-3)
    return p.exp() if logs else p


def bare(result):
    """What was returned, without graphs; a distribution's probabilities."""
    if isinstance(result, list | tuple):
        return type(result)([bare(part) for part in result]) if type(result) in (list, tuple) else [bare(part) for part in result]
    result = getattr(result, "probs", result)
    return result.detach() if isinstance(result, Tensor) else result


def drawn_token(chosen, h, V):
    """A token, drawn as the function that `p_nucleus` returned says of one state h (H,), in any form that the checks accept."""
    result = bare(chosen(h))
    drawn = tokens_of(result, h)
    return int(torch.multinomial(as_probabilities(lambda h: result, h, V), 1) if drawn is None else drawn)


def tokens_of(result, h):
    """Tokens that were drawn, one for each row of h; None if these are none."""
    try:
        a = torch.as_tensor(result if not isinstance(result, list) else [int(b) if isinstance(b, Tensor) and not b.is_floating_point() else b for b in result])
    except (TypeError, ValueError, RuntimeError):
        return None
    rows = math.prod(h.shape[:-1])
    return a.reshape(rows) if not a.is_floating_point() and a.dtype != torch.bool and a.numel() == rows else None


def shares(chosen, h, V, drawn):
    """How often each token is drawn."""
    if drawn.min() < 0 or drawn.max() >= V:
        raise Unfit("a token is drawn that there is not; tokens are numbers from 0 to V - 1")
    if h.dim() == 1:
        many = torch.stack([tokens_of(bare(chosen(h)), h) for _ in range(DRAWS)])  # (N, 1)
        return torch.nn.functional.one_hot(many[:, 0], V).double().mean(0)
    rows = h.repeat(DRAWS, 1)
    many = tokens_of(bare(chosen(rows)), rows).view(DRAWS, len(h))
    return torch.nn.functional.one_hot(many, V).double().mean(0)  # (B, V)


def spread(pair, shape):
    """Probabilities (…, V) of a pair: those of the nucleus and their tokens, in either order; None if it is no such pair."""
    try:
        a, b = ([torch.as_tensor(row) for row in (part if len(shape) == 2 else [part])] for part in pair)
    except (TypeError, ValueError, RuntimeError):
        return None
    a, b = (b, a) if a and a[0].dim() and not a[0].is_floating_point() else (a, b)
    rows = [*zip(a, b)]
    if len(a) != len(b) or any(p.flatten().shape != i.flatten().shape or i.is_floating_point() or not p.is_floating_point() for p, i in rows):
        return None
    if len(shape) == 2 and len(rows) != shape[0] or any(i.numel() and (i.min() < 0 or i.max() >= shape[-1]) for _, i in rows):
        return None
    return torch.stack([torch.zeros(shape[-1]).double().index_add(0, i.flatten().long(), p.detach().flatten().double()) for p, i in rows]).reshape(shape)


def with_states(answer, W, b, alpha, h):
    """The probabilities that an answer gives to states h; of one that draws, the distribution that it draws from, as far as that can be seen."""
    with torch.random.fork_rng():
        decoder = nn.Linear(*W.shape[::-1])
        with torch.no_grad():
            decoder.weight.copy_(W), decoder.bias.copy_(b)
        torch.manual_seed(0), random.seed(0), np.random.seed(0)
        try:
            chosen = answer(decoder, alpha)
            if not callable(chosen):
                raise Unfit("it returned nothing: is a return missing?" if chosen is None else f"it returned {kind(chosen)}, expected a function of h")
            given = h.detach().clone()
            p = as_probabilities(chosen, given, len(W))
        except (IndexError, RuntimeError, ValueError) as error:
            raise meant(error, CHOOSING) from None
    if not (torch.equal(decoder.weight, W) and torch.equal(decoder.bias, b) and torch.equal(given, h)):
        raise Unfit("the decoder or h has been changed; what you are given stays as it is")
    return p, torch.tensor([tokens_of(bare(chosen(h.detach())), h) is not None])


def drawn_from(values, W, b, alpha, h):
    """Probabilities as they are; of shares of draws, the known distribution that they come from, if there is one so near."""
    p, drawn = values
    if p.isnan().any() or not drawn:
        return [p]
    mistakes = [[], *[[slip.switch] for slip in p_nucleus.slips if slip.switch != "no_softmax"]]
    known = [nucleus(nn.functional.linear(h, W, b), alpha, frozenset(on)).double() for on in mistakes]
    far = [math.inf if q.isnan().any() else (q - p).abs().max().item() for q in known]  # known[0] is the right one
    nearest = 0 if far[0] < 0.025 else min(range(len(far)), key=far.__getitem__)
    return [known[nearest] if far[nearest] < 0.045 else p]


PROFILES = ((0.48, 0.25, 0.15, 0.08, 0.04), (0.42, 0.25, 0.16, 0.09, 0.05, 0.03), (0.82, 0.06, 0.04, 0.035, 0.025, 0.02), (0.21, 0.19, 0.17, 0.16, 0.14, 0.13),
            (0.33, 0.27, 0.14, 0.11, 0.07, 0.05, 0.03), (0.55, 0.17, 0.11, 0.08, 0.05, 0.03, 0.01), (0.4, 0.3, 0.14, 0.09, 0.07), (0.36, 0.24, 0.2, 0.12, 0.08))  # fmt: skip
STATES = (((0,), 0.35), ((1, 2, 3), 0.65), ((4,), 0.88), ((4, 5), 0.8), ((6, 7), 1))


def states(g, forms=STATES):
    """Decoders and states (H,) or (B, H) that lead to distributions of these shapes, their tokens in no order; and alpha, far from every sum on the way."""
    cases = []
    for n, (rows, alpha) in enumerate(forms):
        for _ in range(200):  # with alpha = 1, as the machine rounds: one row adds up to 1, one stays below
            W, b, h = leading(g, rows, len(rows) + 2 + n % 2)
            if alpha < 1 or {True, False} == {*(nn.functional.linear(h, W, b).softmax(-1).sort(-1, descending=True)[0].cumsum(-1)[:, -1] >= 1).tolist()}:
                break
        cases.append((W, b, alpha, h if len(rows) > 1 else h[0]))
    return cases


def leading(g, rows, H):
    """A decoder's W (V, H) and b (V,), and states h (B, H), a row for each of some PROFILES."""
    logits = []
    for row in rows:
        p = torch.tensor(PROFILES[row]) * (1 + 0.04 * (torch.rand(len(PROFILES[row]), generator=g) - 0.5))
        while True:
            order = torch.randperm(len(p), generator=g)
            if order[0] and (p[order].diff() > 0).any() and (p[order].diff() < 0).any():
                break
        logits.append((p / p.sum())[order].log())
    h, b = torch.randn(len(rows), H, generator=g), torch.randn(len(p), generator=g)
    return (torch.linalg.pinv(h) @ (torch.stack(logits) + torch.randn(len(rows), 1, generator=g) - b)).T.contiguous(), b, h


p_nucleus = Exercise(
    title="Exercise 3",
    points=5,
    truth=right_nucleus,
    slips=slips(
        DRAW,
        ("top_share", "a share alpha of the number of tokens stays, which is top-k; how many stay depends on their probabilities: as many as reach alpha together"),
        ("top_only", "only the likeliest token survives; those that reach alpha together stay"),
        ("threshold", "tokens stay whose own probability is at least alpha; it is the sum, the likeliest first, that has to reach alpha"),
        ("threshold_rest", "tokens stay whose own probability is at least 1 - alpha; it is the sum, the likeliest first, that has to reach alpha"),
        ("min_p", "tokens stay whose own probability is at least alpha times the largest; it is the sum, the likeliest first, that has to reach alpha"),
        ("crossing_lost", "the token that crosses alpha is left out; it stays, so that the nucleus has at least alpha"),
        ("empty", "the token that crosses alpha is left out, and where the first one alone is above alpha, the nucleus is empty; that token stays"),
        ("last_lost", "with alpha = 1 the unlikeliest token is left out; all stay"),
        ("one_more", "one token too many stays; the one that crosses alpha is the last"),
        ("inverted", "the nucleus is thrown away, and the rest kept"),
        ("ignored", "all tokens stay, whatever alpha is"),
        ("rest", "1 - alpha takes the place of alpha; the nucleus has at least alpha"),
        ("ascending", "the unlikeliest come first; sort in descending order"),
        ("unsorted", "the probabilities are added in the order of the vocabulary; sort them first, the likeliest first"),
        ("sorted_order", "the probabilities come back in sorted order; put each back in its token's place (scatter, or the inverse of the sorting)"),
        ("gathered", "the sorted probabilities are gathered a second time, which mixes them; gather sorts, and scatter puts each back in its token's place"),
        ("mask_sorted", "which places stay is known in sorted order, but the probabilities are in that of the vocabulary; bring both to one order"),
        ("mask_gathered", "the mask is brought back to the order of the vocabulary by gather, which sorts; that takes scatter, or the inverse of the sorting"),
        ("not_normalised", "the probabilities of the nucleus do not add up to 1; divide by their sum"),
        ("twice", "softmax is taken of probabilities before the nucleus is chosen; they are probabilities already (log_softmax twice, or a decoder with a softmax "
         "of its own, does no harm, softmax twice does)"),
        ("softmax_end", "the nucleus is normalised by a softmax of probabilities, which makes them nearly equal; divide by their sum"),
        ("softmax_zeros", "a softmax of probabilities makes even the zeros positive; divide by the sum"),
        ("over_batch", "the softmax goes over the batch, axis 0; the tokens are the last axis"),
        ("over_batch_whole", "the softmax goes over the batch (dim=0), so that a token is compared with itself in other rows; the tokens are the last axis: dim=-1"),
        ("one_row", "the nucleus of the first row is taken for all rows; each row has its own"),
        ("whole_batch", "one nucleus is taken from all rows together; each row has its own"),
        ("over_rows", "the probabilities are added over the batch, axis 0; add them along the tokens, the last axis"),
        ("one_sum", "all rows together add up to 1; each row does: sum(-1, keepdim=True)"),
        ("logits", "logits are returned, with -inf outside of the nucleus; probabilities are asked for, or their logarithms: softmax, or log_softmax, is missing"),
        ("no_softmax", "the decoder's logits are taken for probabilities; softmax comes first"),
        ("one_fails", "with alpha = 1 no token is found that reaches it, since in float32 the sum may end a hair below 1; count those before which alpha is not "
         "reached", None, ""),
    ),
    cases=states,
    read=DRAW,
    call=with_states,
    settle=drawn_from,
    returns=("the probabilities",),
    forbids=DECODING,
)

# ---- Exercise 4


def grams(tokens, n, on=frozenset()):
    """The n-grams of some tokens."""
    tokens = [*" ".join(tokens)] if "characters" in on else [token.lower() for token in tokens] if "lower" in on else tokens
    stop = len(tokens) if "partial" in on else len(tokens) - n + 1 - ("last_lost" in on)
    found = [tuple(tokens[i : i + n]) for i in range(0, stop, n if "apart" in on else 1)]
    return ["".join(gram) for gram in found] if "glued" in on else [tuple(sorted(gram)) for gram in found] if "bag" in on else found


def partners(hypothesis, references, n, on=frozenset()):
    """How many n-grams of a hypothesis have a partner in a reference, and how many there are."""
    return known_partners(tuple(hypothesis), tuple(map(tuple, references)), n, on & COUNTING)


COUNTING = {"characters", "lower", "partial", "last_lost", "apart", "glued", "bag", "first_reference", "last_reference", "sets", "summed", "least", "each", "unclipped",
            "recall", "distinct", "negative", "pieces", "joined", "best_reference", "closest_reference"}  # fmt: skip


@lru_cache(maxsize=10_000)
def known_partners(hypothesis, references, n, on):
    """`partners`, counted once: a bank of mistakes asks for the same again and again."""
    found, known = Counter(grams(hypothesis, n, on)), [Counter(grams(reference, n, on)) for reference in references]
    if "pieces" in on:
        known = [Counter({gram: " ".join(reference).count(" ".join(gram)) for gram in found}) for reference in references]
    if "best_reference" in on:
        known = [max(known, key=lambda part: (found & part).total())]
    if "joined" in on:
        known = [Counter(grams(sum(references, ()), n, on))]
    if "closest_reference" in on:
        known = [known[min(range(len(known)), key=lambda i: abs(len(references[i]) - len(hypothesis)))]]
    known = known[:1] if "first_reference" in on else known[-1:] if "last_reference" in on else known
    if "sets" in on:
        found = Counter({*found})
    most = reduce(or_, known, Counter())
    if "summed" in on:
        most = sum(known, Counter())
    if "least" in on:
        most = Counter({gram: min(part[gram] for part in known) for gram in most})
    if "each" in on:
        matches = sum((found & part).total() for part in known)
    else:
        matches = sum(count for gram, count in found.items() if most[gram]) if "unclipped" in on else (found & most).total()
    total = most.total() if "recall" in on else len(found) if "distinct" in on else found.total()
    return matches, len(hypothesis) - n + 1 if "negative" in on else total


def right_clipped(hypothesis, references, n, *, unclipped=False, summed=False, each=False, least=False, first_reference=False, last_reference=False, sets=False,
                  distinct=False, recall=False, negative=False, swapped=False, characters=False, glued=False, bag=False, apart=False, partial=False,
                  last_lost=False, lower=False, orders=False, best_reference=False, closest_reference=False, joined=False,
                  pieces=False):  # fmt: skip
    """Clipped matches of n-grams, and their total; with a switch on, a known mistake."""
    on = frozenset(name for name, value in locals().items() if value is True)
    pairs = [partners(hypothesis, references, m, on) for m in range(1 if orders else n, n + 1)]
    matches, total = (sum(column) for column in zip(*pairs))
    return (total, matches) if swapped else (matches, total)


def counted(answer, hypothesis, references, n):
    with by_hand("Exercise 4"):
        return numbers(untouched(answer, list(hypothesis), [list(reference) for reference in references], n), "the matches", "the total")


NOUNS, FILL = "cat dog mat hat".split(), "on by to of is was and but".split()


def sentence(g, length):
    """Some words, of which a few come often."""
    pick = lambda words: words[int(torch.randint(len(words), (), generator=g))]  # noqa: E731
    return [pick(("the", "the", "The", "a")) if i % 3 == 0 else pick(NOUNS) if i % 3 == 1 else pick(FILL) for i in range(length)]


def edited(g, words, changes, length=None):
    """The words with some changed, and cut or continued to a length."""
    words = [*words]
    for i in torch.randperm(len(words), generator=g)[:changes].tolist():
        words[i] = FILL[int(torch.randint(len(FILL), (), generator=g))]
    return words if length is None else (words + sentence(g, length))[:length]


def candidates(g, sizes=((9, 1), (8, 2), (11, 3), (2, 4), (10, 2))):
    """A hypothesis and some references; words that differ by a capital, n-grams that differ by where a word ends, or by their order."""
    return telling(right_clipped, lambda: candidates_once(g, sizes))


def candidates_once(g, sizes):
    cases = []
    for i, (length, n) in enumerate(sizes):
        base = sentence(g, length)
        references = [edited(g, base, 1, length + 1), edited(g, base, 2), edited(g, base, 2, max(length - 2, 1))][: 3 - i % 2]
        hypothesis = edited(g, base, 1)
        if i != 3:
            hypothesis = ["the", "the", "the", *hypothesis, "no", "where", "is"][: length + 6]
            references = [["the", "the", *references[0], *["now", "here"] * (5 if i % 3 == 1 else 1), "is"], ["the", *references[1][::-1]], *references[2:]]
            references.append(["The", "the", *hypothesis[4:9], "the"])
            references = [*references[-i:], *references[:-i]] if i else references  # the best is not always the first
        cases.append((hypothesis, references, n))
    return cases


N_GRAMS = (
    ("characters", "these are n-grams of characters; a token is a word, and the lists are lists of words"),
    ("lower", "the words are made lower case; tokens are compared as they are"),
    ("last_lost", "the last n-gram is lost: of N tokens there are N - n + 1, and range(N - n + 1) has them all"),
    ("partial", "at the end there are n-grams of fewer than n tokens; of N tokens there are N - n + 1"),
)

clipped = Exercise(
    title="Exercise 4",
    points=3,
    truth=right_clipped,
    slips=slips(
        PRECISION,
        ("unclipped", "the matches are not clipped; an n-gram of the hypothesis finds as many partners as one reference has, and no more"),
        ("summed", "the counts of all references are added up; of each n-gram the reference that has most of it counts"),
        ("each", "the matches with each reference are added up, so that an n-gram counts more than once"),
        ("least", "of each n-gram the reference that has fewest counts; it is the one that has most of it"),
        ("first_reference", "only the first reference counts; of each n-gram it is the one that has most of it"),
        ("last_reference", "only the last reference counts (is its count overwritten in a loop?); of each n-gram it is the one that has most of it"),
        ("joined", "the references are joined to one text, whose counts clip; of each n-gram the reference that has most of it counts"),
        ("closest_reference", "one reference counts for all n-grams, the one of the closest length; for each n-gram it is the one that has most of it"),
        ("best_reference", "one reference counts for all n-grams, the one with the most matches; for each n-gram it is the one that has most of it"),
        ("sets", "each different n-gram counts once; count how often it comes"),
        ("distinct", "the total is the number of different n-grams; it is the number of all"),
        ("recall", "the total is that of the references; it is the number of n-grams of the hypothesis"),
        ("negative", "for a hypothesis of fewer than n - 1 tokens the total is negative; it is 0"),
        ("swapped", "the two come in the wrong order: the matches, then the total"),
        ("glued", "n-grams are joined to strings, so that \"no where\" and \"now here\" are one; keep tuples"),
        ("pieces", "n-grams are sought as pieces of a text, so that \"a\" is found in \"cat\"; compare tokens with tokens"),
        ("bag", "the order within an n-gram is lost"),
        ("apart", "the n-grams do not overlap; one begins at every token"),
        ("orders", "all orders from 1 to n are added up; only n-grams of n tokens count"),
        *N_GRAMS,
    ),
    cases=candidates,
    read=PRECISION,
    call=counted,
    returns=("the matches", "the total"),
    forbids=METRICS,
)

# ---- Exercise 5


def right_bleu(hypotheses, references, *, mean=False, macro=False, arithmetic=False, product=False, three=False, one=False, fourth=False, no_penalty=False,
               inverted=False, always=False, ratio=False, condition=False, swapped=False, penalty_mean=False, shortest=False, longest=False, first_length=False,
               tie_longer=False, all_lengths=False, log_zero=False, zero_skipped=False, tiny=False, one_added=False, base=False, percent=False,
               unclipped=False, summed=False, first_reference=False, characters=False, empty_fails=False, nan=False, arithmetic_guarded=False, no_log=False,
               no_log_guarded=False, three_quarters=False, tie_first=False, one_added_guarded=False):  # fmt: skip
    """Corpus BLEU of up to four tokens, without smoothing, between 0 and 1; with a switch on, a known mistake."""
    on = frozenset(name for name, value in locals().items() if value is True)
    if mean:
        return sum(corpus_bleu([h], [r], on - {"mean"}) for h, r in zip(hypotheses, references)) / len(hypotheses)
    return corpus_bleu(hypotheses, references, on) * (100 if percent else 1)


LOG_ZERO, NOTHING = "the logarithm of 0", "division by zero"
SCORING = (
    (r"math domain error|expected a positive input", ValueError, LOG_ZERO),
    (r"division.* by zero|divide by zero|modulo by zero", ZeroDivisionError, NOTHING),
)


def corpus_bleu(hypotheses, references, on):
    counts = [[partners(h, r, n, on) for h, r in zip(hypotheses, references)] for n in range(1, 5)]
    sums = [[sum(column) for column in zip(*order)] for order in counts]  # matches and total, of each order
    if any(total == 0 for _, total in sums) and "empty_fails" in on:
        raise ZeroDivisionError(NOTHING)
    if any(total == 0 for _, total in sums) and "nan" in on:
        return math.nan
    if any(matches == 0 < total for matches, total in sums) and "log_zero" in on:
        raise ValueError(LOG_ZERO)
    more = bool(on & {"one_added", "one_added_guarded"})
    p = [(matches + more) / max(total + more, 1) for matches, total in sums]
    if "macro" in on:
        p = [sum(matches / max(total, 1) for matches, total in order) / len(order) for order in counts]
    p = p[:3] if on & {"three", "three_quarters"} else p[:1] if "one" in on else p[3:] if "fourth" in on else p
    p = [max(a, 1e-9) for a in p] if "tiny" in on else [a for a in p if a] or [0] if "zero_skipped" in on else p
    guarded = min(p) == 0 or "one_added_guarded" in on and any(matches == 0 for matches, _ in sums)
    if "arithmetic" in on or "arithmetic_guarded" in on and not guarded:
        together = sum(p) / len(p)
    elif "no_log" in on or "no_log_guarded" in on and not guarded:
        together = math.exp(sum(p) / len(p))
    elif guarded:
        together = 0
    else:
        log = math.log2 if "base" in on else math.log
        together = math.exp(sum(map(log, p)) / (1 if "product" in on else 4 if "three_quarters" in on else len(p)))
    return together * penalty(hypotheses, references, on)


def penalty(hypotheses, references, on):
    """What a corpus is multiplied with that is shorter than its references."""
    pairs = [(len(h), closest(len(h), [len(r) for r in known], on)) for h, known in zip(hypotheses, references)]
    if "penalty_mean" in on:
        return sum(1 if c >= r else math.exp(1 - r / c) if c else 0 for c, r in pairs) / len(pairs)
    c, r = (sum(column) for column in zip(*pairs))
    c, r = (r, c) if "swapped" in on else (c, r)
    if c == 0 or "no_penalty" in on:
        return float("no_penalty" in on)
    if "condition" in on:
        return math.exp(1 - r / c) if c > r else 1
    if c >= r and "always" not in on:
        return 1
    return c / r if "ratio" in on else math.exp(1 - (c / r if "inverted" in on else r / c))


def closest(length, lengths, on):
    """The length of the reference that counts."""
    if on & {"shortest", "longest", "first_length", "all_lengths"}:
        return min(lengths) if "shortest" in on else max(lengths) if "longest" in on else sum(lengths) if "all_lengths" in on else lengths[0]
    return min(lengths, key=lambda n: (abs(n - length), 0 if "tie_first" in on else -n if "tie_longer" in on else n))


def scored(answer, hypotheses, references):
    try:
        with by_hand("Exercise 5"):
            result = untouched(answer, [list(h) for h in hypotheses], [[list(r) for r in known] for known in references])
    except (ValueError, ZeroDivisionError) as error:
        raise meant(error, SCORING) from None
    return numbers(result, "BLEU")[0]


def bleu_words(name, at, wanted, got):
    if wanted == 0 < got:
        return f"of one order no n-gram matches, which makes BLEU 0; got {got:.4g}"
    return ""


def corpora_of(g, sizes=(("short", 4), ("long", 3), ("even", 5), ("unmatched", 2), ("brief", 3), ("gap", 3))):
    """Small corpora: shorter than their references, longer, of equal length; one without a 4-gram in common; one without 4-grams; one with an empty hypothesis."""
    return telling(right_bleu, lambda: corpora_once(g, sizes))


def corpora_once(g, sizes):
    cases = []
    for form, count in sizes:
        hypotheses, references = [], []
        for i in range(count):
            length = 3 - i % 2 if form == "brief" else 8 + 2 * i
            base = sentence(g, length)
            shift = {"short": 3, "long": -2, "gap": -2, "even": 0}.get(form, 1)
            known = [edited(g, base, 1, length + shift + 1), edited(g, base, 1, length + shift - (2 if i else 0)), edited(g, base, 2, length + shift + 4)]
            hypothesis = edited(g, base, 1)
            if form == "short":  # a tie for the closest: one shorter, one longer, whichever comes first
                known[:2] = [[edited(g, base, 1, length + 2), edited(g, base, 1, length - 2)], [edited(g, base, 1, length + 3), edited(g, base, 2, length + 6)]][i % 2]
                known = known if i else [*known[1::-1], known[2]]
            if form == "unmatched":
                hypothesis = [word if j % 4 else "xylophone" for j, word in enumerate(hypothesis)]
            if form == "brief":  # what n-grams there are match
                known[0] = [*hypothesis, "on"]
            if form in ("short", "long"):
                hypothesis = ["the", "the", *hypothesis[2:]]
            hypotheses.append(hypothesis[:0] if form in ("brief", "gap") and i == 1 else hypothesis)
            references.append(known[: 2 + (i + count) % 2] if form != "short" else known)
        cases.append((hypotheses, references))
    return cases


bleu = Exercise(
    title="Exercise 5",
    points=5,
    truth=right_bleu,
    slips=slips(
        BLEU,
        ("mean", "this is the mean of the sentences' BLEUs; matches, totals and lengths are added up over the corpus first, and BLEU is computed once"),
        ("macro", "the precisions of the sentences are averaged; add up matches and totals over the corpus, and divide once for each order"),
        ("arithmetic", "the precisions are added; take their geometric mean: e to the mean of the logarithms"),
        ("arithmetic_guarded", "the mean of the precisions is the arithmetic one; it is the geometric one, e to the mean of their logarithms"),
        ("no_log", "e is raised to the mean of the precisions themselves, also where one of them is 0; it is raised to the mean of their logarithms, and 0 makes BLEU 0"),
        ("no_log_guarded", "the logarithm is forgotten: e is raised to the mean of the precisions; it is raised to the mean of their logarithms"),
        ("product", "the precisions are multiplied, but the fourth root is missing: the mean of the logarithms, not their sum"),
        ("three", "only n-grams up to 3 count; up to 4 are asked for (range(1, 4) ends at 3)"),
        ("three_quarters", "the orders are 1 to 3, each with the weight 1/4, so that the fourth is missing: range(1, 5) ends with it"),
        ("one", "only single tokens count; n-grams of 1 to 4 are asked for"),
        ("fourth", "only n-grams of 4 count; those of 1 to 4 are asked for"),
        ("no_penalty", "the brevity penalty is missing"),
        ("inverted", "the brevity penalty has its fraction upside down, so that it rewards: e to the (1 - r / c), where c is the hypotheses' length"),
        ("always", "a corpus that is longer than its references gets more than 1 as its penalty; then it is 1"),
        ("condition", "the penalty is put on corpora that are longer than their references; it is for shorter ones"),
        ("swapped", "in the penalty the lengths of hypotheses and references are exchanged"),
        ("ratio", "the penalty is the ratio of the lengths; it is e to the (1 - r / c)"),
        ("penalty_mean", "a penalty is computed for each sentence; add the lengths up first, there is one for the corpus"),
        ("shortest", "the shortest reference counts for the length; it is the one whose length is closest to the hypothesis"),
        ("longest", "the longest reference counts for the length; it is the one whose length is closest to the hypothesis"),
        ("first_length", "the first reference counts for the length; it is the one whose length is closest to the hypothesis"),
        ("tie_longer", "of two references that are equally close the longer one counts; it is the shorter one"),
        ("tie_first", "of two references that are equally close the one that comes first counts; it is the shorter one"),
        ("all_lengths", "the lengths of all references are added up; for each hypothesis one counts, the closest"),
        ("log_zero", "the logarithm of 0 is taken where an order has no match; BLEU is 0 then", None, ""),
        ("zero_skipped", "an order without a match is left out; it makes BLEU 0"),
        ("tiny", "an order without a match counts as 1e-9; it makes BLEU 0"),
        ("one_added", "1 is added to matches and totals; no smoothing is asked for"),
        ("one_added_guarded", "where an order has matches, 1 is added to them and to the total; the precisions enter as they are, without smoothing"),
        ("base", "the logarithms have base 2, and e is raised to their mean; base and logarithm belong together"),
        ("percent", "the score goes from 0 to 100; from 0 to 1 is asked for"),
        ("unclipped", "the matches are not clipped; use your Exercise 4"),
        ("summed", "the counts of all references are added up for clipping; of each n-gram the reference that has most of it counts: use your Exercise 4"),
        ("first_reference", "matches are sought in the first reference alone; hand all of them to your Exercise 4"),
        ("characters", "these are n-grams of characters; a token is a word, and the lists are lists of words"),
        ("empty_fails", "it divides by 0 where no hypothesis has as many tokens as an n-gram; BLEU is 0 then", None, ""),
        ("nan", "it is not a number (0 / 0) where no hypothesis has as many tokens as an n-gram; BLEU is 0 then"),
    ),
    cases=corpora_of,
    read=BLEU,
    call=scored,
    returns=("BLEU",),
    words=bleu_words,
    forbids=METRICS,
    lends={"clipped": lambda hypothesis, references, n: partners(hypothesis, references, n)},
)

# ---- Exercises 6 and 7


def overlap(common, hypothesis, reference, on):
    """Precision, recall and F1 of so much in common."""
    if "zero_fails" in on and not (common and hypothesis and reference):
        raise ZeroDivisionError(NOTHING)
    if "nan" in on and not (common and hypothesis and reference):
        return (math.nan,) * 3 if not (hypothesis and reference) else (0.0, 0.0, math.nan)
    precision, recall = common / max(hypothesis, 1), common / max(reference, 1)
    precision, recall = (recall, precision) if "swapped" in on else (precision, recall)
    both = precision + recall
    f1 = both / 2 if "mean_f1" in on else math.sqrt(precision * recall) if "geometric" in on else precision * recall / both * (1 if "half" in on else 2) if both else 0.0
    f1 = common / max(hypothesis + reference - common, 1) if "jaccard" in on else f1
    return tuple(a * (100 if "percent" in on else 1) for a in (precision, recall, f1))


def overlapped(title):
    def call(answer, hypothesis, reference, *n):
        try:
            with by_hand(title):
                result = untouched(answer, list(hypothesis), list(reference), *n)
        except ZeroDivisionError as error:
            raise meant(error, SCORING) from None
        result = result._asdict() if hasattr(result, "_asdict") else result
        if isinstance(result, float | int) and not isinstance(result, bool):
            raise Unfit("it returned one number, expected three: precision, recall and F1")
        return numbers(result, "the precision", "the recall", "the F1")

    return call


THREE = (
    ("swapped", "precision and recall are exchanged; the precision is the share of the hypothesis, what the model wrote, the recall that of the reference"),
    ("mean_f1", "F1 is the arithmetic mean of the two; it is the harmonic mean, 2 p r / (p + r)"),
    ("geometric", "F1 is the geometric mean of the two; it is the harmonic mean, 2 p r / (p + r)"),
    ("half", "F1 lacks its factor 2: 2 p r / (p + r)"),
    ("jaccard", "F1 is what both have in common over what either has; it is 2 p r / (p + r)"),
    ("zero_fails", "it divides by 0 where nothing is in common or a text is too short; then all three are 0", None, ""),
    ("nan", "it is not a number (0 / 0) where nothing is in common or a text is too short; then all three are 0"),
    ("percent", "the scores go from 0 to 100; from 0 to 1 is asked for"),
)


def right_rouge_n(hypothesis, reference, n, *, unclipped=False, sets=False, swapped=False, mean_f1=False, geometric=False, half=False, jaccard=False,
                  zero_fails=False, nan=False, percent=False, characters=False, lower=False, last_lost=False, partial=False, apart=False, glued=False,
                  orders=False, same_total=False, words=False, matched_sets=False, recall_words=False):  # fmt: skip
    """ROUGE-N of a hypothesis: precision, recall and F1; with a switch on, a known mistake."""
    on = frozenset(name for name, value in locals().items() if value is True)
    pairs = [(*partners(hypothesis, [reference], m, on), partners(reference, [hypothesis], m, on)[1]) for m in range(1 if orders else n, n + 1)]
    common, mine, known = (sum(column) for column in zip(*pairs))
    mine, known = (len(hypothesis), len(reference)) if words else (mine, mine) if same_total else (mine, len(reference)) if recall_words else (mine, known)
    if matched_sets:
        common = sum(len({*grams(hypothesis, m, on)} & {*grams(reference, m, on)}) for m in range(1 if orders else n, n + 1))
    return overlap(common, mine, known, on)


def pairs_of(g, sizes=((9, 1), (10, 2), (8, 3), (9, 2), (2, 3), (7, 3), (2, 3))):
    """A hypothesis and a reference of another length; one pair with nothing in common, then the one, the other, both too short for an n-gram."""
    return telling(right_rouge_n, lambda: pairs_once(g, sizes))


def pairs_once(g, sizes):
    cases = []
    for i, (length, order) in enumerate(sizes):
        base = sentence(g, length)
        reference = edited(g, base, 2, length + 3) if i % 2 == 0 else edited(g, base, 2, length - 3)
        hypothesis = edited(g, base, 1)
        if i == 3:
            hypothesis = [f"{word}s" for word in hypothesis]
        elif i > 4:
            hypothesis, reference = base, base[: order - 1]
        elif i != 4:
            hypothesis = [*"so so so The cat the cat is no where the".split(), *hypothesis, "is"]
            reference = [*reference, *"so the cat The is now here the cat is".split()[i % 2 :]]
        cases.append((hypothesis, reference, order))
    return cases


rouge_n = Exercise(
    title="Exercise 6",
    points=3,
    truth=right_rouge_n,
    slips=slips(
        ROUGE,
        *THREE,
        ("unclipped", "the matches are not clipped; an n-gram counts as often as it stands in both texts, the smaller of the two counts"),
        ("sets", "each different n-gram counts once; count how often it comes"),
        ("matched_sets", "the matches are counted in sets, each different n-gram once; it counts as often as it stands in both, the smaller of its two counts"),
        ("recall_words", "the recall is divided by the number of the reference's tokens; divide by the number of its n-grams, N - n + 1"),
        ("same_total", "both shares are of the hypothesis's n-grams; the recall is the share of the reference's"),
        ("words", "the matches are divided by the numbers of tokens; divide by the numbers of n-grams, N - n + 1"),
        ("orders", "all orders from 1 to n are added up; only n-grams of n tokens count"),
        ("apart", "the n-grams do not overlap; one begins at every token"),
        ("glued", "n-grams are joined to strings, so that \"no where\" and \"now here\" are one; keep tuples"),
        *N_GRAMS,
    ),
    cases=pairs_of,
    read=ROUGE,
    call=overlapped("Exercise 6"),
    returns=("the precision", "the recall", "the F1"),
    forbids=METRICS,
    lends={"clipped": lambda hypothesis, references, n: partners(hypothesis, references, n)},
)


def longest(a, b, on=frozenset()):
    """The length of the longest common subsequence of two lists."""
    if on & {"bag", "sets"}:
        return len({*a} & {*b}) if "sets" in on else (Counter(a) & Counter(b)).total()
    if "greedy" in on:
        place = 0
        for token in a:
            place += place < len(b) and token in b[place:] and b[place:].index(token) + 1
        return sum(1 for _ in walked(a, b))
    if "blocks" in on:
        return sum(block.size for block in difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks())
    a, b = (a[:-1], b[:-1]) if "end_lost" in on else (a[1:], b[1:]) if "start_lost" in on else (a, b)
    row = [0] * (len(b) + 1)
    table = [row] * (len(a) + 1) if "aliased" in on else [[*row] for _ in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            other = table[i - 1][j] if "one_way" in on else 0 if on & {"substring", "suffix"} else max(table[i - 1][j], table[i][j - 1])
            corner = max(table[i - 1][j], table[i][j - 1]) if "counted_twice" in on else table[i - 1][j - ("above" not in on)]
            table[i][j] = corner + 1 if x == y else other
    return max(map(max, table)) if "substring" in on else table[-1][-1]


def walked(a, b):
    """What is found of a when b is read once, each token at its first place after the last."""
    place = 0
    for token in a:
        if token in b[place:]:
            place += b[place:].index(token) + 1
            yield token


def right_rouge_l(hypothesis, reference, *, substring=False, greedy=False, bag=False, sets=False, blocks=False, aliased=False, one_way=False, suffix=False,
                  counted_twice=False, above=False, end_lost=False, start_lost=False, swapped=False, mean_f1=False, geometric=False, half=False, jaccard=False,
                  zero_fails=False, nan=False, percent=False, characters=False, lower=False, same_total=False):  # fmt: skip
    """ROUGE-L of a hypothesis: precision, recall and F1; with a switch on, a known mistake."""
    on = frozenset(name for name, value in locals().items() if value is True)
    hypothesis, reference = ([*" ".join(text)] if characters else [token.lower() for token in text] if lower else [*text] for text in (hypothesis, reference))
    return overlap(longest(hypothesis, reference, on), len(hypothesis), len(hypothesis if same_total else reference), on)


def crossed(g, sizes=(9, 8, 11, 7)):
    """A hypothesis and a reference whose parts come in another order; in the end one pair with nothing in common but letters, and one without a hypothesis."""
    return telling(right_rouge_l, lambda: crossed_once(g, sizes))


def crossed_once(g, sizes):
    cases = []
    for i, length in enumerate(sizes):
        base = sentence(g, length)
        reference = edited(g, base, 3, length + 2)
        cut = length // 2
        hypothesis = [*base[cut:], *edited(g, base[:cut], 1), *base[cut : cut + 2], "the", "cat"]
        first = ["so"] if i % 2 else []  # the same in both
        cases.append(([*(first or ["The"]), "on", *hypothesis[: length + 4 - i], "by"], [*first, "on", *reference[:cut], "a", *reference[cut:], "the", "by"]))
    base = sentence(g, 6)
    return [*cases, ([word.upper() for word in base[1:5]], base), ([], sentence(g, 3))]


rouge_l = Exercise(
    title="Exercise 7",
    points=4,
    truth=right_rouge_l,
    slips=slips(
        ROUGE,
        *THREE,
        ("substring", "this is the longest row of tokens that stand side by side in both; in a subsequence others may stand between"),
        ("greedy", "each token takes the first place where it is found, which may be too far on for those that follow; the longest is wanted, "
         "so try both: with this token and without it"),
        ("bag", "the order of the tokens plays no part; in a subsequence they come in the same order in both"),
        ("sets", "the common tokens are counted, each once and in any order; in a subsequence they come in the same order in both, as often as they come"),
        ("blocks", "difflib takes the longest block first, and then what fits on both sides; that is not always the longest common subsequence"),
        ("aliased", "all rows of the table are one list under many names ([[0] * m] * n does that), or 1 is added to the cell on the left where two tokens agree, "
         "which comes to the same; make a list for each row, and add to the diagonal cell"),
        ("one_way", "where two tokens differ, only one neighbour is taken; it is the larger of both, the one above and the one on the left"),
        ("suffix", "where two tokens differ, the count begins again from 0; it is the larger of the neighbours, the one above and the one on the left"),
        ("counted_twice", "where two tokens agree, 1 is added to a neighbour, so that a token finds two partners; it is added to the diagonal one, of both without them"),
        ("above", "where two tokens agree, 1 is added to the cell above, so that one token of the reference finds several partners; it is added to the diagonal one"),
        ("end_lost", "the last tokens are not read; the table has a row and a column more than there are tokens, or its last cell is missed"),
        ("start_lost", "the first tokens are not read; the table has a row and a column more than there are tokens, and row i stands for token i - 1"),
        ("same_total", "both shares are of the hypothesis; the recall is the share of the reference"),
        *N_GRAMS[:2],
    ),
    cases=crossed,
    read=ROUGE,
    call=overlapped("Exercise 7"),
    returns=("the precision", "the recall", "the F1"),
    forbids=METRICS,
)

# ---- Exercise 8


def right_beam_step(log_probs, sums, ended, eos, *, flat_parents=False, exchanged=False, global_parents=False, goes_on=False, ended_lost=False, copies=False,
                    pays=False, free_eos=False, over_batch=False, apart=False, last_only=False, one_ended=False, smallest=False, width_fixed=False, eos_lost=False,
                    eos_fixed=False, flat_tokens=False, summed=False, width_k=False, over_batch_counted=False, one_for_all=False):  # fmt: skip
    """One step of a beam search over a batch: new sums, parents and tokens, (B, k) each, the best first; with a switch on, a known mistake."""
    B, k, V = log_probs.shape
    eos = 1 if eos_fixed else eos
    fixed = torch.full((V,), -math.inf)
    fixed[eos] = 0.0
    fixed = torch.full((V,), -math.inf) if ended_lost else torch.zeros(V) if copies else fixed
    gains = log_probs.exp() if summed else log_probs
    if one_ended:
        ended = ended.any(1, keepdim=True).expand_as(ended)
    if pays:
        gains = torch.where(ended[..., None] & (torch.arange(V) != eos), -math.inf, gains)
    elif not goes_on:
        gains = torch.where(ended[..., None], fixed, gains)  # (B, k, V)
        gains = torch.where(ended[..., None] & (torch.arange(V) != eos), log_probs, gains) if free_eos else gains
    total = gains if last_only else gains + sums[..., None]
    if apart:  # each sequence goes on with its own best token
        score, place = total.max(-1)
        score, order = score.sort(1, descending=True)
        return score, order, place.gather(1, order)
    flat = total.flatten(1)  # (B, k * V)
    score, place = flat.flatten().topk(B * k) if over_batch or over_batch_counted else flat.topk(k, largest=not smallest)
    score, place = score.view(B, k), place.view(B, k)
    if one_for_all:
        score, place = (a.expand(B, k) for a in flat.flatten().topk(k))
    width = 7 if width_fixed else k if width_k else V
    parents, tokens = place // width, place % width
    if over_batch:
        parents = place // V % k
    if eos_lost:
        tokens = torch.where(ended.gather(1, parents.clamp(max=k - 1)), 0, tokens)
    parents = place if flat_parents else parents + k * torch.arange(B)[:, None] if global_parents else parents
    tokens = place if flat_tokens else tokens
    return (score, tokens, parents) if exchanged else (score, parents, tokens)


def stepped(answer, log_probs, sums, ended, eos):
    """Sums, parents and tokens, in the order of the sums."""
    given = [a.detach().clone() for a in (log_probs, sums, ended)]
    result = answer(*given, eos)
    for name, a, before in zip(("log_probs", "sums", "ended"), given, (log_probs, sums, ended)):
        if not torch.equal(a, before):
            raise Unfit(f"{name} has been changed; what you are given stays as it is")
    B, k, V = log_probs.shape
    if result is None:
        raise Unfit("it returned nothing: is a return missing?")
    if isinstance(result, dict):
        result = [*result.values()]
    if not isinstance(result, list | tuple) or len(result) != 3:
        raise Unfit(f"it returned {kind(result)}, expected three tensors, sums, parents and tokens")
    found = []
    for name, a in zip(("the sums", "the parents", "the tokens"), result):
        try:
            a = torch.as_tensor(np.array(a) if isinstance(a, list) else a.copy() if isinstance(a, np.ndarray) else a).detach().double()
        except (TypeError, ValueError, RuntimeError):
            raise Unfit(f"{name} are {kind(a)}, expected a tensor (B, k)") from None
        if a.shape != (B, k):
            raise Unfit(f"with B = {B} and k = {k}, {name} have shape {tuple(a.shape)}, expected (B, k) = ({B}, {k})")
        found.append(a)
    order = found[0].argsort(dim=1, descending=True, stable=True)
    return [a.gather(1, order) for a in found]


def fronts(g, sizes=((2, 3, 7, 4), (3, 4, 5, 2), (4, 2, 9, 0), (2, 3, 6, 5), (3, 5, 4, 3))):
    """Log-probabilities (B, k, V), sums and what has ended: in the first case nothing, in the fourth nothing but one beginning, in the others some."""
    cases = []
    for i, (B, k, V, eos) in enumerate(sizes):
        log_probs = (1.2 * torch.randn(B, k, V, generator=g)).log_softmax(-1)
        sums = -4 - 1.5 * torch.rand(B, k, generator=g)
        ended = torch.zeros(B, k, dtype=torch.bool)
        if i % 5 == 3:
            sums[:, 0], sums[:, 1:] = 0.0, -math.inf
        elif i:
            for b in range(B):
                ended[b, torch.randperm(k, generator=g)[: 1 + (b + i) % max(k - 1, 1)]] = True
            sums = torch.where(ended, sums - 0.6, sums)  # some stay, some are overtaken
            sums[0][ended[0]] += 0.9
            if B > 2:
                ended[-1], sums[-1] = True, sums[-1] - 0.3
        cases.append((log_probs, sums, ended, eos))
    return cases


def step_words(name, at, wanted, got):
    if name == "the parents":
        return f"sequence {at[1]} of item {at[0]} continues the one at place {wanted:g}, and not at {got:g}"
    if name == "the tokens":
        return f"sequence {at[1]} of item {at[0]} is continued with token {wanted:g}, and not with {got:g}"
    return ""


beam_step = Exercise(
    title="Exercise 8",
    points=5,
    truth=right_beam_step,
    slips=slips(
        BEAM,
        ("flat_parents", "the parents are places in all k * V continuations; divide by V, without remainder, to get the sequence's place"),
        ("flat_tokens", "the tokens are places in all k * V continuations; the remainder of the division by V is the token"),
        ("exchanged", "parents and tokens are exchanged: place // V is the parent, place % V the token"),
        ("global_parents", "the parents are counted through the whole batch; each item's are from 0 to k - 1"),
        ("goes_on", "what has ended is continued like the others; it has one continuation, itself, for nothing"),
        ("ended_lost", "what has ended is lost; it has one continuation, itself, with its sum as it is"),
        ("copies", "what has ended comes back several times, once for each token; it has one continuation"),
        ("pays", "what has ended pays for another EOS; its sum stays as it is"),
        ("free_eos", "what has ended can also be continued with other tokens; it has one continuation, itself"),
        ("one_ended", "where one sequence of an item has ended, all its sequences are taken for ended; each has its own entry in ended"),
        ("over_batch", "the best of the whole batch are taken; each item has k of its own"),
        ("over_batch_counted", "the best of the whole batch are taken, with parents counted through all of it; each item has k of its own, with parents from 0 to k - 1"),
        ("one_for_all", "all items get the same k sequences, the best of the whole batch; each item has k of its own: flatten the last two axes alone, (B, k * V)"),
        ("apart", "each sequence goes on with its own best token; the k best of all k * V continuations of an item are kept, whichever sequence they continue"),
        ("last_only", "the sums so far are forgotten; add them to the log-probabilities"),
        ("summed", "probabilities are added to the sums; add their logarithms, as they are given"),
        ("smallest", "the worst are kept; keep those with the largest sums"),
        ("width_fixed", "the size of the vocabulary is written in, as 7; it is log_probs.shape[-1]"),
        ("width_k", "the places are divided by k; of all k * V continuations a sequence has V, so it is place // V and place % V"),
        ("eos_lost", "the token of what has ended is 0; it is eos"),
        ("eos_fixed", "the end of a sequence is a number that is written in, 1; it is the argument eos"),
    ),
    cases=fronts,
    read=BEAM,
    call=stepped,
    returns=("the sums", "the parents", "the tokens"),
    words=step_words,
    axes="b k, b k, b k",
    forbids=DECODING,
)
