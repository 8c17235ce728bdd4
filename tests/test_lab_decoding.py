"""Lab 5: wrong answers as students write them, each named or refused; and what the lab promises."""

import math
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from banks import modules, noting, refused

from rnncourse.checks import CheckFailed

LAB = modules("decoding")
check, right, EXERCISES = LAB.check, LAB.right, LAB.exercises
FOLDER = Path(check.__file__).parent
WRONG = []
wrong = noting(WRONG)
string2code = code2string = clipped = None  # a check lends them


# Exercise 1; Lab 4's tests have the same mistakes in other words


def searching(ends=True, score=lambda total, gain: total + gain, state=lambda beam, j, parent: parent, width=lambda k, V: min(k, V), first_stop=False, order=False):
    """A beam with dictionaries, and one thing wrong."""

    def answer(rnn, emb, decoder, eos, k, start, maxlen):
        out, h = rnn(emb(string2code(start).unsqueeze(1)))
        beam = [dict(p=0.0, ids=[], logp=decoder(out[-1, 0]).log_softmax(-1), h=h)]
        for _ in range(maxlen):
            pool = []
            for j, b in enumerate(beam):
                if ends and b["ids"][-1:] == [eos]:
                    pool.append((b["p"], j, None))
                    continue
                gain, token = b["logp"].topk(width(k, len(b["logp"])))
                pool += [(score(b["p"], g), j, t) for g, t in zip(gain.tolist(), token.tolist())]
            pool = sorted(pool, key=lambda a: a[0], reverse=True)[:k]
            old, beam = beam, []
            for n, (p, j, t) in enumerate(pool):
                if t is None:
                    beam.append(old[j])
                    continue
                h = state([b["h"] for b in old], n, old[j]["h"])
                out, h = rnn(emb(torch.tensor([[t]])), h)
                ids = old[min(n, len(old) - 1)]["ids"] if order else old[j]["ids"]
                beam.append(dict(p=p, ids=ids + [t], logp=decoder(out[-1, 0]).log_softmax(-1), h=h))
            if first_stop and any(b["ids"][-1] == eos for b in beam):
                return next(b["ids"] for b in beam if b["ids"][-1] == eos)
            if ends and all(b["ids"][-1] == eos for b in beam):
                break
        return beam[0]["ids"]

    return answer


wrong("generate_beam", "goes_on")(searching(ends=False))
wrong("generate_beam", "state_lost")(searching(state=lambda states, j, parent: None))
wrong("generate_beam", "shared")(searching(state=lambda states, j, parent: states[0]))
wrong("generate_beam", "last_only")(searching(score=lambda total, gain: gain))
wrong("generate_beam", "first_eos")(searching(first_stop=True))
wrong("generate_beam", "k_fails")(searching(width=lambda k, V: k))


# Exercise 2


def ranking(score, best=max):
    def answer(hypotheses, alpha):
        scores = [score(log_prob, len(ids), alpha) for ids, log_prob in hypotheses]
        return scores.index(best(scores)), best(scores)

    return answer


wrong("best_hypothesis", "times")(ranking(lambda p, n, a: p * n**a))
wrong("best_hypothesis", "linear")(ranking(lambda p, n, a: p / (a * n)))
wrong("best_hypothesis", "no_eos")(ranking(lambda p, n, a: p / (n - 1) ** a))
wrong("best_hypothesis", "worst")(ranking(lambda p, n, a: p / n**a, min))
wrong("best_hypothesis", "ignored")(ranking(lambda p, n, a: p))
wrong("best_hypothesis", "per_token")(ranking(lambda p, n, a: p / n))
wrong("best_hypothesis", "wu")(ranking(lambda p, n, a: p / ((5 + n) / (5 + 1)) ** a))
wrong("best_hypothesis", "probability")(ranking(lambda p, n, a: math.exp(p) / n**a))
wrong("best_hypothesis", "power")(ranking(lambda p, n, a: p / a**n))
wrong("best_hypothesis")(ranking(lambda p, n, a: p / (n + 1) ** a))
wrong("best_hypothesis")(lambda hypotheses, alpha: max(log_prob / len(ids) ** alpha for ids, log_prob in hypotheses))
wrong("best_hypothesis", "score_lost")(lambda hypotheses, alpha: max(hypotheses, key=lambda h: h[1] / len(h[0]) ** alpha))
wrong("best_hypothesis")(lambda hypotheses, alpha: hypotheses.sort(key=lambda h: -h[1] / len(h[0]) ** alpha) or (0, hypotheses[0][1] / len(hypotheses[0][0]) ** alpha))
wrong("best_hypothesis", "swapped")(lambda hypotheses, alpha: ranking(lambda p, n, a: p / n**a)(hypotheses, alpha)[::-1])
wrong("best_hypothesis", "swapped")(lambda hypotheses, alpha: max((p / len(ids) ** alpha, i) for i, (ids, p) in enumerate(hypotheses)))


