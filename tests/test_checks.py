"""The machinery of the checks, on a small exercise of its own."""

import functools
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch as th
import torch.nn as neural
from torch import nn
from torch.nn import RNN
from torch.nn.utils.rnn import pad_sequence

from rnncourse import checks, traces, unfold
from rnncourse.checks import CheckFailed, Exercise, Slip
from rnncourse.unfold import reverse

FORBIDDEN = ("torch.nn.RNN", "torch.nn.utils.rnn.pad_sequence", "torch.rnn_tanh_cell", "rnncourse.unfold.reverse", "rnncourse.cells.RNN")


def right(x, w, *, no_w=False, plus=False, cut=False, turned=False):
    y = x if no_w else x @ w.T if turned else x @ w  # (B, D) @ (D, H) -> (B, H)
    y = y + 1 if plus else y
    return y.detach() if cut else y


def helper(x, w):
    raise NotImplementedError("Exercise 1: help")


def cases(g):
    return [(torch.randn(B, D, generator=g), torch.randn(D, H, generator=g)) for B, D, H in ((2, 3, 4), (4, 2, 3))]


SLIPS = (Slip("no_w", "w is ignored", "page.html#sec-w"), Slip("plus", "1 is added", "page.html#sec-plus"),
         Slip("cut", "the graph is cut", "page.html#sec-cut"), Slip("turned", "w is turned round", "page.html#sec-w"))
product = Exercise("Exercise 2", 3, right, SLIPS, cases, "page.html", forbids=FORBIDDEN, axes="b unit",
                   lends={"helper": lambda x, w: x @ w})
named = Exercise("Exercise 3", 3, right, SLIPS, cases, "page.html", returns=("y",), axes="b unit")
lab_0 = runpy.run_path(str(Path(__file__).parents[1] / "solutions" / "arrive" / "check.py"))["step"]
rnn, pad = nn.RNN(3, 4), pad_sequence


def message(answer, exercise=product):
    with pytest.raises(CheckFailed) as failed:
        exercise(answer)
    return str(failed.value)


# What is right


def test_a_right_answer_is_told_its_points(capsys):
    product(lambda x, w: x @ w)
    assert capsys.readouterr().out == "Exercise 2: right, 3 points\n"


class Module(nn.Module):
    def forward(self, x, w):
        return helper(x, w)


class Caller:
    def __call__(self, x, w):
        return helper(x, w)


@functools.wraps(helper)
def decorated(*arguments):
    return torch.einsum("bd,dh->bh", *arguments)


def wide(x, w):
    return (x.double()[:, :, None] * w.double()).sum(1)


def defaults(x, w=None, *rest, strict=True):
    return x @ w


def filled(x, w):
    y = torch.empty(len(x), w.shape[1])
    for b in range(len(x)):
        y[b] = x[b] @ w
    return y


@pytest.mark.parametrize("answer", [Module(), Caller(), decorated, wide, defaults, filled, functools.partial(wide), torch.matmul])
def test_any_callable_that_computes_the_same_is_right(answer):
    product(answer)


def test_whole_numbers_arrays_and_sequences_are_compared_by_value():
    count = Exercise("Exercise 1", 1, lambda n: torch.arange(n), (), lambda g: [(4,), (6,)], "page.html")
    for answer in (lambda n: list(range(n)), lambda n: np.arange(n - 1, -1, -1)[::-1], lambda n: torch.arange(n).float()):
        count(answer)
    assert count.diagnose(count.trace(lambda n: n > 0, [(4,)]), [(4,)]) is None


def test_an_answer_may_have_turned_gradients_off_elsewhere():
    with torch.no_grad():
        product(lambda x, w: x @ w)




def off(x, w):
    torch.set_grad_enabled(False)
    return x @ w


def test_an_answer_that_leaves_gradients_turned_off_is_told_so():
    assert "it leaves gradients turned off" in message(off)
    assert torch.is_grad_enabled()


def test_a_change_of_an_argument_is_noted(capsys):
    ints = Exercise("Exercise 1", 1, lambda ids: ids + 1, (), lambda g: [(torch.arange(3),)], "page.html")
    ints(lambda ids: ids.add_(1))
    assert capsys.readouterr().out.splitlines()[1].startswith("(It changes ids in place")


# What is wrong


def test_a_mistake_is_named_with_the_section_to_read():
    says = message(lambda x, w: x @ w + 1)
    assert says.startswith("Exercise 2: not yet.\n- 1 is added. Read page.html#sec-plus in the book.\n"
                           "With x (2, 3), w (3, 4): 8 of 8 values differ, first at b = 0, unit = 0: expected ")


def test_two_mistakes_are_both_named():
    says = message(lambda x, w: x + 1)
    assert "w is ignored" in says and "1 is added" in says


