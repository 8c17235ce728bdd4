"""How good is a model of text? Nats per token, perplexity, bits per character. How good is a text that it wrote? BLEU, ROUGE, matching, content.

Scores of texts compare a hypothesis, what a model wrote, with references, what people wrote. Both are lists of tokens; `bleu_words` and
`rouge_words` make them from strings. All scores go from 0 to 1.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .cells import expect

Tokens = Sequence[Hashable]
SMOOTHING = {"none": None, "exp": None, "floor": 0.1, "add-k": 1.0}  # and the default values


def token_nll(logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood of the real tokens, in nats per token.

    Parameters
    ----------
    logits : Tensor, shape (T, B, V)
        Unnormalised scores; ``logits[t, b]`` predicts ``targets[t, b]``.
    targets : int64 Tensor, shape (T, B)
    mask : bool Tensor, shape (T, B), optional
        True where a target is real. What lies where it is False is never read, so it changes neither value nor gradient, NaN included.

    Raises
    ------
    ValueError
        If the shapes (T, B) differ, or no token is real.
    """
    mask = torch.ones_like(targets, dtype=torch.bool) if mask is None else mask
    expect(logits.shape[:2] == targets.shape == mask.shape, "logits, targets and mask", "a common (T, B)",
           [tuple(a.shape) for a in (logits, targets, mask)])  # fmt: skip
    expect(bool(mask.any()), "mask", "at least one real token", "none")
    return F.cross_entropy(logits[mask], targets[mask])  # (N, V), (N,) -> ()


def perplexity(nll: float) -> float:
    """From nats per token to the number of equally likely tokens among which the choice would be as hard: e to the nll.

    The base and the logarithm belong together: 2 to the *bits* per token is the same number, 2 to the nats is another.
    """
    return math.exp(nll)


def bits_per_character(nll: float, tokens: int, characters: int) -> float:
    """From nats per token to bits per character of the text, in which models over different tokens can be compared.

    Parameters
    ----------
    nll : float
        Mean over the tokens, in nats.
    tokens, characters : int
        Of the same text; the ends of sentences count in both.

    Examples
    --------
    >>> bits_per_character(math.log(2), tokens=10, characters=40)
    0.25
    """
    expect(min(tokens, characters) > 0, "tokens and characters", "at least 1", (tokens, characters))
    return nll * tokens / characters / math.log(2)


class Overlap(NamedTuple):
    """The share of a hypothesis that its reference has, the share of the reference that it has, and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def bleu_words(text: str) -> list[str]:
    """Words and signs of a string, cut as WMT's mteval-v13a does, and so sacrebleu: capitals are kept, "3.14" is not cut."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(entity, sign)
    text = re.sub(r"([!-&(-+/:-@\[-`{-~])", r" \1 ", f" {text} ")  # ASCII's signs, but ' , - and .
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)  # so that . and , stay only between digits
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text).split()


def rouge_words(text: str) -> list[str]:
    """Words of a string, cut as ROUGE-1.5.5 does, and so rouge-score (without its stemmer): lower case, signs dropped.

    Letters beyond a to z are dropped too: "été" becomes "t". For other languages cut the text in a way of your own.
    """
    return re.findall(r"[a-z0-9]+", text.lower())


def ngram_counts(tokens: Tokens, n: int) -> Counter:
    """How often each row of n tokens occurs."""
    expect(not isinstance(tokens, str), "tokens", "a list of tokens (bleu_words makes one; list() for characters)", repr(tokens))
    return Counter(zip(*(tokens[i:] for i in range(n))))


def clipped(hypothesis: Tokens, references: Sequence[Tokens], n: int) -> tuple[int, int]:
    """How many n-grams of a hypothesis have a partner in a reference, and how many there are.

    Clipped: each n-gram finds at most as many partners as it has in the reference that has most of it.
    """
    found, known = ngram_counts(hypothesis, n), reduce(or_, (ngram_counts(r, n) for r in references))
    return sum(min(count, known[gram]) for gram, count in found.items() if gram in known), found.total()


