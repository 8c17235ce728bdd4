"""Right answers that look different; the checks have to accept every one."""

import math
from collections import Counter, defaultdict
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

string2code = code2string = clipped = None  # a check lends them


# ---- Exercise 1
def beam_masked(rnn, emb, decoder, eos, k, start, maxlen):
    """All k side by side from the first step on: what has ended stays in the batch, and may only be followed by EOS, for nothing."""
    out, state = rnn(emb(string2code(start)[:, None].expand(-1, k)))  # (T, k, H)
    sums = torch.tensor([0.0] + [-math.inf] * (k - 1))  # (k,)
    texts, ended = torch.zeros(k, 0, dtype=torch.long), torch.zeros(k, dtype=torch.bool)
    for _ in range(maxlen):
        gains = decoder(out[-1]).log_softmax(1)  # (k, V)
        only = torch.full_like(gains, -math.inf).index_fill(1, torch.tensor([eos]), 0.0)
        sums, place = (sums[:, None] + torch.where(ended[:, None], only, gains)).flatten().topk(k)
        parents, tokens = place // gains.shape[1], place % gains.shape[1]
        texts, ended = torch.cat([texts[parents], tokens[:, None]], 1), ended[parents] | (tokens == eos)
        state = tuple(a[:, parents] for a in state) if isinstance(state, tuple) else state[:, parents]
        out, state = rnn(emb(tokens[None]), state)
    return texts[0]


# ---- Exercise 2
def hypothesis_loop(hypotheses, alpha):
    best, where = -math.inf, None
    for i, (ids, log_prob) in enumerate(hypotheses):
        score = log_prob * len(ids) ** -alpha
        if score > best:
            best, where = score, i
    return where, best


def hypothesis_torch(hypotheses, alpha):
    sums = torch.tensor([log_prob for _, log_prob in hypotheses], dtype=torch.float64)
    lengths = torch.tensor([len(ids) for ids, _ in hypotheses])
    score, place = (sums / lengths.double().pow(alpha)).max(0)
    return place, score


def hypothesis_numpy(hypotheses, alpha):
    scores = np.array([lp / np.exp(alpha * np.log(len(ids))) for ids, lp in hypotheses])
    return int(scores.argmax()), scores.max()


def hypothesis_itself(hypotheses, alpha):
    """The pair in place of its place."""
    score = lambda pair: pair[1] / len(pair[0]) ** alpha  # noqa: E731
    best = sorted(hypotheses, key=score)[-1]
    return best, score(best)


# ---- Exercise 3
def nucleus_loop(decoder, alpha):
    def one(p):
        total, kept = 0.0, torch.zeros_like(p)
        for i in torch.argsort(p, descending=True).tolist():
            kept[i] = p[i]
            total += p[i].item()
            if total >= alpha:
                break
        return kept / kept.sum()

    def f(h):
        p = torch.softmax(decoder(h), -1)
        return one(p) if p.dim() == 1 else torch.stack([one(row) for row in p])

    return f


def nucleus_shifted(decoder, alpha):
    """The mask of Hugging Face: shifted by one, so that the crossing token stays; -inf in place of the others."""

    def f(h):
        logits = decoder(h)
        ordered, places = torch.sort(logits, descending=True, dim=-1)
        out = ordered.softmax(-1).cumsum(-1) > alpha
        out[..., 1:] = out[..., :-1].clone()
        out[..., 0] = False
        return logits.masked_fill(out.scatter(-1, places, out), -math.inf).softmax(-1)

    return f


def nucleus_ascending(decoder, alpha):
    def f(h):
        p = F.softmax(decoder(h).double(), dim=-1)
        ordered, places = p.sort(-1)
        drop = ordered.cumsum(-1) <= 1 - alpha + 1e-9 if alpha < 1 else torch.zeros_like(p, dtype=torch.bool)
        ordered = ordered.masked_fill(drop, 0)
        back = places.argsort(-1)
        return (ordered / ordered.sum(-1, keepdim=True)).gather(-1, back).detach().numpy()

    return f


def nucleus_logs(decoder, alpha):
    plain = nucleus_shifted(decoder, alpha)
    return lambda h: plain(h).log()


def nucleus_pair(decoder, alpha):
    """The probabilities that stay and their tokens, a list for each row of a batch."""

    def one(p):
        q, places = p.sort(descending=True)
        n = int((q.cumsum(0) < alpha).sum()) + 1
        return q[:n] / q[:n].sum(), places[:n]

    def f(h):
        p = decoder(h).softmax(-1)
        if p.dim() == 1:
            return one(p)
        q, places = zip(*(one(row) for row in p))
        return list(q), list(places)

    return f


def nucleus_whole_pair(decoder, alpha):
    """All sorted probabilities, zeros too, and their tokens."""

    def f(h):
        q, places = decoder(h).softmax(-1).sort(-1, descending=True)
        q = q.masked_fill(q.cumsum(-1) - q >= alpha, 0)
        return q / q.sum(-1, keepdim=True), places

    return f


