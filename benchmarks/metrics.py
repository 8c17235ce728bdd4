"""BLEU and ROUGE beside sacrebleu and rouge-score: the same numbers, and how long 3,000 sentences take from strings.

Equality: 10,000 random corpora (1 to 5 hypotheses, 1 to 3 references, all smoothings, with and without effective order), as many
pairs for ROUGE-1, -2 and -L, and the edge cases in all settings, every difference at most 1e-9. Speed: 3,000 sentences of 27 tokens, each
with one reference, cut and scored; new ones in each of seven rounds, since sacrebleu remembers how it cut a string. Bar: not slower,
missed if the ratio of the median times, library / ours, is below 0.8.
"""

import logging
import random
import statistics
import time

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from rnncourse import metrics

CASES, SENTENCES, ROUNDS, EXACT, NO_SLOWER, BAR = 10_000, 3000, 7, 1e-9, 1.0, 0.8
EDGES = [("", "a b c d e"), ("a b c d e", ""), ("", ""), ("a", "a"), ("a b c", "a b c"), ("a b c d", "a b c d"), ("a b c", "a b c d e"),
         ("w x y z", "a b c d"), ("a c b d x", "a b c d e"), ("a b c x d e f y", "a b c z d e f g"), (". , !", ". , !"),
         ("the the the the the the the", "the cat is on the mat", "there is a cat on the mat"),
         ("a b c d", "a b c d e", "a b c"), ("a b c d", "a b c", "a b c d e")]  # fmt: skip
TYPES = ("rouge1", "rouge2", "rougeL")
LIBRARY = RougeScorer(TYPES)


def bleu_difference(hypotheses: list[str], references: list[tuple[str, ...]], n: int, smoothing: str, effective: bool) -> float:
    library = BLEU(smooth_method=smoothing, effective_order=effective, max_ngram_order=n, tokenize="13a", force=True)
    theirs = library.corpus_score(hypotheses, [*zip(*references)]).score / 100
    cut = metrics.bleu_words
    return abs(theirs - metrics.bleu([cut(h) for h in hypotheses], [[cut(r) for r in known] for known in references], n, smoothing, None, effective))


def rouge(hypothesis: str, reference: str) -> list[metrics.Overlap]:
    """ROUGE-1, -2 and -L, from strings."""
    h, r = metrics.rouge_words(hypothesis), metrics.rouge_words(reference)
    return [metrics.rouge_n(h, r, 1), metrics.rouge_n(h, r, 2), metrics.rouge_l(h, r)]


def rouge_difference(hypothesis: str, reference: str) -> float:
    theirs = LIBRARY.score(reference, hypothesis)
    return max(abs(x - y) for name, ours in zip(TYPES, rouge(hypothesis, reference)) for x, y in zip(ours, theirs[name]))


def random_case(rng: random.Random) -> tuple[list[str], list[tuple[str, ...]]]:
    """A small corpus, full of repetition, of short texts and of texts that share their beginning."""
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "3.5", "(dog)", "x-ray,", "It's"]
    draw = lambda: " ".join(rng.choices(words, k=rng.choice([0, 1, 2, 3, 4, 5, 8, 12, 30])))  # noqa: E731
    hypotheses, R = [draw() for _ in range(rng.choice([1, 1, 2, 5]))], rng.choice([1, 2, 3])
    near = lambda h: h[: rng.randint(0, len(h))] + draw()[:8] if rng.random() < 0.5 else draw()  # noqa: E731
    return hypotheses, [tuple(near(h) for _ in range(R)) for h in hypotheses]


def worst_differences() -> tuple[float, float]:
    """Over the random and the edge cases: of BLEU, of ROUGE."""
    rng, settings = random.Random(0), [(n, s, e) for n in (1, 2, 4) for s in metrics.SMOOTHING for e in (False, True)]
    of_bleu, of_rouge = [], []
    for i in range(CASES):
        hypotheses, references = random_case(rng)
        of_bleu.append(bleu_difference(hypotheses, references, *settings[i % len(settings)]))
        of_rouge.append(rouge_difference(hypotheses[0], references[0][0]))
    for hypothesis, *references in EDGES:
        of_bleu += [bleu_difference([hypothesis], [tuple(references)], *setting) for setting in settings]
        of_rouge += [rouge_difference(hypothesis, r) for r in references]
    return max(of_bleu), max(of_rouge)


def sentences(rng: random.Random) -> tuple[list[str], list[str]]:
    """Hypotheses and references: words by Zipf's law, commas and full stops; a hypothesis loses and swaps a fifth of the words."""
    words = ["".join(rng.choices("aeioubcdfglmnprst", k=rng.randint(1, 9))) for _ in range(4000)]
    zipf = [1 / (i + 3) for i in range(len(words))]
    references = []
    for _ in range(SENTENCES):
        drawn = rng.choices(words, zipf, k=rng.randint(13, 37))
        references.append(" ".join(w + "," * (rng.random() < 0.05) for w in drawn).capitalize() + ".")
    change = lambda w: w if rng.random() < 0.8 else rng.choice(["", rng.choice(words)])  # noqa: E731
    return [" ".join(filter(None, map(change, r.split()))) for r in references], references


def timed(call) -> tuple[float, object]:
    began = time.process_time()
    value = call()
    return time.process_time() - began, value


def speeds() -> dict[str, tuple[float, float]]:
    """Seconds of the library and ours, medians over the rounds."""
    rng, times = random.Random(1), {"BLEU": [], "ROUGE-1, -2, -L": []}
    cut = metrics.bleu_words
    for _ in range(ROUNDS):
        h, r = sentences(rng)
        theirs, a = timed(lambda: BLEU().corpus_score(h, [r]).score / 100)
        ours, b = timed(lambda: metrics.bleu([cut(x) for x in h], [[cut(x)] for x in r], smoothing="exp"))
        assert abs(a - b) <= EXACT, (a, b)
        times["BLEU"].append((theirs, ours))
        theirs, _ = timed(lambda: [LIBRARY.score(y, x) for x, y in zip(h, r)])
        ours, _ = timed(lambda: [rouge(x, y) for x, y in zip(h, r)])
        times["ROUGE-1, -2, -L"].append((theirs, ours))
    return {name: tuple(map(statistics.median, zip(*pairs, strict=True))) for name, pairs in times.items()}


def main() -> int:
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    of_bleu, of_rouge = worst_differences()
    print(f"{CASES} random cases and {len(EDGES)} edge cases: largest difference of BLEU {of_bleu:.0e}, of ROUGE {of_rouge:.0e}, bar {EXACT:.0e}")
    print(f"{SENTENCES} sentences from strings, CPU seconds, median of {ROUNDS} rounds:")
    print(f"{'':>16} {'library':>8} {'ours':>8} {'ratio':>6}")
    ratios = []
    for name, (theirs, ours) in speeds().items():
        ratios.append(theirs / ours)
        print(f"{name:>16} {theirs:8.3f} {ours:8.3f} {ratios[-1]:6.2f}")
    missed = not max(of_bleu, of_rouge) <= EXACT or min(ratios) < BAR
    verdict = "MISSED" if missed else "reached" if min(ratios) >= NO_SLOWER else "nearly reached"
    print(f"metrics: equal to {EXACT:.0e}, and {min(ratios):.2f} x as fast as the libraries, bar {NO_SLOWER}, missed below {BAR}: {verdict}")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
