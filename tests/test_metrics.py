import math
import random
from itertools import product

import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from torch.nn import functional as F

from rnncourse import metrics
from rnncourse.metrics import bits_per_character, bleu, content, matching, perplexity, rouge_l, rouge_n, sentence_bleu, token_nll


def example(T=5, B=3, V=7):
    g = torch.Generator().manual_seed(0)
    mask = torch.arange(T)[:, None] < torch.tensor([5, 3, 1])  # (T, B)
    return torch.randn(T, B, V, generator=g), torch.randint(V, (T, B), generator=g), mask


def test_equal_scores_cost_log_vocab_nats():
    assert token_nll(torch.zeros(5, 3, 7), example()[1]).item() == pytest.approx(math.log(7))


def test_value_and_gradient_are_those_of_ignore_index():
    logits, targets, mask = example()
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss, reference = token_nll(ours, targets, mask), F.cross_entropy(theirs.permute(0, 2, 1), targets.masked_fill(~mask, -1), ignore_index=-1)
    torch.testing.assert_close(loss, reference)
    torch.testing.assert_close(*(torch.autograd.grad(a, b)[0] for a, b in ((loss, ours), (reference, theirs))))


@pytest.mark.parametrize("junk", [1e4, float("nan"), float("inf"), -float("inf")])
def test_what_lies_under_the_padding_is_never_read(junk):
    logits, targets, mask = example()
    spoiled = logits.masked_fill(~mask[..., None], junk).requires_grad_()
    loss = token_nll(spoiled, targets.masked_fill(~mask, -9), mask)
    loss.backward()
    assert loss == token_nll(logits, targets, mask) and not spoiled.grad[~mask].any() and spoiled.grad.isfinite().all()


def test_wrong_shapes_and_a_mask_without_tokens_are_told():
    logits, targets, mask = example()
    with pytest.raises(ValueError, match=r"\(T, B\)"):
        token_nll(logits, targets.T, mask)
    with pytest.raises(ValueError, match="at least one real token"):
        token_nll(logits, targets, torch.zeros_like(mask))


def test_the_lectures_example_has_perplexity_four():
    nats = -sum(math.log(p) for p in (1 / 2, 1 / 4, 1 / 8)) / 3
    assert perplexity(nats) == pytest.approx(4.0) == 2 ** (nats / math.log(2))
    assert 2**nats == pytest.approx(2.61, abs=0.01)  # base 2 with natural logarithms is another number


def test_bits_per_character_do_not_depend_on_how_the_text_is_cut():
    text_bits = 120.0
    assert bits_per_character(text_bits * math.log(2) / 30, 30, 60) == pytest.approx(2.0) == bits_per_character(text_bits * math.log(2) / 60, 60, 60)
    with pytest.raises(ValueError, match="at least 1"):
        bits_per_character(1.0, 3, 0)


SETTINGS = {"none": {}, "exp": {"smoothing": "exp"}, "floor": {"smoothing": "floor"}, "add-k": {"smoothing": "add-k"},
            "exp eff": {"smoothing": "exp", "effective": True}}  # fmt: skip


def sacrebleu(hypotheses, references, n=4, smoothing="none", value=None, effective=False):
    """The same from the library, from 0 to 1; it wants the first references of all, then the second ones."""
    library = BLEU(smooth_method=smoothing, smooth_value=value, effective_order=effective, max_ngram_order=n, tokenize="none", force=True)
    streams = [[" ".join(reference) for reference in stream] for stream in zip(*references, strict=True)]
    return library.corpus_score([" ".join(h) for h in hypotheses], streams).score / 100


def corpus(rng, words="the cat sat on a mat and dog".split()):
    """Hypotheses and references, many of them short, empty or equal in part."""
    draw = lambda: [rng.choice(words) for _ in range(rng.choice([0, 1, 2, 3, 4, 5, 8, 12]))]  # noqa: E731
    N, R = rng.choice([1, 1, 2, 5]), rng.choice([1, 2, 3])
    hypotheses = [draw() for _ in range(N)]
    keep = rng.random() < 0.5
    near = lambda h: h[: rng.randint(0, 12)] + draw()[:2] if keep and rng.random() < 0.7 else draw()  # noqa: E731
    return hypotheses, [[near(h) for _ in range(R)] for h in hypotheses]


def test_bleu_is_sacrebleus():
    rng, seen = random.Random(0), 0
    for _ in range(1500):
        setting = {"n": rng.choice([1, 2, 4]), "smoothing": rng.choice([*metrics.SMOOTHING]), "effective": rng.random() < 0.5}
        if setting["smoothing"] in ("floor", "add-k"):
            setting["value"] = rng.choice([None, 0.3, 2])
        texts = corpus(rng)
        theirs = sacrebleu(*texts, **setting)
        assert bleu(*texts, **setting) == pytest.approx(theirs, abs=1e-9), (texts, setting)
        seen += 0 < theirs < 1
    assert seen > 300