def brevity_penalty(length: int, reference: int) -> float:
    """1 for a text at least as long as its reference, e to the (1 - reference / length) for a shorter one, 0 for an empty one."""
    if length >= reference:
        return 1.0
    return math.exp(1 - reference / length) if length else 0.0


def smoothed(matches: Sequence[int], totals: Sequence[int], smoothing: str, value: float | None = None) -> list[float]:
    """Precisions of 1-grams, 2-grams, …, as far as the texts have any; what becomes of the zeros among them is `bleu`'s smoothing."""
    value, precisions, halved = SMOOTHING[smoothing] if value is None else value, [], 1.0
    for n, (match, total) in enumerate(zip(matches, totals)):
        if smoothing == "add-k" and n > 0:
            match, total = match + value, total + value
        if total == 0:
            break
        if match == 0 and smoothing == "exp":
            match = halved = halved / 2
        elif match == 0 and smoothing == "floor":
            match = value
        precisions.append(match / total)
    return precisions


def bleu(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]], n: int = 4, smoothing: str = "none",
         value: float | None = None, effective: bool = False) -> float:  # fmt: skip
    """BLEU of a corpus: the geometric mean of clipped n-gram precisions, times a penalty for brevity.

    All counts are added up over the corpus first. So it is not the mean of `sentence_bleu`.

    Parameters
    ----------
    hypotheses : sequence of token lists
    references : sequence of sequences of token lists
        For each hypothesis one or more. The one of the closest length counts for brevity, of two the shorter.
    n : int
        The longest n-grams.
    smoothing : {"none", "exp", "floor", "add-k"}
        What stands in place of precisions that are 0: nothing; 1/2, 1/4, … of a match; ``value`` of a match (0.1); or ``value`` (1) is
        added to matches and totals of all orders but the first. Without any match the score is 0 all the same.
    value : float, optional
    effective : bool
        Take the mean only over the orders of which the hypotheses are long enough to have n-grams.

    Raises
    ------
    ValueError
        If a hypothesis has no reference, or a text is a string.

    References
    ----------
    Papineni et al. (2002), BLEU; Chen & Cherry (2014) and Post (2018) for the smoothing, whose default in sacrebleu is "exp".
    """
    expect(smoothing in SMOOTHING and n > 0, "smoothing and n", f"one of {sorted(SMOOTHING)}, and 1 or more", (smoothing, n))
    expect(len(hypotheses) == len(references) and all(map(len, references)), "references", f"one or more for each of {len(hypotheses)} hypotheses",
           f"{len(references)}, the first ones {[len(known) for known in references[:9]]}")  # fmt: skip
    matches, totals, length, wanted = [0] * n, [0] * n, 0, 0
    for hypothesis, known in zip(hypotheses, references):
        for i in range(n):
            match, total = clipped(hypothesis, known, i + 1)
            matches[i], totals[i] = matches[i] + match, totals[i] + total
        length += len(hypothesis)
        wanted += min(map(len, known), key=lambda r: (abs(r - len(hypothesis)), r))
    precisions = smoothed(matches, totals, smoothing, value)
    if not any(matches) or 0 in precisions or (len(precisions) < n and not effective):
        return 0.0
    return brevity_penalty(length, wanted) * math.exp(sum(map(math.log, precisions)) / len(precisions))


def sentence_bleu(hypothesis: Tokens, references: Sequence[Tokens], n: int = 4, smoothing: str = "exp", effective: bool = True) -> float:
    """BLEU of one sentence, as sacrebleu has it: smoothed, since hardly any single sentence has a match of every order."""
    return bleu([hypothesis], [references], n, smoothing, effective=effective)


def _overlap(common: int, hypothesis: int, reference: int) -> Overlap:
    precision, recall = common / max(hypothesis, 1), common / max(reference, 1)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall) if common else 0.0)