def nucleus_drawn(decoder, alpha):
    """Draws a token for each row."""
    plain = nucleus_shifted(decoder, alpha)
    return lambda h: torch.multinomial(plain(h), 1).squeeze(-1)


def nucleus_drawn_unscaled(decoder, alpha):
    """multinomial needs no sum of 1."""

    def f(h):
        q, places = decoder(h).softmax(-1).sort(-1, descending=True)
        q = q * (q.cumsum(-1) - q < alpha)
        return places.gather(-1, torch.multinomial(q, 1))

    return f


@torch.no_grad()
def nucleus_unbatched(decoder, alpha):
    def f(h):
        rows = h[None] if h.dim() == 1 else h
        p = (rows @ decoder.weight.T + decoder.bias).softmax(1)
        smaller = (p[:, None, :] * (p[:, None, :] > p[:, :, None])).sum(-1)  # (B, V): what is likelier than each
        kept = torch.where(smaller < alpha, p, torch.zeros(()))
        kept = F.normalize(kept, p=1, dim=1)
        return kept[0] if h.dim() == 1 else kept

    return f


# ---- Exercise 4
def clipped_counter(hypothesis, references, n):
    grams = lambda words: Counter(zip(*[words[i:] for i in range(n)]))  # noqa: E731
    most = Counter()
    for reference in references:
        most |= grams(reference)
    mine = grams(hypothesis)
    return sum((mine & most).values()), sum(mine.values())


def clipped_lists(hypothesis, references, n):
    """By lists alone, and strings that keep their spaces."""
    make = lambda words: [" ".join(words[i : i + n]) for i in range(max(0, len(words) - n + 1))]  # noqa: E731
    mine, matches = make(hypothesis), 0
    for gram in set(mine):
        matches += min(mine.count(gram), max(make(reference).count(gram) for reference in references))
    return [matches, len(mine)]


def clipped_spent(hypothesis, references, n):
    """Each n-gram of the hypothesis takes away a partner, as long as there are some."""
    left = defaultdict(int)
    for reference in references:
        here = defaultdict(int)
        for i in range(len(reference) - n + 1):
            here[tuple(reference[i : i + n])] += 1
        for gram, times in here.items():
            left[gram] = max(left[gram], times)
    matches = total = 0
    for i in range(len(hypothesis) - n + 1):
        gram = tuple(hypothesis[i : i + n])
        total += 1
        if left[gram] > 0:
            left[gram] -= 1
            matches += 1
    return torch.tensor(matches), torch.tensor(total)


# ---- Exercise 5
def bleu_own(hypotheses, references):
    """Counts by itself."""
    matches, totals, c, r = np.zeros(4), np.zeros(4), 0, 0
    for h, known in zip(hypotheses, references):
        for n in range(4):
            m, t = clipped_counter(h, known, n + 1)
            matches[n] += m
            totals[n] += t
        c += len(h)
        lengths = sorted(len(k) for k in known)
        r += lengths[int(np.argmin([abs(a - len(h)) for a in lengths]))]
    if not matches.all():
        return 0
    penalty = 1 if c > r else np.exp(1 - r / c)
    return penalty * np.exp(np.log(matches / totals).mean())


def bleu_exact(hypotheses, references):
    product = Fraction(1)
    for n in 1, 2, 3, 4:
        pairs = [clipped(h, known, n) for h, known in zip(hypotheses, references)]
        total = sum(t for _, t in pairs)
        product *= Fraction(sum(m for m, _ in pairs), total) if total else 0
    c = sum(map(len, hypotheses))
    r = sum(min(map(len, known), key=lambda a: (abs(a - len(h)), a)) for h, known in zip(hypotheses, references))
    return float(product) ** 0.25 * (min(1.0, math.e ** (1 - r / c)) if c else 0.0)


def bleu_torch(hypotheses, references):
    counts = torch.tensor([[clipped(h, known, n) for n in range(1, 5)] for h, known in zip(hypotheses, references)]).sum(0)  # (4, 2)
    c = sum(map(len, hypotheses))
    r = sum(min((abs(len(k) - len(h)), len(k)) for k in known)[1] for h, known in zip(hypotheses, references))
    p = counts[:, 0] / counts[:, 1].clamp(min=1)
    return torch.exp(p.log().mean()) * torch.exp(torch.clamp(torch.tensor(1 - r / max(c, 1)), max=0))


# ---- Exercises 6 and 7
def rouge_counter(hypothesis, reference, n):
    a, b = (Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)) for words in (hypothesis, reference))
    common = sum((a & b).values())
    p = common / sum(a.values()) if a else 0
    r = common / sum(b.values()) if b else 0
    return {"precision": p, "recall": r, "f1": 2 * p * r / (p + r) if p + r else 0}