@pytest.mark.parametrize("hypothesis, references, expected", [
    ("", ["a b c d e"], (0, 0, 0, 0, 0)),
    ("a b c d e", [""], (0, 0, 0, 0, 0)),
    ("", [""], (0, 0, 0, 0, 0)),
    ("a", ["a"], (0, 0, 0, 1, 1)),
    ("a b c", ["a b c"], (0, 0, 0, 1, 1)),
    ("a b c d", ["a b c d"], (1, 1, 1, 1, 1)),
    ("a b c", ["a b c d e"], (0, 0, 0, 0.513417, 0.513417)),
    ("w x y z", ["a b c d"], (0, 0, 0, 0, 0)),
    ("a c b d x", ["a b c d e"], (0, 0.151069, 0.0759836, 0.339809, 0.151069)),
    ("a b c x d e f y", ["a b c z d e f g"], (0, 0.345721, 0.231197, 0.427763, 0.345721)),
    ("the " * 7, ["the cat is on the mat", "there is a cat on the mat"], (0, 0.0780985, 0.0392815, 0.192056, 0.0780985)),
    ("a b c d", ["a b c d e", "a b c"], (1, 1, 1, 1, 1)),  # a tie: the shorter, in either order
    ("a b c d", ["a b c", "a b c d e"], (1, 1, 1, 1, 1)),
])  # fmt: skip
def test_edge_cases_of_bleu(hypothesis, references, expected):
    texts = [hypothesis.split()], [[r.split() for r in references]]
    for setting, value in zip(SETTINGS.values(), expected, strict=True):
        assert bleu(*texts, **setting) == pytest.approx(value, rel=1e-5, abs=1e-12)
        assert bleu(*texts, **setting) == pytest.approx(sacrebleu(*texts, **setting), abs=1e-9)
    assert sentence_bleu(texts[0][0], texts[1][0]) == bleu(*texts, smoothing="exp", effective=True)


def test_papinenis_candidates():
    references = [r.split() for r in (
        "It is a guide to action that ensures that the military will forever heed Party commands",
        "It is the guiding principle which guarantees the military forces always being under the command of the Party",
        "It is the practical guide for the army always to heed the directions of the party")]  # fmt: skip
    first = "It is a guide to action which ensures that the military always obeys the commands of the party".split()
    second = "It is to insure the troops forever hearing the activity guidebook that party direct".split()
    assert [metrics.clipped(first, references, n) for n in (1, 2, 3, 4)] == [(17, 18), (10, 17), (7, 16), (4, 15)]
    assert [metrics.clipped(second, references, n) for n in (1, 2, 3, 4)] == [(8, 14), (1, 13), (0, 12), (0, 11)]
    assert 100 * bleu([first], [references]) == pytest.approx(50.4567, abs=1e-4)
    assert metrics.clipped(["the"] * 7, [x.split() for x in ("the cat is on the mat", "there is a cat on the mat")], 1) == (2, 7)


def test_brevity_penalty():
    assert metrics.brevity_penalty(12, 28) == pytest.approx(0.2636, abs=1e-4)
    assert metrics.brevity_penalty(12, 12) == metrics.brevity_penalty(13, 12) == metrics.brevity_penalty(0, 0) == 1
    assert metrics.brevity_penalty(0, 3) == 0 and metrics.brevity_penalty(11, 12) == pytest.approx(math.exp(-1 / 11))


def test_bleu_of_a_corpus_is_not_the_mean_over_sentences():
    hypotheses, references = ["a b c d e f g h".split(), "x y".split()], [["a b c d e f g h".split()], ["y x z".split()]]
    mean = sum(sentence_bleu(h, r) for h, r in zip(hypotheses, references)) / 2
    assert abs(bleu(hypotheses, references, smoothing="exp") - mean) > 0.1


def test_tokenizers_are_the_libraries():
    rng = random.Random(0)
    signs = [*"abcAB019.,-'\"&;<>()/:!?%$[]`{}~ \n\t\u00a0éİ–«", "&quot;", "&amp;", "&lt;", "&gt;", "<skipped>", "-\n", " 3.14 ", "1,000"]
    theirs = Tokenizer13a()
    for _ in range(5000):
        text = "".join(rng.choices(signs, k=rng.randint(0, 14)))
        assert metrics.bleu_words(text) == theirs(text.rstrip()).split() and metrics.rouge_words(text) == tokenize(text, None), repr(text)
    assert metrics.bleu_words("Don't pay $3.14, Ada!") == ["Don't", "pay", "$", "3.14", ",", "Ada", "!"]
    assert metrics.rouge_words("l'été 2026") == ["l", "t", "2026"]


def test_rouge_is_rouge_scores():
    library, rng, seen = RougeScorer(["rouge1", "rouge2", "rougeL"]), random.Random(0), 0
    for _ in range(1500):
        (h, *_), ((r, *more), *_) = corpus(rng)
        theirs = library.score(" ".join(r), " ".join(h))
        for name, ours in (("rouge1", rouge_n(h, r)), ("rouge2", rouge_n(h, r, 2)), ("rougeL", rouge_l(h, r))):
            assert ours == pytest.approx(tuple(theirs[name]), abs=1e-12)
        seen += 0 < theirs["rougeL"].fmeasure < 1
        if more:
            best = max((rouge_n(h, known, 2) for known in [r, *more]), key=lambda o: o.f1)
            theirs = library.score_multi([" ".join(known) for known in [r, *more]], " ".join(h))["rouge2"]
            assert best == pytest.approx(tuple(theirs), abs=1e-12)
    assert seen > 500