def test_a_mistake_that_raises_is_named_by_what_it_raises():
    says = message(lambda x, w: torch.mm(x, w.t()))
    assert "w is turned round" in says and "it raised RuntimeError" in says and "in line" in says and "torch.mm(x, w.t())" in says


def test_an_unknown_mistake_is_told_where_it_begins_and_what_to_read():
    says = message(lambda x, w: (x @ w) * torch.tensor([1, 1, 1, 2])[: w.shape[1]])
    assert "2 of 8 values differ, first at b = 0, unit = 3: expected" in says and says.endswith("Read page.html in the book.")


def test_an_exception_is_laid_to_one_slip_and_to_its_line_only():
    def raising(x, *, a=False, b=False, c=False):
        if a:
            raise ValueError("too small")
        return x[5] if b else x + c

    slips = (Slip("a", "a is it", "", r"^raise"), Slip("b", "b is it", ""), Slip("c", "c is it", ""))
    exercise = Exercise("Exercise 1", 1, raising, slips, lambda g: [(torch.ones(2),)], "page.html")

    def by_line(x):
        raise ValueError("too small")

    def by_another(x):
        return refused(x)

    def refused(x):
        error = ValueError("too small")
        if len(x):
            exec("raise error", {"error": error})

    assert "a is it" in message(by_line, exercise) and "a is it" not in message(by_another, exercise)
    got = exercise.trace(lambda x: (x + 1)[5], [(torch.ones(2),)])
    assert [slip.switch for slip in exercise.diagnose(got, [(torch.ones(2),)])] == ["b"]
    assert not exercise.agree(got, [(torch.ones(2),)], slips[1:])


def test_a_row_of_another_length_is_told_by_its_numbers():
    row = Exercise("Exercise 1", 1, lambda x: x, (), lambda g: [(torch.ones(3),)], "page.html", returns=("y",))
    assert "y has 1 number, expected 3." in message(lambda x: x[:1], row)
    assert "y is an int, expected a tensor" in message(lambda x: 3, row)
    assert "y is a tuple of 1 thing, expected a tensor" in message(lambda x: (x,), row)


@pytest.mark.parametrize("change", [lambda h: (h,), lambda h: [h], lambda h: {"h": h}, torch.squeeze])
def test_lab_0_wants_one_tensor_with_an_axis_for_the_batch(change):
    lab_0(lambda h, x, w, u: torch.tanh(w * h + u * x))
    says = message(lambda h, x, w, u: change(torch.tanh(w * h + u * x)), lab_0)
    assert "the new state is a" in says or "the new state has shape (), expected (1,)" in says


def kept_by_size(h, x, w, u, kept={}):  # noqa: B006
    key = (h.shape, w, u)
    if key not in kept:
        kept[key] = torch.tanh(w * h + u * x)
    return kept[key]


def test_lab_0_finds_what_is_kept_by_size():
    assert "not yet" in message(kept_by_size, lab_0)


def test_a_shape_is_told_with_its_order():
    assert "y has shape (4, 2), expected (2, 4): the same axes in another order." in message(lambda x, w: (x @ w).T, named)


def test_a_name_of_two_words_is_not_taken_for_two_axes():
    twice = Exercise("Exercise 1", 1, lambda x: (x, x), (), lambda g: [(torch.ones(2, 3),)], "page.html", returns=("the sum", "the rest"))
    assert "in the rest, 6 of 6 values differ, first at index [0, 0]: expected 1, got 2." in message(lambda x: (x, x + 1), twice)


def test_a_value_that_stands_for_something_else_is_told_in_words():
    words = lambda name, at, wanted, got: f"{name} {at} is {'refused' if got < 0 else 'wrong'}" if wanted == 1 else ""  # noqa: E731
    code = Exercise("Exercise 1", 1, lambda x: x, (), lambda g: [(torch.ones(2),)], "page.html", returns=("y",), words=words)
    assert "With x (2,): y (1,) is refused.\n" in message(lambda x: x * torch.tensor([1.0, -1.0]), code)
    twos = Exercise("Exercise 1", 1, lambda x: 2 * x, (), lambda g: [(torch.ones(2),)], "page.html", returns=("y",), words=words)
    assert "expected 2, got 1" in message(lambda x: x, twos)


@pytest.mark.parametrize("answer,says", [
    (lambda x, w: None, "is a return missing?"),
    (lambda x, w: "x @ w", "y is a str, expected a tensor"),
    (lambda x, w: (y for y in x @ w), "y is a generator, expected a tensor"),
    (lambda x, w: [*(x @ w)], "y is a list, expected a tensor"),
    (lambda x, w: (x @ w, x @ w), "y is a tuple of 2 things, expected a tensor"),
    (lambda x: x, "it raised TypeError: <lambda>() takes 1 positional argument but 2 were given"),
    (nn.Module, "it raised TypeError"),
])  # fmt: skip
def test_what_cannot_be_compared_is_told_by_its_kind(answer, says):
    assert says in message(answer, named)


