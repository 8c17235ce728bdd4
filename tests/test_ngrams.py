import math
import subprocess
import sys
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncourse import ngrams

V = 5
MAKERS = [ngrams.kneser_ney, ngrams.witten_bell, ngrams.add_k, partial(ngrams.add_k, k=0.01)]
texts = st.lists(st.integers(0, V - 1), min_size=1, max_size=60)
boundaries = st.sampled_from([None, 0])
models = st.builds(lambda make, ids, n, b: make(ids, n, V, boundary=b), st.sampled_from(MAKERS), texts, st.integers(1, 6), boundaries)


def bits(model, ids):
    return model.nll(ids).mean() / math.log(2)


def grams(sentences, k):
    return Counter(tuple(s[i : i + k]) for s in sentences for i in range(len(s) - k + 1))


def by_the_book(sentences, n, vocab_size, context, w, boundary=None):
    """Kneser-Ney as it is written down, with dictionaries; a sentence begins and ends with the boundary, if there is one."""
    if n == 0:
        return 1 / vocab_size

    def count(k):
        longer = Counter(g[1:] for g in grams(sentences, k + 1))  # its keys are distinct: one for each symbol before
        return Counter({g: c if k == top or (k > 1 and g[0] == boundary) else longer[g] for g, c in grams(sentences, k).items()})

    def p(h, w):
        counts = count(len(h) + 1)
        D = ngrams.discounts(np.array([*counts.values()], int))
        after = [c for g, c in counts.items() if g[:-1] == h]
        lower = p(h[1:], w) if h else 1 / vocab_size
        if not sum(after):
            return lower
        c = counts[(*h, w)]
        return (c - D[min(c, 3)] + sum(D[min(a, 3)] for a in after) * lower) / sum(after)

    top = n
    return p(tuple(context[max(0, len(context) - n + 1) :]), w)


def test_a_text_of_five_letters_by_hand():
    a, b, c = 0, 1, 2
    model = ngrams.kneser_ney([a, b, a, c, b], 2, 3)  # ab, ba, ac, cb once each: discounts 0.5 for 1, 1 for 2
    # a and c stand after one letter, b after two: (1 - 0.5, 2 - 1, 1 - 0.5) / 4, and 2 / 4 for the thirds below
    assert model.probabilities([]) * 24 == pytest.approx([3 + 4, 6 + 4, 3 + 4])
    # after a: b and c keep 0.5 of 1 each, so that 1 of 2 is left for the line above
    assert model.probabilities([a]) * 24 == pytest.approx([3.5, 6 + 5, 6 + 3.5])


def test_discounts_by_hand():
    assert ngrams.discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4])).tolist() == [0, 0.5, 1.25, 1]  # Y = 4 / (4 + 2 * 2) = 1/2


def test_the_weak_ones_by_hand():
    a, b = 0, 1
    assert ngrams.add_k([a, a, b], 1, 3, k=0.5).probabilities([]) * 4.5 == pytest.approx([2.5, 1.5, 0.5])
    one = ngrams.witten_bell([a, a, b], 2, 3)  # aa, ab once each
    assert one.probabilities([]) * 15 == pytest.approx([6 + 2, 3 + 2, 2])  # (2, 1, 0) / 5, and 2 / 5 for the thirds
    assert one.probabilities([a]) * 60 == pytest.approx([15 + 16, 15 + 10, 4])  # (1, 1, 0) / 4, and 2 / 4 for the line above


@pytest.mark.parametrize("counts", [[1, 1, 2], [1, 1, 1, 1, 2, 2, 3], [5, 9], [], [1, 1, 1, 2, 3, 3, 3, 3, 4]])
def test_too_few_counts_for_an_estimate_give_the_discounts_of_last_resort(counts):
    assert ngrams.discounts(np.array(counts, int)).tolist() == [0, 0.5, 1, 1.5]


@given(texts, st.integers(1, 9), st.sampled_from([5, 10_000]), texts)
@settings(max_examples=60)
def test_kneser_ney_is_what_the_book_says(train, n, vocab_size, ids):
    nll = ngrams.kneser_ney(train, n, vocab_size).nll(ids[:5])
    for t, w in enumerate(ids[:5]):
        assert nll[t] == pytest.approx(-math.log(by_the_book([train], n, vocab_size, ids[:t], w)), abs=1e-9)


@given(st.lists(st.lists(st.integers(1, V - 1), max_size=8), min_size=1, max_size=8), st.integers(2, 6), texts)
@settings(max_examples=60)
def test_sentences_of_a_stream_are_counted_as_if_apart(sentences, n, context):
    model = ngrams.kneser_ney([0, *(w for s in sentences for w in [*s, 0])], n, V, boundary=0)
    apart = [[0, *s, 0] for s in sentences]
    expected = [by_the_book(apart, n, V, context, w, boundary=0) for w in range(V)]
    assert model.probabilities(context) == pytest.approx(expected, abs=1e-9)


@given(models, texts)
def test_probabilities_after_any_context_are_positive_and_sum_to_1(model, context):
    p = model.probabilities(context)
    assert p.shape == (V,) and p.min() > 0 and p.sum() == pytest.approx(1, abs=1e-12)