def test_rouge_by_hand():
    reference, one, two = "police killed the gunman", "police kill the gunman", "the gunman kill police"  # Lin (2004)
    reference, one, two = (text.split() for text in (reference, one, two))
    assert rouge_l(one, reference).f1 == 0.75 and rouge_l(two, reference).f1 == 0.5
    assert rouge_n(one, reference) == rouge_n(two, reference) and rouge_n(one, reference, 2) == rouge_n(two, reference, 2)
    lecture = rouge_n("a b c d e f g".split(), "a c f".split())
    assert lecture[:2] == (3 / 7, 1) and lecture.f1 == pytest.approx(0.6, abs=1e-15)
    assert bleu([list("abcdefg")], [[list("acf")]], n=1) == 3 / 7  # which knows no recall
    assert rouge_n([], ["a"]) == rouge_l([], []) == rouge_n(["a"], ["a"], 2) == (0, 0, 0)
    assert rouge_n(["a"], ["a"]) == rouge_l(["a"], ["a"]) == (1, 1, 1)


def test_longest_common_by_brute_force():
    rng = random.Random(0)
    for _ in range(100):
        a, b = ("".join(rng.choices("abc", k=rng.randint(0, 7))) for _ in range(2))
        rows = [{"".join(c for c, kept in zip(text, keep) if kept) for keep in product((0, 1), repeat=len(text))} for text in (a, b)]
        assert metrics.longest_common(a, b) == max(map(len, rows[0] & rows[1]))


def test_a_string_is_not_taken_for_its_characters():
    for wrong in (lambda: bleu(["a b"], [["a b"]]), lambda: bleu([["a", "b"]], [["a", "b"]]), lambda: rouge_n("a b", "a b"),
                  lambda: rouge_l("a b", ["a"])):  # fmt: skip
        with pytest.raises(ValueError, match="list"):
            wrong()
    with pytest.raises(ValueError, match="references"):
        bleu([["a"]], [[]])
    with pytest.raises(ValueError, match="smoothing"):
        bleu([["a"]], [[["a"]]], smoothing="add")


def test_matching_by_loops():
    g = torch.Generator().manual_seed(0)
    for N, M, weighted in product((1, 4), (1, 6), (False, True)):
        a, b = torch.randn(N, 5, generator=g), torch.randn(M, 5, generator=g)
        w, v = (torch.rand(n, generator=g) if weighted else torch.ones(n) for n in (N, M))
        cosine = [[(x @ y / (x @ x).sqrt() / (y @ y).sqrt()).item() for y in b] for x in a]
        precision = sum(max(row) * c for row, c in zip(cosine, w.tolist())) / sum(w.tolist())
        recall = sum(max(column) * c for column, c in zip(zip(*cosine), v.tolist())) / sum(v.tolist())
        ours = matching(a, b, w, v) if weighted else matching(a, b)
        assert ours[:2] == pytest.approx((precision, recall), abs=1e-5)
        assert ours.f1 == pytest.approx(2 * precision * recall / (precision + recall) if precision + recall > 0 else 0, abs=1e-4)


def test_matching_of_equal_reordered_and_empty_texts():
    a = torch.eye(4)
    assert matching(a, a.flip(0)) == (1, 1, 1) and matching(a[:0], a) == matching(a, a[:0]) == (0, 0, 0)
    assert matching(a[:1], a) == pytest.approx((1, 0.25, 0.4)) and matching(a, torch.zeros(2, 4)) == (0, 0, 0)
    assert matching(a[:2], a[1:3], torch.tensor([0.0, 2.0]), torch.tensor([3.0, 1.0])) == pytest.approx((1, 0.75, 6 / 7))
    assert matching(a, a, torch.zeros(4), torch.zeros(4)) == (0, 0, 0) and torch.tensor(matching(a * math.nan, a)).isnan()[:2].all()


def test_idf_weighs_the_rare_and_knows_what_it_never_saw():
    weights = metrics.idf([["the", "cat"], ["the", "dog", "the"], ["the", "end"]])(["the", "cat", "unicorn"])
    torch.testing.assert_close(weights, torch.tensor([0, math.log(2), math.log(4)]))


def test_content_tells_what_is_missing_and_what_is_invented():
    source = "Nora Fenn opened 1,200 schools in New Hale. The mayor, Leo, paid $3.5 million."
    assert metrics.facts(source) == ["Fenn", "1200", "New", "Hale", "Leo", "3.5"] and metrics.facts(source, ["Nora"])[0] == "Nora"
    assert content("In New Hale 1200 schools were opened by Fenn; Leo paid $3.5 million.", source) == ([], [])
    assert content("Nora Fenn opened 12 schools in New York.", source) == (["1200", "Hale", "Leo", "3.5"], ["12", "York"])
    assert content("I was young.", source, ["Nora"]).invented == [] and content("", "") == ([], [])
