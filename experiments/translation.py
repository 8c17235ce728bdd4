"""What a decoder knows of the source, and what that is worth: English to French (`bilingual`), sentences of 1 to 4 clauses, tested up to 6.

Equal for all: the pairs, the units, the updates. The last state or the mean of the states, as the decoder's start or as an input of every
step, too, or attention; the source as it is, or backwards. Each at two rates, to be chosen between by the nll on pairs that are not the test's.
"""

import functools

import torch
from torch import Tensor

from rnncourse import bilingual, decoding, metrics, models, results
from rnncourse.text import EOS, Words
from rnncourse.translation import Translator, batches, together

TRAIN, EMBEDDING, UNITS, BATCH, UPDATES, RATES = 20_000, 48, 128, 64, 1500, (0.005, 0.01)
CLAUSES, TESTED, BEAMS, LONGEST = range(1, 7), 100, (1, 2, 4, 12), 80
COLUMNS = ("exact", "bleu", "fluent", "ratio", "short", "cut", "fed", "placed", "common")  # of `run`, a value each for each number of clauses
CASES = [{"context": context, "summary": summary, "backwards": backwards, "lr": lr} for lr in RATES for context, summary, backwards in
         (("start", "last", False), ("every", "last", False), ("start", "mean", False), ("attention", "last", False),
          ("start", "last", True), ("attention", "last", True))]  # fmt: skip


@functools.cache
def corpus() -> tuple[list, dict[int, list]]:
    """Pairs to learn from, and others to test on, by their number of clauses."""
    train = bilingual.pairs(TRAIN, seed=0)
    known = {english for english, _ in train}
    fresh = {n: [pair for pair in bilingual.pairs(2 * TESTED, n, (n, n)) if pair[0] not in known][:TESTED] for n in CLAUSES}
    return train, fresh


@functools.cache
def development() -> list:
    """Pairs of 1 to 4 clauses to choose the rate by: neither learned from nor tested on."""
    train, fresh = corpus()
    known = {english for some in (train, *fresh.values()) for english, _ in some}
    return [pair for pair in bilingual.pairs(8 * TESTED, seed=100) if pair[0] not in known][: 4 * TESTED]


@functools.cache
def vocabularies() -> tuple[Words, Words]:
    """English and French; training has every word."""
    return tuple(Words(" ".join(side), 1000) for side in zip(*corpus()[0]))


