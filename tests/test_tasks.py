import pytest
import torch

from rnncourse import tasks


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_echo_is_what_was_read_lag_steps_ago():
    x, targets, mask = tasks.echo(9, 4, 3, seeded())
    assert torch.equal(targets[3:], (x[:-3, :, 0] > 0).long()) and not mask[:3].any() and mask[3:].all()


def test_a_cue_is_asked_for_lag_steps_later():
    x, targets, mask = tasks.cue(40, 8, 5, seeded())
    for t, b in mask.nonzero().tolist():
        assert x[t, b, 1] == 1 and x[t - 5, b, 0] == 2 * targets[t, b] - 1 and not x[t - 4 : t, b, :2].any()


def test_a_question_whose_cue_came_before_the_start_does_not_count():
    x, _, mask = tasks.cue(6, 64, 5, seeded())
    asked = x[..., 1] == 1
    assert torch.equal(mask, asked & (x[0, :, 0] != 0)) and 0 < mask.sum() < asked.sum()


def test_the_latch_holds_the_last_sign():
    x, targets, mask = tasks.latch(30, 5, 0.2, seeded())
    for b in range(5):
        held = 0
        for t in range(30):
            held = x[t, b, 0] or held
            assert mask[t, b] == (held != 0) and targets[t, b] == (held > 0)


@pytest.mark.parametrize("make", [lambda g: tasks.echo(7, 3, 2, g), lambda g: tasks.cue(7, 3, 2, g), lambda g: tasks.latch(7, 3, 0.3, g)])
def test_a_seed_fixes_a_task_and_shapes_are_those_of_the_course(make):
    one, same, other = make(seeded()), make(seeded()), make(seeded(1))
    assert all(map(torch.equal, one, same)) and not all(map(torch.equal, one, other))
    x, targets, mask = one
    assert x.shape[:2] == targets.shape == mask.shape == (7, 3) and x.dtype == torch.get_default_dtype()
    assert (targets.dtype, mask.dtype) == (torch.int64, torch.bool)


def test_adding_marks_one_number_in_each_half_and_constant_1_errs_by_a_sixth():
    x, targets = tasks.adding(9, 20_000, seeded())
    marked = x[..., 1] == 1
    assert (marked[:4].sum(0) == 1).all() and (marked[4:].sum(0) == 1).all() and marked.any(1).all()
    assert torch.equal(targets, (x[..., 0] * x[..., 1]).sum(0)) and x[..., 0].min() >= 0
    assert ((targets - 1) ** 2).mean().item() == pytest.approx(1 / 6, abs=0.01)


def test_temporal_order_has_two_letters_at_their_places_and_the_class_of_their_order():
    x, targets = tasks.temporal_order(20, 400, seeded())
    letters = x[..., :2].sum(-1) == 1  # (T, B)
    assert (letters[2:4].sum(0) == 1).all() and (letters[10:12].sum(0) == 1).all() and (letters.sum(0) == 2).all()
    for b in range(20):
        first, second = x[letters[:, b], b].argmax(-1).tolist()
        assert targets[b] == 2 * first + second
    assert targets.unique().tolist() == [0, 1, 2, 3] and (x.sum(-1) == 1).all()


def test_copy_says_at_the_end_what_it_heard_at_the_start():
    x, targets = tasks.copy(4, 5, n=3, K=8, generator=seeded())
    said = x.argmax(-1)
    assert torch.equal(targets[-3:], said[:3]) and (targets[:-3] == 8).all() and said[:3].max() < 8
    assert said[3:, 0].tolist() == [8, 8, 8, 8, 9, 8, 8]


@pytest.mark.parametrize("make, name", [
    (lambda: tasks.echo(5, 2, 0), "lag"),
    (lambda: tasks.cue(5, 2, 0), "lag"),
    (lambda: tasks.latch(5, 2, 0.0), "p"),
    (lambda: tasks.adding(1, 2), "T"),
    (lambda: tasks.temporal_order(9, 2), "T"),
    (lambda: tasks.copy(0, 2), "T"),
])  # fmt: skip
def test_bad_input_is_named(make, name):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got "):
        make()