@wrong("best_hypothesis", "eos_apart")
def answer(hypotheses, alpha):
    scores = [p / len([i for i in ids if i != 1]) ** alpha for ids, p in hypotheses]
    return np.argmax(scores), max(scores)


@wrong("best_hypothesis", "distinct")
def answer(hypotheses, alpha):
    scores = torch.tensor([p / len(set(ids)) ** alpha for ids, p in hypotheses])
    return scores.argmax(), scores.max()


# Exercise 3


def nucleus(keep, first=lambda logits: logits.softmax(-1), last=lambda p: p / p.sum(-1, keepdim=True), back=True, descending=True):
    def answer(decoder, alpha):
        def f(h):
            p, places = first(decoder(h)).sort(-1, descending=descending)
            p = p.masked_fill(~keep(p, p.cumsum(-1), alpha), 0)
            p = torch.zeros_like(p).scatter(-1, places, p) if back else p
            return last(p)

        return f

    return answer


def before(p, total, alpha):
    return total - p < alpha


def counted(number):
    return lambda p, total, alpha: torch.arange(p.shape[-1]).expand_as(p) < number(p.shape[-1], alpha)


wrong("p_nucleus", "top_share")(nucleus(counted(lambda V, alpha: max(1, int(alpha * V)))))
wrong("p_nucleus", "top_only")(nucleus(counted(lambda V, alpha: 1)))
wrong("p_nucleus")(nucleus(counted(lambda V, alpha: 3)))
wrong("p_nucleus", "empty")(nucleus(lambda p, total, alpha: total <= alpha))
wrong("p_nucleus", "crossing_lost")(nucleus(lambda p, total, alpha: (total <= alpha) | counted(lambda V, alpha: 1)(p, total, alpha)))
wrong("p_nucleus", "threshold")(nucleus(lambda p, total, alpha: p >= alpha))
wrong("p_nucleus", "last_lost", "empty")(nucleus(lambda p, total, alpha: total < alpha))
wrong("p_nucleus", "last_lost", "crossing_lost")(nucleus(lambda p, total, alpha: (total < alpha) | counted(lambda V, alpha: 1)(p, total, alpha)))
wrong("p_nucleus", "threshold_rest")(nucleus(lambda p, total, alpha: p > 1 - alpha))
wrong("p_nucleus", "min_p")(nucleus(lambda p, total, alpha: p >= alpha * p.max(-1, keepdim=True).values))
wrong("p_nucleus", "inverted")(nucleus(lambda p, total, alpha: total - p >= alpha))
wrong("p_nucleus", "not_normalised")(nucleus(before, last=lambda p: p))
wrong("p_nucleus", "softmax_zeros")(nucleus(before, last=lambda p: p.softmax(-1)))
wrong("p_nucleus", "softmax_end")(nucleus(before, last=lambda p: p.masked_fill(p == 0, -math.inf).softmax(-1)))
wrong("p_nucleus", "twice")(nucleus(before, first=lambda logits: logits.softmax(-1).softmax(-1)))
wrong("p_nucleus", "over_batch")(nucleus(before, first=lambda logits: logits.softmax(0)))
wrong("p_nucleus", "no_softmax")(nucleus(before, first=lambda logits: logits))
wrong("p_nucleus", "sorted_order")(nucleus(before, back=False))
wrong("p_nucleus", "ascending")(nucleus(before, descending=False))
wrong("p_nucleus", "one_sum")(nucleus(before, last=lambda p: p / p.sum()))
wrong("p_nucleus", "over_rows")(nucleus(lambda p, total, alpha: p.cumsum(0) - p < alpha))
wrong("p_nucleus", "one_more")(nucleus(lambda p, total, alpha: torch.arange(p.shape[-1]) <= before(p, total, alpha).sum(-1, keepdim=True)))
wrong("p_nucleus")(lambda decoder, alpha: None)
wrong("p_nucleus")(lambda decoder, alpha: lambda h: None)
wrong("p_nucleus", "ignored")(lambda decoder, alpha: lambda h: decoder(h).softmax(-1))
wrong("p_nucleus", "ignored")(lambda decoder, alpha: lambda h: torch.multinomial(decoder(h).softmax(-1), 1))
wrong("p_nucleus", "top_only")(lambda decoder, alpha: lambda h: decoder(h).argmax(-1))


