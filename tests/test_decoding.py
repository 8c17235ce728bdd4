import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncourse.decoding import beam, best, columns, exhaustive, greedy, rows, sample, truncate
from rnncourse.models import LanguageModel

EOS, SEEDS, ALPHAS = 1, st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 1.0, 2.0])
few = settings(max_examples=25)


def tree(probabilities, V=4):
    """A step over letters A B C and the end ".", by what was written so far; what is not listed leaves all equally likely."""

    def step(tokens, past):
        past = tokens[:, None] if past is None else torch.cat([past, tokens[:, None]], dim=1)  # (N, t)
        written = ["".join("ABC."[i] for i in row[1:]) for row in past.tolist()]
        return torch.tensor([probabilities.get(w, [1 / V] * V) for w in written], dtype=torch.float64).log(), past

    return step


LECTURE = {"": [0.5, 0.2, 0.2, 0.1], "A": [0.1, 0.4, 0.3, 0.2], "AB": [0.2, 0.2, 0.4, 0.2], "ABC": [0.0, 0.2, 0.2, 0.6],
           "AC": [0.1, 0.6, 0.2, 0.1], "ACB": [0.1, 0.2, 0.1, 0.6]}  # fmt: skip
WORSE = {"": [0.4, 0.35, 0.25, 0.0], "A": [0.3, 0.25, 0.25, 0.2], "B": [0.5, 0.5, 0.0, 0.0], "AA": [0.0, 0.0, 0.0, 1.0]}


def searched(probabilities, k, maximum, **rest):
    """What a beam finds in such a tree, and its probability."""
    ((h, *_),) = beam(tree(probabilities), torch.tensor([0]), 3, k, maximum, **rest)
    return "".join("ABC."[i] for i in h.tokens), pytest.approx(math.exp(h.log_prob))


def network(seed, V=4, cell="LSTM", eos=0.0):
    """A small network whose next token depends on all that it has read; ``eos`` is added to the logit of EOS."""
    torch.manual_seed(seed)
    model = LanguageModel(V, 3, 5, cell).double()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(4.0)
        model.decoder.bias[EOS] += eos
    return model


def rescored(model, start, tokens):
    """The log-probability of some tokens under teacher forcing."""
    ids = torch.tensor([start, *tokens])  # (N + 1,)
    return model(ids[:-1, None])[0][:, 0].log_softmax(-1).gather(1, ids[1:, None]).sum().item()


def test_the_lectures_greedy_path_is_not_the_likeliest_and_a_beam_of_two_finds_its_second_table():
    assert searched(LECTURE, 1, 4) == ("ABC.", 0.048)
    assert searched(LECTURE, 2, 4) == ("ACB.", 0.054)


def test_in_the_lectures_tables_a_beam_of_three_prefers_two_tokens_and_length_normalisation_mends_it():
    assert searched(LECTURE, 3, 4) == ("A.", 0.1)
    assert searched(LECTURE, 3, 4, alpha=0.75) == ("ACB.", 0.054)


def test_a_wider_beam_can_find_something_worse():
    assert [searched(WORSE, k, 3) for k in (1, 2, 3)] == [("AA.", 0.12), ("BAA", 0.04375), ("AA.", 0.12)]


@few
@given(SEEDS, st.sampled_from([(3, 3), (4, 3), (3, 5)]), ALPHAS, st.sampled_from([-2.0, 0.0, 2.0]))
def test_a_beam_that_is_wide_enough_finds_what_trying_everything_finds(seed, size, alpha, eos):
    (V, maximum), start = size, torch.tensor([0, 2])
    model = network(seed, V, eos=eos)
    wide = beam(model.step, start, EOS, V**maximum, maximum, n=5, alpha=alpha, select=columns)
    every = exhaustive(model.step, start, EOS, maximum, n=5, alpha=alpha, select=columns)
    for a, b in zip(wide, every):
        assert [h.score for h in a] == pytest.approx([h.score for h in b]) and a[0].tokens == b[0].tokens


@few
@given(SEEDS, st.sampled_from(["RNN", "GRU", "LSTM"]))
def test_a_beam_of_one_is_greedy(seed, cell):
    model, start = network(seed, 7, cell), torch.tensor([0, 2, 5])
    narrow = beam(model.step, start, EOS, 1, 8, select=columns)
    assert [[i for i in h.tokens if i != EOS] for (h,) in narrow] == greedy(model.step, start, EOS, 8)


@few
@given(SEEDS, st.integers(1, 6), ALPHAS)
def test_every_score_is_that_of_teacher_forcing_and_what_has_ended_is_not_extended(seed, k, alpha):
    model = network(seed, 6, eos=1.0)
    for start, several in zip((0, 3), beam(model.step, torch.tensor([0, 3]), EOS, k, 7, n=k, alpha=alpha, select=columns)):
        for h in several:
            assert h.log_prob == pytest.approx(rescored(model, start, h.tokens), abs=1e-5)
            assert h.score == pytest.approx(h.log_prob / len(h.tokens) ** alpha)
            assert EOS not in h.tokens[:-1] and (h.tokens[-1] == EOS or len(h.tokens) == 7)
        assert len({tuple(h.tokens) for h in several}) == k


@few
@given(SEEDS, st.integers(1, 5), ALPHAS)
def test_a_batch_is_its_items_one_by_one(seed, k, alpha):
    model, start = network(seed, 6, "GRU", eos=1.0), torch.tensor([0, 2, 5, 3])
    together = beam(model.step, start, EOS, k, 9, n=k, alpha=alpha, select=columns)
    apart = [beam(model.step, start[b : b + 1], EOS, k, 9, n=k, alpha=alpha, select=columns)[0] for b in range(4)]
    assert [[h.tokens for h in several] for several in together] == [[h.tokens for h in several] for several in apart]