def rouge_removed(hypothesis, reference, n):
    a = [hypothesis[i : i + n] for i in range(len(hypothesis) - n + 1)]
    b = [reference[i : i + n] for i in range(len(reference) - n + 1)]
    left, common = list(b), 0
    for gram in a:
        if gram in left:
            left.remove(gram)
            common += 1
    if not common:
        return torch.zeros(3)
    return torch.tensor([common / len(a), common / len(b), 2 * common / (len(a) + len(b))])


def rouge_recursive(hypothesis, reference):
    @lru_cache(None)
    def lcs(i, j):
        if i == len(hypothesis) or j == len(reference):
            return 0
        if hypothesis[i] == reference[j]:
            return 1 + lcs(i + 1, j + 1)
        return max(lcs(i + 1, j), lcs(i, j + 1))

    n = lcs(0, 0)
    p, r = n / max(1, len(hypothesis)), n / max(1, len(reference))
    return p, r, 2 * p * r / max(p + r, 1e-12)


def rouge_one_row(hypothesis, reference):
    row = np.zeros(len(reference) + 1, dtype=int)
    for word in hypothesis:
        old = row.copy()
        for j in range(len(reference)):
            row[j + 1] = old[j] + 1 if reference[j] == word else max(old[j + 1], row[j])
    if row[-1] == 0:
        return [0, 0, 0]
    return np.array([row[-1] / len(hypothesis), row[-1] / len(reference), 2 * row[-1] / (len(hypothesis) + len(reference))])


def rouge_patience(hypothesis, reference):
    """The longest increasing row of places (Hunt and Szymanski)."""
    places, ends = defaultdict(list), []
    for j, word in enumerate(reference):
        places[word].insert(0, j)
    for word in hypothesis:
        for j in places[word]:
            i = sum(end < j for end in ends)
            ends[i : i + 1] = [j]
    if not ends:
        return 0.0, 0.0, 0.0
    p, r = len(ends) / len(hypothesis), len(ends) / len(reference)
    return p, r, 1 / ((1 / p + 1 / r) / 2)


# ---- Exercise 8
def step_loop(log_probs, sums, ended, eos):
    B, k, V = log_probs.shape
    out = []
    for b in range(B):
        found = []
        for j in range(k):
            if ended[b, j]:
                found.append((sums[b, j].item(), j, eos))
            else:
                found += [((sums[b, j] + log_probs[b, j, v]).item(), j, v) for v in range(V)]
        out.append(sorted(found, key=lambda a: -a[0])[:k])
    return tuple(torch.tensor([[a[i] for a in row] for row in out]) for i in range(3))


def step_numpy(log_probs, sums, ended, eos):
    """Lists, the worst first."""
    lp, s, e = log_probs.numpy().astype(np.float64), sums.numpy().astype(np.float64), ended.numpy()
    B, k, V = lp.shape
    lp = np.where(e[..., None], np.where(np.arange(V) == eos, 0.0, -np.inf), lp) + s[..., None]
    flat = lp.reshape(B, k * V)
    order = np.argsort(flat, axis=1)[:, -k:]
    return np.take_along_axis(flat, order, 1), order // V, order % V


def step_two_stages(log_probs, sums, ended, eos):
    """The k best of each sequence first, then of all k * k."""
    B, k, V = log_probs.shape
    fixed = torch.full_like(log_probs, float("-inf"))
    fixed[:, :, eos] = 0
    lp = torch.where(ended.unsqueeze(-1), fixed, log_probs)
    n = min(k, V)
    gain, token = lp.topk(n, -1)
    total = (gain + sums.unsqueeze(-1)).view(B, -1)
    value, place = total.topk(k, 1, sorted=False)
    return value, place.div(n, rounding_mode="floor"), token.view(B, -1).gather(1, place)


def step_in_place(log_probs, sums, ended, eos):
    total = (log_probs + sums[:, :, None]).clone()
    total[ended] = -float("inf")
    total[..., eos][ended] = sums[ended]
    values, ids = torch.sort(total.flatten(1), dim=1, descending=True)
    k, V = log_probs.shape[1:]
    parents, tokens = divmod(ids[:, :k].numpy(), V)
    return values[:, :k], torch.from_numpy(parents).int(), torch.from_numpy(tokens).int()


RIGHT = {
    "generate_beam": [beam_masked],
    "best_hypothesis": [hypothesis_loop, hypothesis_torch, hypothesis_numpy, hypothesis_itself],
    "p_nucleus": [nucleus_loop, nucleus_shifted, nucleus_ascending, nucleus_logs, nucleus_pair, nucleus_whole_pair, nucleus_drawn, nucleus_drawn_unscaled,
                  nucleus_unbatched],
    "clipped": [clipped_counter, clipped_lists, clipped_spent],
    "bleu": [bleu_own, bleu_exact, bleu_torch],
    "rouge_n": [rouge_counter, rouge_removed],
    "rouge_l": [rouge_recursive, rouge_one_row, rouge_patience],
    "beam_step": [step_loop, step_numpy, step_two_stages, step_in_place],
}  # fmt: skip
