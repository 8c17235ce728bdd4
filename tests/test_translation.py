import itertools

import pytest
import torch

from rnncourse import models, text
from rnncourse.decoding import sample
from rnncourse.metrics import token_nll
from rnncourse.translation import Translator, batches, together

KINDS = [(c, s) for c in ("start", "every", "attention") for s in ("last", "mean")]
EACH = pytest.mark.parametrize("context, summary", KINDS)
SOURCES = [torch.tensor(ids) for ids in ([3, 4, 5, 6, 3], [7], [4, 4, 8])]
TARGETS = [torch.tensor(ids) for ids in ([3, 3], [6, 5, 4, 3], [5])]


def model(context="attention", summary="last"):
    torch.manual_seed(0)
    return Translator(9, 8, 5, 6, context, summary)


@EACH
def test_a_batch_says_what_its_items_say(context, summary):
    m, (source, lengths, target) = model(context, summary), together(SOURCES, TARGETS)
    logits = m(source, lengths, target.inputs)  # (T, B, V)
    for b, (s, t) in enumerate(zip(SOURCES, TARGETS)):
        one = together([s], [t])
        torch.testing.assert_close(logits[: len(t) + 1, b], m(*one[:2], one.target.inputs)[:, 0])


@EACH
@pytest.mark.parametrize("junk", [0, 5])
def test_padding_is_never_read(context, summary, junk):
    m, (source, lengths, target) = model(context, summary), together(SOURCES, TARGETS)
    beyond = torch.arange(len(source) + 4)[:, None] >= lengths
    longer = torch.cat([source, torch.zeros(4, 3, dtype=torch.int64)]).masked_fill(beyond, junk)
    torch.testing.assert_close(m(longer, lengths, target.inputs), m(source, lengths, target.inputs))
    changed = target.inputs.masked_fill(torch.cat([target.mask[:1], target.mask[:-1]]).logical_not(), 7)  # what is read after the last real target
    one, two = (token_nll(m(source, lengths, inputs), target.targets, target.mask) for inputs in (target.inputs, changed))
    torch.testing.assert_close(one, two)


@EACH
def test_a_step_at_a_time_says_what_teacher_forcing_says(context, summary):
    m, (source, lengths, target) = model(context, summary), together(SOURCES, TARGETS)
    whole, state, steps = m(source, lengths, target.inputs).log_softmax(-1), m.encode(source, lengths), []
    for tokens in target.inputs:
        log_probs, state = m.step(tokens, state)
        assert {len(part) for part in state.values()} == {3}  # rows first
        steps.append(log_probs)
    torch.testing.assert_close(torch.stack(steps), whole)


@EACH
def test_a_translation_does_not_see_its_own_future(context, summary):
    m, (source, lengths, target) = model(context, summary), together(SOURCES, TARGETS)
    other = target.inputs.clone()
    other[3:] = 7
    torch.testing.assert_close(m(source, lengths, other)[:3], m(source, lengths, target.inputs)[:3])


def test_attention_by_hand():
    m, (source, lengths, target) = model(), together(SOURCES, TARGETS)
    logits, state = m.decode(target.inputs, m.encode(source, lengths))
    for b, s in enumerate(SOURCES):
        seen, (h, c) = m.encoder(m.source_embedding(s))  # (S, H): one sentence without a batch
        for t, token in enumerate(target.inputs[:, b]):
            out, (h, c) = m.decoder(m.target_embedding(token[None]), (h, c))  # (1, H)
            scores = torch.stack([out[0] @ enc for enc in seen])  # (S,)
            weights = scores.exp() / scores.exp().sum()
            mean = sum(w * enc for w, enc in zip(weights, seen))  # (H,)
            above = torch.tanh(m.combine.weight @ torch.cat([mean, out[0]]))  # (H,)
            torch.testing.assert_close(logits[t, b], m.readout.weight @ above + m.readout.bias)
            torch.testing.assert_close(state["weights"][b, t, : len(s)], weights)
            assert not state["weights"][b, t, len(s) :].any()