@wrong("p_nucleus", "unsorted")
def answer(decoder, alpha):
    def f(h):
        p = decoder(h).softmax(-1)
        p = p * (p.cumsum(-1) - p < alpha)
        return p / p.sum(-1, keepdim=True)

    return f


@wrong("p_nucleus", "over_batch_whole")
def answer(decoder, alpha):
    def f(h):
        p, places = torch.softmax(decoder(h), dim=0).sort(-1, descending=True)
        if alpha < 1:
            p = torch.where(p.cumsum(-1) - p < alpha, p, torch.zeros_like(p))
        return torch.zeros_like(p).scatter(-1, places, p / p.sum(-1, keepdim=True))

    return f


@wrong("p_nucleus", "gathered")
def answer(decoder, alpha):
    def f(h):
        p, places = decoder(h).softmax(-1).sort(-1, descending=True)
        p[p.cumsum(-1) - p >= alpha] = 0
        return (p / p.sum(-1, keepdim=True)).gather(-1, places)

    return f


@wrong("p_nucleus", "mask_gathered")
def answer(decoder, alpha):
    def f(h):
        p = decoder(h).softmax(-1)
        ordered, places = p.sort(-1, descending=True)
        keep = ordered.cumsum(-1) - ordered < alpha
        p = p * keep.gather(-1, places)
        return p / p.sum(-1, keepdim=True)

    return f


@wrong("p_nucleus", "mask_sorted")
def answer(decoder, alpha):
    def f(h):
        p = decoder(h).softmax(-1)
        ordered, _ = p.sort(-1, descending=True)
        p[ordered.cumsum(-1) - ordered >= alpha] = 0
        return p / p.sum(-1, keepdim=True)

    return f


@wrong("p_nucleus", "crossing_lost")
def answer(decoder, alpha):
    """Draws."""

    def f(h):
        p, places = decoder(h).softmax(-1).sort(-1, descending=True)
        keep = p.cumsum(-1) <= alpha
        keep[..., 0] = True
        drawn = torch.multinomial(p * keep, 1)
        return places.gather(-1, drawn).squeeze(-1)

    return f


@wrong("p_nucleus", "logits")
def answer(decoder, alpha):
    def f(h):
        logits, places = decoder(h).sort(-1, descending=True)
        p = logits.softmax(-1)
        logits = logits.masked_fill(p.cumsum(-1) - p >= alpha, -math.inf)
        return torch.empty_like(logits).scatter(-1, places, logits)

    return f


# Exercise 4


def counting(grams=lambda words, n: [tuple(words[i : i + n]) for i in range(len(words) - n + 1)], most=lambda counts, gram: max(c[gram] for c in counts),
             times=min, total=lambda found: sum(found.values())):  # fmt: skip
    def answer(hypothesis, references, n):
        found, known = Counter(grams(hypothesis, n)), [Counter(grams(r, n)) for r in references]
        return sum(times(count, most(known, gram)) for gram, count in found.items()), total(found)

    return answer


wrong("clipped", "unclipped")(counting(times=lambda count, most: count if most else 0))
wrong("clipped", "summed")(counting(most=lambda counts, gram: sum(c[gram] for c in counts)))
wrong("clipped", "least")(counting(most=lambda counts, gram: min(c[gram] for c in counts)))
wrong("clipped", "first_reference")(counting(most=lambda counts, gram: counts[0][gram]))
wrong("clipped", "last_reference")(counting(most=lambda counts, gram: counts[-1][gram]))
wrong("clipped", "distinct")(counting(total=len))
wrong("clipped", "sets")(counting(grams=lambda words, n: {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}))
wrong("clipped", "last_lost")(counting(grams=lambda words, n: [tuple(words[i : i + n]) for i in range(len(words) - n)]))
wrong("clipped", "partial")(counting(grams=lambda words, n: [tuple(words[i : i + n]) for i in range(len(words))]))
wrong("clipped", "characters")(counting(grams=lambda words, n: [" ".join(words)[i : i + n] for i in range(len(" ".join(words)) - n + 1)]))
wrong("clipped", "glued")(counting(grams=lambda words, n: ["".join(words[i : i + n]) for i in range(len(words) - n + 1)]))
wrong("clipped", "bag")(counting(grams=lambda words, n: [frozenset(Counter(words[i : i + n]).items()) for i in range(len(words) - n + 1)]))
wrong("clipped", "apart")(counting(grams=lambda words, n: [tuple(words[i : i + n]) for i in range(0, len(words) - n + 1, n)]))
wrong("clipped", "lower")(counting(grams=lambda words, n: [tuple(w.lower() for w in words[i : i + n]) for i in range(len(words) - n + 1)]))
wrong("clipped", "swapped")(lambda h, r, n: counting()(h, r, n)[::-1])
wrong("clipped", "negative")(lambda h, r, n: (counting()(h, r, n)[0], len(h) - n + 1))
wrong("clipped")(lambda h, r, n: counting()(h, r, n)[0] / max(1, counting()(h, r, n)[1]))
wrong("clipped", "best_reference")(lambda h, r, n: max(counting()(h, [known], n) for known in r))
wrong("clipped", "joined")(lambda h, r, n: counting()(h, [sum(r, [])], n))
wrong("clipped", "closest_reference")(lambda h, r, n: counting()(h, [min(r, key=lambda known: abs(len(known) - len(h)))], n))
wrong("clipped")(lambda h, r, n: (r.sort(key=len), counting()(h, r, n))[1])


