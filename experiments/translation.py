"""What a decoder knows of the source, and what that is worth: English to French (`bilingual`), sentences of 1 to 4 clauses, tested up to 6.

Equal for all: the pairs, the units, the updates and their rate. The last state or the mean of the states, as the decoder's start or as
an input of every step, too, or attention; the source as it is, or backwards.
"""

import functools

import torch
from torch import Tensor

from rnncourse import bilingual, decoding, metrics, models, results
from rnncourse.text import EOS, Words
from rnncourse.translation import Translator, batches, together

TRAIN, EMBEDDING, UNITS, BATCH, UPDATES, RATE = 20_000, 48, 128, 64, 1500, 0.005
CLAUSES, TESTED, BEAMS, LONGEST = range(1, 7), 100, (1, 2, 4, 12), 80
CASES = [{"context": "start"}, {"context": "attention"}, {"context": "start", "backwards": True}, {"context": "attention", "backwards": True},
         {"context": "every"}, {"context": "start", "summary": "mean"}]  # fmt: skip


@functools.cache
def corpus() -> tuple[list, dict[int, list]]:
    """Pairs to learn from, and others to test on, by their number of clauses."""
    train = bilingual.pairs(TRAIN, seed=0)
    known = {english for english, _ in train}
    fresh = {n: [pair for pair in bilingual.pairs(2 * TESTED, n, (n, n)) if pair[0] not in known][:TESTED] for n in CLAUSES}
    return train, fresh


@functools.cache
def vocabularies() -> tuple[Words, Words]:
    """English and French; training has every word."""
    return tuple(Words(" ".join(side), 1000) for side in zip(*corpus()[0]))


def encoded(pairs: list, backwards: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Sources, perhaps backwards, and targets, as tokens (N,)."""
    english, french = vocabularies()
    sources = [english.encode(e) for e, _ in pairs]
    return [s.flip(0) for s in sources] if backwards else sources, [french.encode(f) for _, f in pairs]


def trained(seed: int, context: str, summary: str = "last", backwards: bool = False, updates: int = UPDATES, lr: float = RATE) -> Translator:
    """A translator after its updates."""
    torch.manual_seed(seed)
    model = Translator(*map(len, vocabularies()), EMBEDDING, UNITS, context, summary)
    some = batches(*encoded(corpus()[0], backwards), BATCH, torch.Generator().manual_seed(seed))
    losses = (metrics.token_nll(model(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in some)
    for _ in models.learn(model, losses, updates, lr):
        pass
    return model


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


def scores(found: list[decoding.Hypothesis], targets: list[Tensor]) -> tuple[float, float]:
    """The share that is right, and BLEU."""
    said, right = [h.tokens[:-1] if h.tokens[-1] == EOS else h.tokens for h in found], [t.tolist() for t in targets]
    return sum(s == r for s, r in zip(said, right)) / len(right), metrics.bleu(said, [[r] for r in right])


def run(seed: int, context: str, summary: str = "last", backwards: bool = False, updates: int = UPDATES) -> list[float]:
    """By number of clauses (`CLAUSES`) the share of right translations, BLEU, and the share of grammatical ones, greedily; the first two
    on the longest quarter of the test sentences of trained lengths; and on all of these for each beam (`BEAMS`) the first two and the
    mean log-probability of what was found.

    Parameters
    ----------
    seed : int
        For the weights and the order of the pairs.
    context, summary : str
        Of `Translator`.
    backwards : bool
        Whether the source is read from its end.
    updates : int
    """
    model = trained(seed, context, summary, backwards, updates)
    test = {n: encoded(pairs, backwards) for n, pairs in corpus()[1].items()}
    french = vocabularies()[1]
    rows = []
    for sources, targets in test.values():
        found = translate(model, sources)
        rows.append((*scores(found, targets), sum(grammatical(french.decode(h.tokens)) for h in found) / len(found)))
    values = [value for column in zip(*rows) for value in column]
    sources, targets = ([x for n in range(1, 5) for x in test[n][side]] for side in (0, 1))
    found = {k: translate(model, sources, k) for k in BEAMS}
    longest = sorted(range(len(sources)), key=lambda i: -len(sources[i]))[: len(sources) // 4]
    values += scores([found[1][i] for i in longest], [targets[i] for i in longest])
    for hypotheses in found.values():
        values += [*scores(hypotheses, targets), sum(h.log_prob for h in hypotheses) / len(hypotheses)]
    return values


if __name__ == "__main__":
    results.record(__file__, CASES, seeds=range(3), updates=UPDATES)