def encoded(pairs: list, backwards: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Sources, perhaps backwards, and targets, as tokens (N,)."""
    english, french = vocabularies()
    sources = [english.encode(e) for e, _ in pairs]
    return [s.flip(0) for s in sources] if backwards else sources, [french.encode(f) for _, f in pairs]


def trained(seed: int, context: str, summary: str, backwards: bool, lr: float, updates: int = UPDATES) -> tuple[Translator, float]:
    """A translator after its updates, and the mean loss of the last 100."""
    torch.manual_seed(seed)
    model = Translator(*map(len, vocabularies()), EMBEDDING, UNITS, context, summary)
    some = batches(*encoded(corpus()[0], backwards), BATCH, torch.Generator().manual_seed(seed))
    losses = (metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in some)
    last = [record.loss for record in models.learn(model, losses, updates, lr)][-100:]
    return model, sum(last) / len(last)


def translate(model: Translator, sources: list[Tensor], k: int = 1) -> list[decoding.Hypothesis]:
    """What a beam of k finds, for each source (N,)."""
    source, lengths, _ = together(sources, sources)
    with torch.no_grad():
        state = model.encode(source, lengths)
    start = torch.full((len(sources),), EOS)  # (B,)
    return [found[0] for found in decoding.beam(model.step, start, EOS, k, LONGEST, state)]


def grammatical(sentence: str) -> bool:
    """Whether this is French, right or wrong as a translation."""
    return bool(bilingual.translations(sentence.replace(" .", ".").replace(" - ", "-"), bilingual.FRENCH))


def said(found: list[decoding.Hypothesis]) -> list[list[int]]:
    """The words of each, without EOS."""
    return [h.tokens[:-1] if h.tokens[-1] == EOS else h.tokens for h in found]


def scores(found: list[decoding.Hypothesis], targets: list[Tensor]) -> tuple[float, float]:
    """The share that is right, and BLEU."""
    wrote, right = said(found), [t.tolist() for t in targets]
    return sum(w == r for w, r in zip(wrote, right)) / len(right), metrics.bleu(wrote, [[r] for r in right])


def lengths(found: list[decoding.Hypothesis], targets: list[Tensor]) -> tuple[float, float, float]:
    """The mean of words written over words due, the share with too few words, and the share without an end."""
    ratio = torch.tensor([len(w) / len(t) for w, t in zip(said(found), targets)])
    return ratio.mean().item(), (ratio < 1).float().mean().item(), sum(h.tokens[-1] != EOS for h in found) / len(found)


def words_right(model: Translator, sources: list[Tensor], targets: list[Tensor], found: list[decoding.Hypothesis]) -> tuple[float, float, float]:
    """Of the reference's words and its end: the share that is likeliest if the truth is fed; that stands in its place in what was found;
    that stands in it in the same order (longest common subsequence)."""
    source, sizes, target = together(sources, targets)
    with torch.no_grad():
        likeliest = model(source, sizes, target.inputs).argmax(dim=-1)  # (T, B)
    right = [[*t.tolist(), EOS] for t in targets]
    placed = sum(a == b for h, r in zip(found, right) for a, b in zip(h.tokens, r))
    common = sum(metrics.longest_common(h.tokens, r) for h, r in zip(found, right))
    fed = (likeliest == target.targets)[target.mask].float().mean().item()
    return fed, placed / target.mask.sum().item(), common / target.mask.sum().item()


def dev_nll(model: Translator, backwards: bool) -> float:
    """The loss on the pairs of `development`."""
    p = together(*encoded(development(), backwards))
    with torch.no_grad():
        return metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask).item()


def run(seed: int, context: str, summary: str, backwards: bool, lr: float, updates: int = UPDATES) -> list[float]:
    """First, greedily, for each of `COLUMNS` a value for each number of clauses (`CLAUSES`): the share of right translations, BLEU, the
    share of grammatical ones, what `lengths` and `words_right` say. Then right ones and BLEU on the longest quarter of the test sentences
    of trained lengths; the nll on other pairs, to choose the rate by; the mean loss of the last 100 updates. And on all test sentences of
    trained lengths for each beam (`BEAMS`) right ones, BLEU, the mean log-probability of what was found, and words written over words due.

    Parameters
    ----------
    seed : int
        For the weights and the order of the pairs.
    context, summary : str
        Of `Translator`.
    backwards : bool
        Whether the source is read from its end.
    lr : float
        The highest rate of the cycle.
    updates : int
    """
    model, loss = trained(seed, context, summary, backwards, lr, updates)
    test = {n: encoded(pairs, backwards) for n, pairs in corpus()[1].items()}
    french = vocabularies()[1]
    rows, greedy = [], []
    for sources, targets in test.values():
        found = translate(model, sources)
        fluent = sum(grammatical(french.decode(h.tokens)) for h in found) / len(found)
        rows.append((*scores(found, targets), fluent, *lengths(found, targets), *words_right(model, sources, targets, found)))
        greedy += found
    values = [value for column in zip(*rows) for value in column]
    sources, targets = ([x for n in range(1, 5) for x in test[n][side]] for side in (0, 1))
    longest = sorted(range(len(sources)), key=lambda i: -len(sources[i]))[: len(sources) // 4]
    values += [*scores([greedy[i] for i in longest], [targets[i] for i in longest]), dev_nll(model, backwards), loss]
    due = sum(map(len, targets))
    for k in BEAMS:
        found = translate(model, sources, k)
        log_p = sum(h.log_prob for h in found) / len(found)
        values += [*scores(found, targets), log_p, sum(map(len, said(found))) / due]
    return values


if __name__ == "__main__":
    results.record(__file__, CASES, seeds=range(3), updates=UPDATES)