@wrong("clipped", "pieces")
def answer(hypothesis, references, n):
    texts, found = [" ".join(r) for r in references], Counter(" ".join(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1))
    return sum(min(times, max(text.count(gram) for text in texts)) for gram, times in found.items()), sum(found.values())


@wrong("clipped", "each")
def answer(hypothesis, references, n):
    pairs = [counting()(hypothesis, [r], n) for r in references]
    return sum(m for m, _ in pairs), pairs[0][1]


# Exercise 5


def scoring(length=lambda h, known: min((abs(len(k) - len(h)), len(k)) for k in known)[1], brief=lambda c, r: min(1, math.exp(1 - r / c)), orders=(1, 2, 3, 4),
            mean=lambda p: math.exp(sum(map(math.log, p)) / len(p)) if min(p) > 0 else 0, count=lambda h, known, n: clipped(h, known, n), add=0):  # fmt: skip
    def answer(hypotheses, references):
        p = []
        for n in orders:
            pairs = [count(h, known, n) for h, known in zip(hypotheses, references)]
            p.append((sum(m for m, _ in pairs) + add) / max(1, sum(t for _, t in pairs) + add))
        c, r = sum(map(len, hypotheses)), sum(length(h, known) for h, known in zip(hypotheses, references))
        return brief(c, r) * mean(p)

    return answer


def geometric(p):
    return math.exp(sum(map(math.log, p)) / len(p)) if p else 0


wrong("bleu", "mean")(lambda hs, rs: sum(scoring(brief=lambda c, r: min(1, math.exp(1 - r / max(c, 1))))([h], [r]) for h, r in zip(hs, rs)) / len(hs))
wrong("bleu", "arithmetic")(scoring(mean=lambda p: sum(p) / len(p)))
wrong("bleu", "product")(scoring(mean=math.prod))
wrong("bleu", "three")(scoring(orders=range(1, 4)))
wrong("bleu", "no_penalty")(scoring(brief=lambda c, r: 1))
wrong("bleu", "inverted")(scoring(brief=lambda c, r: 1 if c > r else math.exp(1 - c / r)))
wrong("bleu", "always")(scoring(brief=lambda c, r: math.exp(1 - r / c)))
wrong("bleu", "ratio")(scoring(brief=lambda c, r: min(1, c / r)))
wrong("bleu", "shortest")(scoring(length=lambda h, known: min(map(len, known))))
wrong("bleu", "longest")(scoring(length=lambda h, known: max(map(len, known))))
wrong("bleu", "first_length")(scoring(length=lambda h, known: len(known[0])))
wrong("bleu", "tie_longer")(scoring(length=lambda h, known: min((abs(len(k) - len(h)), -len(k), len(k)) for k in known)[2]))
wrong("bleu", "all_lengths")(scoring(length=lambda h, known: sum(map(len, known))))
wrong("bleu", "zero_skipped")(scoring(mean=lambda p: geometric([a for a in p if a > 0])))
wrong("bleu", "tiny")(scoring(mean=lambda p: geometric([max(a, 1e-9) for a in p])))
wrong("bleu", "log_zero")(scoring(mean=geometric))
wrong("bleu", "base")(scoring(mean=lambda p: math.exp(sum(map(math.log2, p)) / 4) if min(p) > 0 else 0))
wrong("bleu", "percent")(lambda hs, rs: 100 * scoring()(hs, rs))
wrong("bleu", "first_reference")(scoring(count=lambda h, known, n: clipped(h, known[:1], n)))
wrong("bleu", "one_added")(scoring(add=1))
wrong("bleu", "arithmetic_guarded")(scoring(mean=lambda p: sum(p) / 4 if all(p) else 0.0))
wrong("bleu", "no_log")(scoring(mean=lambda p: math.exp(sum(p) / 4)))
wrong("bleu", "no_log_guarded")(scoring(mean=lambda p: 0.0 if 0 in p else math.exp(sum(a / 4 for a in p))))
wrong("bleu", "tie_first")(scoring(length=lambda h, known: len(min(known, key=lambda k: abs(len(k) - len(h))))))
wrong("bleu")(lambda hs, rs: scoring()([h for h in hs if h], [r for h, r in zip(hs, rs) if h]))
wrong("bleu")(scoring(count=lambda h, known, n: (clipped(h, known, n)[0], len(h) - n + 1)))
wrong("bleu")(lambda hs, rs: ([known.sort(key=len) for known in rs], scoring()(hs, rs))[1])


