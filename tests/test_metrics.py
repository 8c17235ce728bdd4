import math

import pytest
import torch
from torch.nn import functional as F

from rnncourse.metrics import bits_per_character, perplexity, token_nll


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