def test_the_forget_gates_start_from_their_bias():
    m = Translator(9, 8, 5, 6, forget_bias=2.0)
    for rnn in (m.encoder, m.decoder):
        assert ((rnn.bias_ih_l0 + rnn.bias_hh_l0)[6:12] == 2).all() and not ((rnn.bias_ih_l0 + rnn.bias_hh_l0)[:6] == 2).any()


def test_fed_at_every_step_by_hand():
    m, (source, lengths, target) = model("every"), together(SOURCES[:1], TARGETS[:1])
    _, (h, c) = m.encoder(m.source_embedding(SOURCES[0]))
    x = torch.cat([m.target_embedding(target.inputs[:, 0]), h.expand(3, -1)], dim=1)  # (T, D + H)
    torch.testing.assert_close(m(source, lengths, target.inputs)[:, 0], m.readout(m.decoder(x, (h, c))[0]))


def test_a_mean_forgets_nothing_and_does_not_count_padding():
    m, (source, lengths, _) = model("start", "mean"), together(SOURCES, TARGETS)
    state = m.encode(source, lengths)
    for b, s in enumerate(SOURCES):
        wanted = m.bridge(m.encoder(m.source_embedding(s))[0].mean(dim=0))  # (2H,)
        torch.testing.assert_close(torch.cat([state["h"][b], state["c"][b]]), wanted)


@EACH
def test_every_parameter_learns_the_encoders_through_the_decoder(context, summary):
    m, (source, lengths, target) = model(context, summary), together(SOURCES, TARGETS)
    token_nll(m(source, lengths, target.inputs), target.targets, target.mask).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in m.parameters())
    read = m.source_embedding.weight.grad.abs().sum(dim=1) > 0
    assert read.tolist() == [False] * 3 + [True] * 6


@EACH
def test_it_learns_to_write_backwards(context, summary):
    generator = torch.Generator().manual_seed(0)
    words = [torch.randint(3, 8, (n,), generator=generator) for n in torch.randint(1, 4, (200,), generator=generator)]
    torch.manual_seed(0)
    m = Translator(8, 8, 8, 16, context, summary)
    many = batches(words, [w.flip(0) for w in words], 16, generator)
    list(models.learn(m, (token_nll(m(p.source, p.lengths, p.target.inputs), p.target.targets, p.target.mask) for p in many), 300, 0.03))
    some = together(words[:40], words[:40])
    with torch.no_grad():
        state = m.encode(some.source, some.lengths)
    said = sample(m.step, torch.full((40,), text.EOS), text.EOS, 8, temperature=0, state=state)
    assert sum(s == w.flip(0).tolist() for s, w in zip(said, words)) >= 36


def test_an_epoch_has_every_pair_once_and_near_lengths_together():
    sources = [torch.full((1 + i % 7,), i) for i in range(3, 103)]
    epoch = list(itertools.islice(batches(sources, sources, 8, torch.Generator().manual_seed(0), pool=3), 13))
    assert sorted(p.source[0, b].item() for p in epoch for b in range(len(p.lengths))) == list(range(3, 103))
    assert sum(p.target.mask.sum() for p in epoch) / sum(p.target.mask.numel() for p in epoch) > 0.8  # as they come: 0.6
    for p in epoch:
        assert all(set(p.target.targets[: n, b].tolist()) == {p.source[0, b].item()} for b, n in enumerate(p.lengths))


@pytest.mark.parametrize("call, message", [
    (lambda: Translator(9, 9, 4, 4, "end"), "context: expected one of"), (lambda: Translator(9, 9, 4, 4, summary="max"), "summary: expected one of"),
    (lambda: together(SOURCES, TARGETS[:2]), "3 translations"), (lambda: together([SOURCES[0], SOURCES[0][:0]], TARGETS[:2]), "at least one token each"),
    (lambda: next(batches(SOURCES, TARGETS[:2], 2, torch.Generator())), "as many of one"), (lambda: next(batches([], [], 2, torch.Generator())), "as many"),
])  # fmt: skip
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