@pytest.mark.parametrize("result,says", [(None, "is a return missing?"), ({1, 2}, "it returned a set, expected a tensor"),
                                         ("a", "it returned a str")])
def test_where_results_have_no_names_their_kind_is_told_too(result, says):
    assert says in message(lambda x, w: result)


def endless(x, w):
    return endless(x, w)


def test_endless_recursion_is_an_answer_like_others():
    assert "RecursionError" in message(endless)


def test_an_answer_that_is_no_function_is_told_so():
    assert "expected a function, got Tensor" in message(torch.zeros(3))


@torch.no_grad()
def without_grad(x, w):
    return x @ w


@pytest.mark.parametrize("answer", [without_grad, torch.inference_mode()(lambda x, w: x @ w), lambda x, w: torch.tensor((x @ w).tolist()),
                                    lambda x, w: x.data @ w.data, lambda x, w: x.detach().numpy() @ w.detach().numpy()])  # fmt: skip
def test_a_cut_graph_is_named(answer):
    assert "the graph is cut" in message(answer) and "no gradient flows back to x" in message(answer)


def test_a_gradient_that_is_cut_at_one_argument_is_told_with_its_name():
    assert "the values are right, but no gradient flows back to w" in message(lambda x, w: x @ w.detach())


def test_a_gradient_that_is_another_one_is_told_without_a_guess():
    told = message(lambda x, w: x @ w.detach() + (x @ w - (x @ w).detach()) * 0.5)
    assert "but another gradient than expected flows back to x." in told and "cut" not in told


def overwritten(x, w):
    y = torch.exp(x @ w)
    z = y.log()
    y.zero_()
    return z


def test_a_backward_pass_that_fails_is_told():
    assert "the values are right, but backward() would fail: one of the variables" in message(overwritten)


def grows(x, w, seen=[]):  # noqa: B006
    seen.append(x @ w)
    return torch.stack(seen).sum(0)


SEEN = []


def remembers(x, w):
    SEEN.append(1)
    return x @ w if len(SEEN) < 3 else x @ w + 1


class Keeps:
    def __init__(self):
        self.x = None

    def __call__(self, x, w):
        old, self.x = self.x, x.detach()
        return x @ w if old is None or old.shape != x.shape else (x + old) @ w / 2 + 1e-2


@pytest.mark.parametrize("answer", [remembers, Keeps(), lambda x, w: torch.nn.functional.dropout(x @ w),
                                    lambda x, w: x @ torch.randn(w.shape)])  # fmt: skip
def test_an_answer_that_changes_from_call_to_call_is_told_so(answer):
    assert "Called twice with the same arguments" in message(answer)


def unfilled(x, w):
    y = torch.empty(len(x), w.shape[1])
    y[:, 1:] = (x @ w)[:, 1:]
    return y


@pytest.mark.parametrize("make", [lambda: torch.empty(2, 3), lambda: torch.empty_like(torch.ones(2)), lambda: torch.ones(2).new_empty(3)])
def test_memory_that_is_not_filled_holds_no_number_by_luck(make):
    with traces.Watched({}):
        assert make().isnan().all() and not torch.zeros(2).isnan().any()
        assert (torch.empty(3, dtype=torch.int8) == 127).all() and torch.empty(2, dtype=torch.bool).all()
        assert torch.empty(2, requires_grad=True).requires_grad
    assert "got nan (not a number; what torch.empty makes is that too" in message(unfilled)


def test_an_answer_that_collects_between_calls_is_refused():
    assert "not yet" in message(grows)


# What is blank


def test_a_blank_function_is_told_apart_from_a_wrong_one():
    def blank(x, w):
        raise NotImplementedError("Exercise 2: a product")

    with pytest.raises(NotImplementedError, match="Exercise 2: a product"):
        product(blank)


def test_what_torch_has_not_implemented_is_not_a_blank():
    assert "it raised NotImplementedError" in message(lambda x, w: torch.ops.aten.mm(x.to("meta"), w).item())


def test_a_notebook_shows_the_message_alone():
    with pytest.raises(CheckFailed) as failed:
        product(lambda x, w: x)
    assert failed.value._render_traceback_() == [str(failed.value)]
    with pytest.raises(NotImplementedError) as blank:
        Exercise("Exercise 9", 1, right, (), cases, "page.html")(helper)
    assert blank.value._render_traceback_() == ["NotImplementedError: Exercise 1: help"]


# What is not to be used


def by_local_import(x, w):
    from torch.nn.utils.rnn import pad_sequence as mine
    return mine([x, w])


def by_subclass(x, w):
    class Mine(nn.RNN):
        pass

    return Mine(3, 4)(x)