def looping(orders=range(1, 5), log=lambda matches, total: math.log(matches / total)):
    """A loop that gives up at an order without a match."""

    def answer(hypotheses, references):
        logs = 0.0
        for n in orders:
            matches = total = 0
            for h, known in zip(hypotheses, references):
                m, t = clipped(h, known, n)
                matches, total = matches + m, total + t
            if matches == 0:
                return 0.0
            logs += log(matches, total) / 4
        c = sum(map(len, hypotheses))
        r = sum(min((abs(len(k) - len(h)), len(k)) for k in known)[1] for h, known in zip(hypotheses, references))
        return min(1, math.exp(1 - r / c)) * math.exp(logs)

    return answer


wrong("bleu", "three_quarters")(looping(range(1, 4)))
wrong("bleu", "one_added_guarded")(looping(log=lambda matches, total: math.log((matches + 1) / (total + 1))))
wrong("bleu", "no_log_guarded")(looping(log=lambda matches, total: matches / total))


@wrong("bleu")
def answer(hypotheses, references):
    """An order of which there are no n-grams at all is left out."""
    logs = []
    for n in range(1, 5):
        matches, total = map(sum, zip(*(clipped(h, known, n) for h, known in zip(hypotheses, references))))
        if total and not matches:
            return 0.0
        logs += [math.log(matches / total)] if total else []
    c = sum(map(len, hypotheses))
    r = sum(min((abs(len(k) - len(h)), len(k)) for k in known)[1] for h, known in zip(hypotheses, references))
    return min(1, math.exp(1 - r / c)) * math.exp(sum(logs) / len(logs))


wrong("bleu")(lambda hs, rs: [0.0])
wrong("bleu")(lambda hs, rs: None)


# Exercises 6 and 7


def three(common, a, b, f1=lambda p, r: 2 * p * r / (p + r) if p + r else 0):
    p, r = common / a if a else 0, common / b if b else 0
    return p, r, f1(p, r)


def rouge(f1=lambda p, r: 2 * p * r / (p + r) if p + r else 0, swap=False, kind=Counter):
    def answer(hypothesis, reference, n):
        a, b = (Counter(kind(tuple(words[i : i + n]) for i in range(len(words) - n + 1))) for words in (hypothesis, reference))
        p, r, f = three((a & b).total(), a.total(), b.total(), f1)
        return (r, p, f) if swap else (p, r, f)

    return answer


wrong("rouge_n", "swapped")(rouge(swap=True))
wrong("rouge_n", "mean_f1")(rouge(lambda p, r: (p + r) / 2))
wrong("rouge_n", "half")(rouge(lambda p, r: p * r / (p + r) if p + r else 0))
wrong("rouge_n", "zero_fails")(rouge(lambda p, r: 2 * p * r / (p + r)))
wrong("rouge_n", "sets")(rouge(kind=set))
wrong("rouge_n")(lambda h, r, n: rouge()(h, r, n)[2])
wrong("rouge_n")(lambda h, r, n: rouge()(h, r, 1))
wrong("rouge_n")(lambda h, r, n: (1.0, 1.0, 1.0) if len(h) < n and len(r) < n else rouge()(h, r, n))
wrong("rouge_n")(lambda h, r, n: (rouge()(h, r, n)[0], clipped(h, [r], n)[0] / (len(r) - n + 1) if len(h) >= n else 0.0, rouge()(h, r, n)[2]))


@wrong("rouge_n", "recall_words")
def answer(hypothesis, reference, n):
    matches, total = clipped(hypothesis, [reference], n)
    return three(matches, total, len(reference))


@wrong("rouge_n", "matched_sets")
def answer(hypothesis, reference, n):
    a, b = ([tuple(words[i : i + n]) for i in range(len(words) - n + 1)] for words in (hypothesis, reference))
    return three(len(set(a) & set(b)), len(a), len(b))


@wrong("rouge_n", "unclipped")
def answer(hypothesis, reference, n):
    a, b = ([tuple(words[i : i + n]) for i in range(len(words) - n + 1)] for words in (hypothesis, reference))
    return three(sum(gram in b for gram in a), len(a), len(b))


