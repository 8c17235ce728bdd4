import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnncourse import cells
from rnncourse.unfold import both_ways, last, reverse, stacked, summary, unfold, unfold_back


def batch(lengths, D=3):
    return torch.randn(max(lengths), len(lengths), D), torch.tensor(lengths)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_padded_batches_both_ways_equal_packed_torch(lengths):
    x, lengths = batch(lengths)
    module = nn.RNN(3, 4, bidirectional=True)
    packed, h_n = module(pack_padded_sequence(x, lengths, enforce_sorted=False))
    theirs, _ = pad_packed_sequence(packed)
    mine = both_ways(cells.from_torch(module), cells.from_torch(module, backward=True), x, lengths)
    real = torch.arange(len(x))[:, None] < lengths
    assert torch.allclose(theirs[real], mine[real], atol=1e-6)
    assert torch.allclose(torch.cat([*h_n], dim=-1), summary(mine, lengths), atol=1e-6)


def test_padding_never_reaches_a_real_step():
    x, lengths = batch([2, 5])
    spoiled = x.clone()
    spoiled[2:, 0] = float("nan")
    forth, back = cells.RNN(3, 4), cells.RNN(3, 4)
    clean, dirty = (summary(both_ways(forth, back, z, lengths), lengths) for z in (x, spoiled))
    assert torch.equal(clean, dirty)


def test_reversing_twice_changes_nothing():
    x, lengths = batch([1, 4, 3])
    assert torch.equal(reverse(reverse(x, lengths), lengths), x)


def test_a_batch_equals_its_sequences_one_by_one():
    x, lengths = batch([2, 5, 1])
    cell = cells.RNN(3, 4)
    alone = [unfold(cell, x[:n, b : b + 1])[1][0] for b, n in enumerate(lengths)]
    assert torch.allclose(last(unfold(cell, x)[0], lengths), torch.stack(alone), atol=1e-6)


def test_a_sequence_may_be_unfolded_in_two_parts():
    cell, x = cells.RNN(3, 4), torch.randn(7, 2, 3)
    whole, end = unfold(cell, x)
    first, s = unfold(cell, x[:4])
    second, s = unfold(cell, x[4:], s)
    assert torch.equal(torch.cat([first, second]), whole) and torch.equal(s, end)


def test_the_state_of_a_backward_pass_is_at_the_first_step():
    cell, x = cells.RNN(3, 4), torch.randn(7, 2, 3)
    h, s = unfold_back(cell, x)
    assert torch.equal(h[0], s)


@pytest.mark.parametrize("call, name", [
    (lambda: unfold(cells.RNN(3, 4), torch.ones(5, 3)), "x"),
    (lambda: unfold(cells.RNN(3, 4), torch.ones(0, 2, 3)), "x"),
    (lambda: last(torch.ones(5, 2, 4), torch.tensor([0, 5])), "lengths"),
    (lambda: last(torch.ones(5, 2, 4), torch.tensor([1, 6])), "lengths"),
    (lambda: reverse(torch.ones(5, 2, 4), torch.tensor([1, 2, 3])), "lengths"),
    (lambda: summary(torch.ones(5, 2, 3)), "h"),
    (lambda: stacked([], torch.ones(5, 2, 3)), "layers"),
])  # fmt: skip
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got "):
        call()