def by_helper(x, w):
    return by_name(x, w)


def by_default(x, w, f={"p": pad_sequence}):  # noqa: B006
    return f["p"]([x, w])


def by_default_of_the_core(x, w, cell=torch.rnn_tanh_cell):
    return cell(x, x, w, w)


def by_name(x, w):
    return RNN(x.shape[1], w.shape[1])(x)[0]


@pytest.mark.parametrize("answer", [
    by_name, by_local_import, by_subclass, by_helper, lambda x, w: nn.RNN(3, 4)(x), lambda x, w: neural.RNN(3, 4), lambda x, w: rnn(x)[0],
    lambda x, w: pad_sequence([x, w]), lambda x, w: pad([x, w]), lambda x, w: neural.utils.rnn.pad_sequence([x]),
    lambda x, w: th.rnn_tanh_cell(x, x, w, w), by_default, by_default_of_the_core, lambda x, w: torch._VF.rnn_tanh_cell(x, x, w, w),
    lambda x, w: torch.ops.aten.rnn_tanh_cell(x, x, w, w), lambda x, w: torch.ops.aten.rnn_tanh_cell.default(x, x, w, w),
    lambda x, w: right(x, w), lambda x, w: product.truth(x, w), lambda x, w, f=right: f(x, w),
    lambda x, w: reverse(x), lambda x, w: unfold.reverse(x), torch.no_grad()(lambda x, w: reverse(x)),
])  # fmt: skip
def test_what_an_exercise_forbids_is_refused_under_any_name(answer):
    says = message(answer)
    assert says.startswith("Exercise 2: not yet.\nExercise 2 asks you to write this yourself: ")


def test_a_function_with_a_closure_is_refused_too():
    plus = 0

    def truth(x):
        return x + plus

    assert "the check's truth is not to be used here" in message(lambda x: truth(x), Exercise(
        "Exercise 1", 1, truth, (), lambda g: [(torch.ones(2),)], "page.html"))
    assert truth(1) == 1


def test_after_a_check_everything_works_again():
    message(by_helper)
    message(lambda x, w: right(x, w))
    assert torch.rnn_tanh_cell(*[torch.ones(2, 2)] * 4).shape == right(torch.ones(2, 3), torch.ones(3, 2)).shape == (2, 2)
    assert nn.RNN(3, 4)(torch.zeros(2, 3))[0].shape == rnn(torch.zeros(2, 3))[0].shape == (2, 4)
    assert len(pad([torch.zeros(2)])) == 2 and torch.equal(reverse(torch.arange(3)), unfold.reverse(torch.arange(3)))
    with pytest.raises(NotImplementedError):
        helper(1, 2)


@pytest.mark.parametrize("answer", [lambda x, w: helper(x, w), Module(), Caller(), Module().forward, functools.partial(Module()),
                                    functools.partial(lambda f, x, w: helper(x, w), 0)])  # fmt: skip
def test_earlier_exercises_are_lent_to_every_kind_of_answer(answer):
    product(answer)


def test_a_lent_function_reaches_through_decorators():
    assert "the graph is cut" in message(torch.no_grad()(lambda x, w: helper(x, w)))


# The bank


def test_slips_that_the_cases_do_not_tell_apart_are_found():
    slips = tuple(Slip(switch, "", "") for switch in "abc")
    truth = lambda x, *, a=False, b=False, c=False: x + (a or b)  # noqa: E731
    twice = Exercise("Exercise 1", 1, truth, slips, lambda g: [(torch.ones(2),)], "page.html")
    assert twice.twins() == [("", "c"), ("a", "b")] and product.twins() == []


def test_what_is_judged_is_plain_data():
    data = cases(torch.Generator().manual_seed(0))
    got = pickle.loads(pickle.dumps(product.trace(lambda x, w: x @ w + 1, data)))
    assert [slip.switch for slip in product.diagnose(got, data)] == ["plus"]


# Predictions


def test_a_prediction_is_shown_beside_what_is_measured(capsys):
    checks.predict("share", None, ["half", "all"])
    checks.compare("share", "half")
    checks.predict("share", "all", ["half", "all"])
    checks.compare("share", "half")
    said = capsys.readouterr().out.splitlines()
    assert said == ["no prediction yet: replace None by one of ['half', 'all']", "no prediction; measured: 'half'", "noted: 'all'",
                    "you predicted 'all'; measured: 'half'"]


@pytest.mark.parametrize("guess, choices", [("none", ["half", "all"]), ("six", None)])
def test_what_is_no_prediction_is_told_and_not_noted(guess, choices, capsys):
    checks.GUESSES.clear()
    checks.predict("share", guess, choices)
    assert capsys.readouterr().out.startswith("not a prediction: expected") and checks.GUESSES == {}