def table(match=lambda t, i, j: t[i - 1][j - 1] + 1, other=lambda t, i, j: max(t[i - 1][j], t[i][j - 1]), last=lambda t: t[-1][-1], make=None, end=0, **how):
    def answer(hypothesis, reference):
        t = make(len(hypothesis) + 1, len(reference) + 1) if make else [[0] * (len(reference) + 1) for _ in range(len(hypothesis) + 1)]
        for i in range(1, len(hypothesis) + 1 - end):
            for j in range(1, len(reference) + 1 - end):
                t[i][j] = match(t, i, j) if hypothesis[i - 1] == reference[j - 1] else other(t, i, j)
        return three(last(t), len(hypothesis), len(reference), **how)

    return answer


wrong("rouge_l", "substring")(table(other=lambda t, i, j: 0, last=lambda t: max(map(max, t))))
wrong("rouge_l", "suffix")(table(other=lambda t, i, j: 0))
wrong("rouge_l", "aliased")(table(make=lambda n, m: [[0] * m] * n))
wrong("rouge_l", "one_way")(table(other=lambda t, i, j: t[i - 1][j]))
wrong("rouge_l", "counted_twice")(table(match=lambda t, i, j: max(t[i - 1][j], t[i][j - 1]) + 1))
wrong("rouge_l", "above")(table(match=lambda t, i, j: t[i - 1][j] + 1))
wrong("rouge_l", "aliased")(table(match=lambda t, i, j: t[i][j - 1] + 1))
wrong("rouge_l", "end_lost")(table(end=1, last=lambda t: t[-2][-2] if len(t) > 1 else 0))
wrong("rouge_l", "mean_f1")(table(f1=lambda p, r: (p + r) / 2))
wrong("rouge_l", "swapped")(lambda h, r: table()(r, h))


@cache
def common(h, r):
    if not (h and r):
        return 0
    return common(h[:-1], r[:-1]) + 1 if h[-1] == r[-1] else max(common(h[:-1], r), common(h, r[:-1]))


wrong("rouge_l", "start_lost")(lambda h, r: three(common(tuple(h[1:]), tuple(r[1:])), len(h), len(r)))
wrong("rouge_l")(lambda h, r: three(common(tuple(h[1:]), tuple(r)), len(h), len(r)))
wrong("rouge_l")(lambda h, r: three(common(tuple(h), tuple(r[1:])), len(h), len(r)))
wrong("rouge_l", "zero_fails")(lambda h, r: (table()(h, r)[0], table()(h, r)[1], 2 * table()(h, r)[0] * table()(h, r)[1] / (table()(h, r)[0] + table()(h, r)[1])))
wrong("rouge_l", "bag")(lambda h, r: three((Counter(h) & Counter(r)).total(), len(h), len(r)))
wrong("rouge_l", "sets")(lambda h, r: three(len(set(h) & set(r)), len(h), len(r)))


@wrong("rouge_l", "greedy")
def answer(hypothesis, reference):
    n, place = 0, 0
    for word in hypothesis:
        for j in range(place, len(reference)):
            if reference[j] == word:
                n, place = n + 1, j + 1
                break
    return three(n, len(hypothesis), len(reference))


@wrong("rouge_l", "blocks")
def answer(hypothesis, reference):
    from difflib import SequenceMatcher

    return three(sum(m.size for m in SequenceMatcher(a=hypothesis, b=reference).get_matching_blocks()), len(hypothesis), len(reference))


# Exercise 8