@few
@given(SEEDS, st.integers(2, 5), ALPHAS)
def test_stopping_early_changes_nothing(seed, k, alpha):
    calls, model = [], network(seed, 5, eos=3.0)

    def counted(tokens, state):
        calls.append(len(tokens))
        return model.step(tokens, state)

    ((early, *_),) = beam(counted, torch.tensor([0]), EOS, k, 12, alpha=alpha, select=columns)
    ((late, *_),) = beam(model.step, torch.tensor([0]), EOS, k, 12, n=k, alpha=alpha, select=columns)  # n = k goes on for longer
    assert early.tokens == late.tokens and early.log_prob == pytest.approx(late.log_prob)
    assert calls == [k] * len(calls) and len(calls) <= 12


def test_a_search_stops_as_soon_as_nothing_can_change():
    calls = []
    step = tree({"": [0.1, 0.1, 0.1, 0.7]})
    ((h,),) = beam(lambda *a: calls.append(1) or step(*a), torch.tensor([0]), 3, 3, 50)
    assert (h.tokens, len(calls)) == ([3], 1)


def test_a_first_end_does_not_stop_a_search_that_is_ranked_per_token():
    late = {"": [0.6, 0.0, 0.0, 0.4], "A": [0.9, 0.0, 0.0, 0.1], "AA": [0.9, 0.0, 0.0, 0.1], "AAA": [0.0, 0.0, 0.0, 1.0]}
    assert searched(late, 2, 4, alpha=1.0) == ("AAA.", 0.486)


def test_of_equal_scores_the_one_with_the_better_beginning_wins_and_then_the_smaller_token():
    assert searched({}, 2, 1)[0] == "A"
    assert searched({"": [0.25, 0.5, 0.25, 0.0], "A": [1.0, 0.0, 0.0, 0.0], "B": [0.5, 0.5, 0.0, 0.0]}, 3, 2)[0] == "BA"


def test_sequences_of_probability_zero_are_not_returned():
    (several,) = beam(tree({"": [0.5, 0.0, 0.0, 0.5], "A": [0.0, 0.0, 0.0, 1.0]}), torch.tensor([0]), 3, 4, 5, n=4)
    assert [h.tokens for h in several] == [[0, 3], [3]]


def test_a_beam_may_be_wider_than_the_vocabulary():
    several = beam(tree({}), torch.tensor([0]), 3, 12, 2, n=12)[0]
    assert len({tuple(h.tokens) for h in several}) == 12


@pytest.mark.parametrize("rest", [{"k": 0}, {"k": 2, "n": 3}, {"k": 2, "maximum": 0}, {"k": 2, "alpha": -1.0}])
def test_a_beam_without_sense_is_told(rest):
    with pytest.raises(ValueError, match="expected"):
        beam(tree({}), torch.tensor([0]), 3, **{"maximum": 3, **rest})


@few
@given(SEEDS, st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_the_best_of_equals_are_the_first(seed, N, k, impossible):
    values = torch.randint(4, (3, N), generator=torch.Generator().manual_seed(seed)).float()
    values[values == 0] = -math.inf if impossible else 0.0
    top, place = best(values, k)
    wanted, first = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(top, wanted[:, :k]) and (place == first[:, :k])[top.isfinite()].all()


def test_a_state_may_be_any_tree_of_tensors():
    state = {"h": torch.arange(3.0), "pair": (torch.arange(6).view(3, 2), [torch.arange(3)]), "none": None}
    new = rows(state, torch.tensor([2, 0]))
    assert new["h"].tolist() == [2, 0] and new["pair"][0].tolist() == [[4, 5], [0, 1]] and new["pair"][1][0].tolist() == [2, 0] and new["none"] is None
    assert columns((torch.arange(6).view(1, 3, 2),), torch.tensor([1]))[0].tolist() == [[[2, 3]]]


P = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.1, 0.1]]).log()


@pytest.mark.parametrize("top_p, kept", [(0.05, [[1], [0]]), (0.4, [[1], [0]]), (0.45, [[1, 3], [0]]), (0.75, [[1, 2, 3], [0, 1]]), (1.0, [[0, 1, 2, 3]] * 2)])
def test_the_nucleus_is_the_fewest_tokens_that_reach_its_share_the_crossing_one_included(top_p, kept):
    assert [row.isfinite().nonzero()[:, 0].tolist() for row in truncate(P, top_p=top_p)] == kept


def test_what_is_kept_shares_the_probability_and_keeps_its_proportions():
    p = truncate(P, top_k=2).softmax(dim=1)
    torch.testing.assert_close(p, torch.tensor([[0, 4 / 7, 0, 3 / 7], [7 / 8, 1 / 8, 0, 0]]))
    torch.testing.assert_close(truncate(P, top_k=3, top_p=0.7).softmax(dim=1), torch.tensor([[0, 4 / 7, 0, 3 / 7], [1.0, 0, 0, 0]]))


def test_samples_of_the_nucleus_and_of_the_top_k_stay_inside():
    model, g = network(0, 6), torch.Generator().manual_seed(0)
    for rest in ({"top_k": 1}, {"top_p": 1e-6}):
        drawn = sample(model.step, torch.tensor([0] * 20), EOS, 5, g, **rest)
        assert drawn == greedy(model.step, torch.tensor([0] * 20), EOS, 5)


@pytest.mark.parametrize("rest", [{"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.2}])
def test_a_truncation_without_sense_is_told(rest):
    with pytest.raises(ValueError, match="expected"):
        truncate(P, **rest)