@given(models, texts, st.integers(0, 60))
def test_the_cost_is_that_of_the_probabilities_step_by_step(model, ids, start):
    start = min(start, len(ids))
    steps = [-math.log(model.probabilities(ids[:t])[ids[t]]) for t in range(start, len(ids))]
    assert model.nll(ids, start) == pytest.approx(steps, abs=1e-9)


def test_a_word_that_follows_one_word_alone_gets_little_elsewhere():
    san, francisco, glasses, unseen = 0, 1, 2, 19
    text = [san, francisco] * 50 + [w for other in range(3, 13) for w in (other, glasses)]
    elsewhere = ngrams.kneser_ney(text, 2, 20).probabilities([unseen])
    assert elsewhere[francisco] < elsewhere[glasses] / 5  # 50 occurrences after one word, 10 after ten
    counted = ngrams.witten_bell(text, 2, 20).probabilities([unseen])
    assert counted[francisco] > 4 * counted[glasses]
    assert ngrams.kneser_ney(text, 2, 20).probabilities([san])[francisco] > 0.9


def test_with_much_text_a_unigram_is_a_frequency():
    ids = np.random.default_rng(0).choice(3, 30_000, p=[0.6, 0.3, 0.1])
    for make in MAKERS:
        assert make(ids, 1, 3).probabilities([]) == pytest.approx(np.bincount(ids) / len(ids), abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_kneser_ney_beats_witten_bell_beats_add_one(seed):
    rng = np.random.default_rng(seed)
    after, ids = rng.dirichlet([0.1] * 12, (12, 12)), [0, 0]  # each pair of symbols has a few likely followers
    while len(ids) < 6000:
        ids.append(int(rng.choice(12, p=after[ids[-2], ids[-1]])))
    kneser_ney, witten_bell, add_one = (bits(make(ids[:4000], 5, 12), ids[4000:]) for make in MAKERS[:3])
    assert kneser_ney < witten_bell - 0.05 < add_one - 0.5


def test_a_boundary_keeps_what_stood_before_it_out():
    text = [0] + [1, 2, 0, 3, 4, 0] * 5
    free, apart = ngrams.kneser_ney(text, 4, 5), ngrams.kneser_ney(text, 4, 5, boundary=0)
    assert free.probabilities([1, 2, 0])[3] > 0.8 > free.probabilities([0])[3]
    assert apart.probabilities([1, 2, 0]) == pytest.approx(apart.probabilities([0]), abs=1e-12)
    assert apart.probabilities([0])[3] == pytest.approx(apart.probabilities([0])[1]) and apart.probabilities([0])[1] > 0.4


def test_samples_repeat_with_their_seed_continue_their_start_and_resemble_the_text():
    text = [0, 1, 2, 3] * 100
    model = ngrams.kneser_ney(text, 3, 4)
    assert model.sample(50, 1) == model.sample(50, 1) != model.sample(50, 2)
    assert model.sample(2, 0, start=[0, 1, 2]) == [3, 0] and model.sample(0, 0, start=[1]) == []
    drawn = np.array(model.sample(500, 0))
    assert ((drawn[1:] - drawn[:-1]) % 4 == 1).mean() > 0.97


@pytest.mark.parametrize("kind", [tuple, np.uint8, torch.tensor])
def test_ids_come_as_any_sequence_of_integers(kind):
    ids = [0, 1, 2, 1, 0, 1]
    given = np.array(ids, kind) if kind is np.uint8 else kind(ids)
    assert ngrams.kneser_ney(given, 3, 90).nll(given).tolist() == ngrams.kneser_ney(ids, 3, 90).nll(ids).tolist()


def test_torch_is_not_needed():
    subprocess.run([sys.executable, "-c", "import sys, rnncourse.ngrams; assert 'torch' not in sys.modules"], check=True)


@pytest.mark.parametrize("call, name", [
    (lambda: ngrams.kneser_ney([], 2, 3), "ids"),
    (lambda: ngrams.kneser_ney([0, 3], 2, 3), "ids"),
    (lambda: ngrams.kneser_ney([0, -1], 2, 3), "ids"),
    (lambda: ngrams.kneser_ney([[0, 1]], 2, 3), "ids"),
    (lambda: ngrams.kneser_ney([0.0, 1.0], 2, 3), "ids"),
    (lambda: ngrams.kneser_ney("abba", 2, 3), "ids"),
    (lambda: ngrams.kneser_ney([0, 1], 0, 3), "n"),
    (lambda: ngrams.witten_bell([0, 1], 2, 0), "vocab_size"),
    (lambda: ngrams.witten_bell([0, 1], 2, 3, boundary=3), "boundary"),
    (lambda: ngrams.add_k([0, 1], 2, 3, k=0), "k"),
    (lambda: ngrams.add_k([0, 1], 2, 3).nll([3]), "ids"),
    (lambda: ngrams.add_k([0, 1], 2, 3).nll([1], start=2), "start"),
    (lambda: ngrams.add_k([0, 1], 2, 3).probabilities([7]), "ids"),
])  # fmt: skip
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got "):
        call()
