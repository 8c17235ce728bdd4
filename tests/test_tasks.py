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


@pytest.mark.parametrize("make, name", [
    (lambda: tasks.echo(5, 2, 0), "lag"),
    (lambda: tasks.cue(5, 2, 0), "lag"),
    (lambda: tasks.latch(5, 2, 0.0), "p"),
])  # fmt: skip
def test_bad_input_is_named(make, name):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got "):
        make()