def rouge_n(hypothesis: Tokens, reference: Tokens, n: int = 1) -> Overlap:
    """ROUGE-N: how many n-grams two texts have in common.

    With several references take the best, as rouge-score does: ``max((rouge_n(h, r) for r in references), key=lambda o: o.f1)``.

    References
    ----------
    Lin (2004), ROUGE.
    """
    matches, total = clipped(hypothesis, [reference], n)
    return _overlap(matches, total, max(len(reference) - n + 1, 0))


def longest_common(a: Tokens, b: Tokens) -> int:
    """Length of the longest row of tokens that stands in both, in this order but perhaps with others between."""
    best = [0] * (len(b) + 1)  # best[j]: for what was read of a, and the first j tokens of b
    for token in a:
        before = 0  # best[j - 1] of the row before
        for j, other in enumerate(b, 1):
            before, best[j] = best[j], before + 1 if token == other else max(best[j], best[j - 1])
    return best[-1]


def rouge_l(hypothesis: Tokens, reference: Tokens) -> Overlap:
    """ROUGE-L: how much of two texts is their longest common subsequence."""
    expect(not isinstance(hypothesis, str) and not isinstance(reference, str), "texts", "lists of tokens", (hypothesis, reference))
    return _overlap(longest_common(hypothesis, reference), len(hypothesis), len(reference))


def idf(sentences: Sequence[Tokens]) -> Callable[[Tokens], Tensor]:
    """How much a token tells: ln (N + 1) / (n + 1) if n of the N sentences have it; so one that no sentence has gets ln (N + 1).

    Returns
    -------
    callable
        From N tokens to their weights (N,).
    """
    seen = Counter(token for sentence in sentences for token in set(sentence))
    return lambda tokens: torch.tensor([math.log((len(sentences) + 1) / (seen[token] + 1)) for token in tokens])


def matching(a: Tensor, b: Tensor, a_weights: Tensor | None = None, b_weights: Tensor | None = None) -> Overlap:
    """BERTScore over any vectors: each token takes the other text's token of the largest cosine, several may take the same.

    Parameters
    ----------
    a, b : Tensor, shapes (N, D) and (M, D)
        Vectors of the hypothesis' and the reference's tokens. A vector of zeros has the cosine 0 with all.
    a_weights, b_weights : Tensor, shapes (N,) and (M,), optional
        From `idf`, for example. A text without tokens, or whose weights are all 0, scores 0.

    References
    ----------
    Zhang et al. (2020), BERTScore.
    """
    if not (len(a) and len(b)):
        return Overlap(0.0, 0.0, 0.0)
    cosines = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T  # (N, M)
    shares = []
    for best, weights in ((cosines.amax(dim=1), a_weights), (cosines.amax(dim=0), b_weights)):  # (N,), then (M,)
        weights = torch.ones_like(best) if weights is None else weights.to(best)
        shares.append((best @ weights / weights.sum()).item() if weights.any() else 0.0)
    precision, recall = shares
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0)


class Content(NamedTuple):
    """Numbers and names of the source that the hypothesis has not, and those that it has from nowhere: its hallucinations."""

    missing: list[str]
    invented: list[str]


def facts(text: str, names: Sequence[str] = ()) -> list[str]:
    """Numbers in digits and names of a text, each once.

    A name is a word of two letters or more with a capital, unless it opens a sentence: there only ``names`` tells it from others.
    "1,200" is 1200, as in English; "twelve" is no number here.
    """
    found = []
    for opens, number, word in re.findall(r"([.?!]\s+)?(?:(\d+(?:[.,]\d+)*)|([^\W\d_]+))", ". " + text.lstrip()):
        if number or word in names or (word[1:] and word[0].isupper() and not opens):
            found.append(number.replace(",", "") or word)
    return list(dict.fromkeys(found))


def content(hypothesis: str, source: str, names: Sequence[str] = ()) -> Content:
    """Compare the `facts` of two texts; ``len(content(…).invented)`` counts hallucinations."""
    said, known = facts(hypothesis, names), facts(source, names)
    return Content([fact for fact in known if fact not in said], [fact for fact in said if fact not in known])