def step(parents=lambda place, V, k: place // V, tokens=lambda place, V, k: place % V, fixed=0.0, mask=lambda ended: ended[..., None], add=True, largest=True):
    def answer(log_probs, sums, ended, eos):
        B, k, V = log_probs.shape
        itself = torch.full((V,), -math.inf)
        itself[eos] = fixed
        total = torch.where(mask(ended), itself, log_probs) + (sums[..., None] if add else 0)
        best, place = total.reshape(B, -1).topk(k, largest=largest)
        return best, parents(place, V, k), tokens(place, V, k)

    return answer


wrong("beam_step", "flat_parents")(step(parents=lambda place, V, k: place))
wrong("beam_step", "flat_tokens")(step(tokens=lambda place, V, k: place))
wrong("beam_step", "exchanged")(step(parents=lambda place, V, k: place % V, tokens=lambda place, V, k: place // V))
wrong("beam_step", "global_parents")(step(parents=lambda place, V, k: place // V + k * torch.arange(len(place))[:, None]))
wrong("beam_step", "goes_on")(step(mask=lambda ended: torch.tensor(False)))
wrong("beam_step", "ended_lost")(step(fixed=-math.inf))
wrong("beam_step", "last_only")(step(add=False))
wrong("beam_step", "smallest")(step(largest=False))
wrong("beam_step", "width_fixed")(step(parents=lambda place, V, k: place // 7, tokens=lambda place, V, k: place % 7))
wrong("beam_step", "eos_fixed")(lambda log_probs, sums, ended, eos: step()(log_probs, sums, ended, 1))
wrong("beam_step", "width_k")(step(parents=lambda place, V, k: place // k, tokens=lambda place, V, k: place % k))
wrong("beam_step")(lambda log_probs, sums, ended, eos: step()(log_probs, sums, ended, eos)[1:])



@wrong("beam_step")
def answer(log_probs, sums, ended, eos):
    log_probs[ended] = -math.inf
    log_probs[..., eos][ended] = 0
    return step()(log_probs, sums, ended, eos)


@wrong("beam_step", "copies")
def answer(log_probs, sums, ended, eos):
    total = log_probs.masked_fill(ended[..., None], 0) + sums[..., None]
    best, place = total.flatten(1).topk(sums.shape[1])
    return best, place // log_probs.shape[2], place % log_probs.shape[2]


@wrong("beam_step", "over_batch")
def answer(log_probs, sums, ended, eos):
    B, k, V = log_probs.shape
    itself = torch.full((V,), -math.inf)
    itself[eos] = 0
    best, place = (torch.where(ended[..., None], itself, log_probs) + sums[..., None]).flatten().topk(B * k)
    return best.view(B, k), (place // V % k).view(B, k), (place % V).view(B, k)


@wrong("beam_step", "over_batch_counted")
def answer(log_probs, sums, ended, eos):
    B, k, V = log_probs.shape
    log_probs = log_probs.clone()
    log_probs[ended] = -math.inf
    log_probs[..., eos] = log_probs[..., eos].masked_fill(ended, 0)
    best, place = (log_probs + sums[..., None]).reshape(-1).topk(B * k)
    return best.reshape(B, k), (place // V).reshape(B, k), (place % V).reshape(B, k)


@wrong("beam_step", "one_for_all")
def answer(log_probs, sums, ended, eos):
    B, k, V = log_probs.shape
    itself = torch.full((V,), -math.inf)
    itself[eos] = 0
    best, place = (torch.where(ended[..., None], itself, log_probs) + sums[..., None]).reshape(1, -1).expand(B, -1).topk(k, dim=1)
    return best, place // V, place % V


@wrong("beam_step", "apart")
def answer(log_probs, sums, ended, eos):
    best, token = (log_probs + sums[..., None]).max(-1)
    best, token = torch.where(ended, sums, best), torch.where(ended, eos, token)
    return best, torch.arange(sums.shape[1]).expand_as(sums), token


@pytest.mark.parametrize("name,answer,switches", WRONG)
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_answer_is_refused_and_named_and_fails_the_hidden_tests(name, answer, switches):
    refused(LAB, name, answer, switches)


# What the lab promises


def message(name, answer):
    with pytest.raises(CheckFailed) as failed:
        EXERCISES[name](answer)
    return str(failed.value)


def test_the_points_are_thirty_two_and_the_exercises_are_in_order():
    assert [e.title for e in EXERCISES.values()] == [f"Exercise {n}" for n in range(1, 9)]
    assert sum(e.points for e in EXERCISES.values()) == 32


def test_exercise_1_is_exercise_10_of_lab_4():
    other = modules("language").exercises["generate_beam"]
    assert (other.truth, other.cases, other.call) == (check.right_beam, check.beams, check.written)
    assert [slip.switch for slip in other.slips] == [slip.switch for slip in EXERCISES["generate_beam"].slips]


def test_our_metrics_and_those_of_other_libraries_are_refused_however_they_are_reached():
    from rnncourse import metrics

    assert "metrics.rouge_l is not to be used here" in message("rouge_l", lambda h, r: tuple(metrics.rouge_l(h, r)))
    assert "metrics.bleu is not to be used here" in message("bleu", lambda hs, rs: metrics.bleu(hs, rs))

    def imports(hypotheses, references):
        from nltk.translate.bleu_score import corpus_bleu

        return corpus_bleu(references, hypotheses)

    assert re.search(r"nltk[\w.]* is not to be used here", message("bleu", imports))  # another test may have loaded it
    assert sys.modules.get("nltk", 0) is not None, "the name is free again"


def test_a_library_that_is_loaded_already_is_refused():
    sacrebleu = pytest.importorskip("sacrebleu")
    assert "sacrebleu.corpus_bleu is not to be used here" in message("bleu", lambda hs, rs: sacrebleu.corpus_bleu(
        [" ".join(h) for h in hs], [[" ".join(r[0]) for r in rs]]).score / 100)  # fmt: skip


def test_our_metrics_agree_with_the_right_functions():
    from rnncourse import metrics

    g = torch.Generator().manual_seed(5)
    for hypotheses, references in check.corpora_of(g):
        assert math.isclose(metrics.bleu(hypotheses, references), check.right_bleu(hypotheses, references), abs_tol=1e-12)
    for case in check.candidates(g):
        assert metrics.clipped(*case) == check.right_clipped(*case)
    for case in check.pairs_of(g):
        assert metrics.rouge_n(*case) == pytest.approx(check.right_rouge_n(*case))
    for case in check.crossed(g):
        assert metrics.rouge_l(*case) == pytest.approx(check.right_rouge_l(*case))


def test_the_nucleus_agrees_with_decodings():
    from rnncourse.decoding import truncate

    for W, b, alpha, h in check.states(torch.Generator().manual_seed(5)):
        logits = torch.atleast_2d(h @ W.T + b)
        wanted = truncate(logits.log_softmax(-1), top_p=alpha).softmax(-1)
        assert torch.allclose(torch.atleast_2d(check.nucleus(h @ W.T + b, alpha)), wanted, atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_no_cumulative_sum_is_near_alpha_and_alpha_is_below_the_largest_once(seed):
    cases = check.states(torch.Generator().manual_seed(seed))
    for W, b, alpha, h in cases:
        p = torch.atleast_2d((h @ W.T + b).softmax(-1))
        sums = p.sort(-1, descending=True)[0].cumsum(-1)
        assert alpha == 1 or (sums - alpha).abs().min() > 0.01
        assert not torch.equal(p, p.sort(-1, descending=True)[0])
    assert any(h.dim() == 1 and (h @ W.T + b).softmax(-1).max() > alpha for W, b, alpha, h in cases) and any(alpha == 1 for _, _, alpha, _ in cases)


def test_what_the_notebook_takes_the_check_takes_too():
    """Each form of Exercises 2 and 3 that is accepted goes on in the cells that write."""
    V, decoder, h = 6, torch.nn.Linear(4, 6), torch.randn(4)
    with torch.no_grad():
        decoder.bias[2] += 9
    for answer in right.RIGHT["p_nucleus"]:
        assert check.drawn_token(answer(decoder, 0.5), h, V) == 2, answer
    given = [([2, 1], -2.0), ([2, 3, 3, 1], -2.5)]
    for answer in right.RIGHT["best_hypothesis"]:
        place, score = check.place_and_score(answer(given, 1.0), given)
        assert int(place) == 1 and math.isclose(float(score), -0.625)


def test_the_models_of_the_lab_are_small_and_hold_numbers_alone():
    path = FOLDER / "models.pt"
    assert path.stat().st_size <= 300_000
    stored = torch.load(path, weights_only=True)
    assert {*stored} == {"letters", "RNN", "GRU", "LSTM"} and len(set(stored["letters"])) == len(stored["letters"])
    for cell in ("RNN", "GRU", "LSTM"):
        assert len(stored[cell]["decoder.bias"]) == len(stored["letters"]) + 2
        assert all(w.dtype == torch.float16 and w.isfinite().all() for w in stored[cell].values())


def test_messages_say_what_is_seen_in_the_students_own_terms():
    assert "expected a function of h" in message("p_nucleus", lambda decoder, alpha: torch.ones(5))
    assert "the winner is at place" in message("best_hypothesis", lambda hypotheses, alpha: (len(hypotheses), 0.0))
    assert "0.5 is no place" in message("best_hypothesis", lambda hypotheses, alpha: (0.5, 0.0))
    assert "nan is no place" in message("best_hypothesis", lambda hypotheses, alpha: (np.nan, 0.0))
    assert "it raised ZeroDivisionError: division by zero\n" in message("rouge_l", table(f1=lambda p, r: 2 * p * r / (p + r)))
    assert "expected three: precision, recall and F1" in message("rouge_n", lambda h, r, n: 0.5)
    assert "expected (B, k)" in message("beam_step", lambda log_probs, sums, ended, eos: (log_probs, log_probs, log_probs))
    assert "which makes BLEU 0" in message("bleu", scoring(mean=lambda p: geometric([max(a, 1e-4) for a in p])))
    told = message("p_nucleus", lambda decoder, alpha: lambda h: decoder(h).sort()[1][(decoder(h).softmax(-1).cumsum(-1) >= 2).nonzero()[0]])
    assert "in line" in told
    assert "not a number" in message("rouge_l", lambda h, r: (np.nan, np.nan, np.nan))
