import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rnncourse import training
from rnncourse.cells import RNN
from rnncourse.unfold import unfold


class Elsewhere(nn.Module):
    """A cell whose state is a pair of tensors."""

    def __init__(self):
        super().__init__()
        self.a, self.b = RNN(2, 3).double(), RNN(2, 3).double()

    def start(self, x):
        return self.a.start(x), self.b.start(x)

    def inputs(self, x):
        return torch.cat([self.a.inputs(x), self.b.inputs(x)], -1)

    def step(self, p_t, s):
        p, q = p_t.chunk(2, -1)
        h, _ = self.a.step(p + s[1], s[0])
        return h, (h, self.b.step(q, s[1])[1])


def problem(T, cell=None):
    """A cell, inputs, and a loss that reads the outputs of some steps against the targets of all."""
    torch.manual_seed(T)
    cell, y = cell or RNN(2, 3).double(), torch.randn(T, 2, 3).double()
    return cell, torch.randn(T, 2, 2).double(), lambda h, steps: ((h - y[steps]) ** 2).sum()


def summed(cell, x, loss, k1, k2, s=None):
    """The gradients of all windows, added up, as one vector; and the sum of their losses."""
    cell.zero_grad()
    total = 0.0
    for E in training.tbptt(cell, x, loss, k1, k2, s):
        E.backward()
        total += E.item()
    return torch.cat([p.grad.flatten() for p in cell.parameters()]), total


def full(cell, x, loss, s=None):
    E = loss(unfold(cell, x, s)[0], slice(0, len(x)))
    return torch.cat([g.flatten() for g in torch.autograd.grad(E, [*cell.parameters()])]), E.item()


@pytest.mark.parametrize("make", [lambda: None, Elsewhere])
@pytest.mark.parametrize("k1", [1, 2, 4, 7, 11, 30])
def test_going_back_to_the_start_gives_the_full_gradient(k1, make):
    cell, x, loss = problem(11, make())
    (ours, total), (theirs, E) = summed(cell, x, loss, k1, max(k1, 11)), full(cell, x, loss)
    assert (ours - theirs).norm() <= 1e-12 * theirs.norm() and total == pytest.approx(E, rel=1e-12)


@given(st.integers(1, 9), st.integers(1, 10), st.integers(0, 10), st.booleans())
def test_each_loss_goes_back_to_its_windows_start_and_no_further(T, k1, extra, started):
    k2, (cell, x, loss) = k1 + extra, problem(T)
    s = torch.randn(2, 3).double() if started else None
    h = torch.cat([cell.start(x)[None] if s is None else s[None], unfold(cell, x, s)[0].detach()])
    expected, done = 0, 0
    for end in [*range(k1, T, k1), T]:
        begin = max(0, end - k2)
        expected += full(cell, x[begin:end], lambda g, _, a=begin, b=done, c=end: loss(g[b - a :], slice(b, c)), h[begin])[0]
        done = end
    assert torch.allclose(summed(cell, x, loss, k1, k2, s)[0], expected, atol=1e-12)


def test_a_tail_is_a_window_of_its_own():
    seen = []
    cell, x, loss = problem(10)
    for _ in training.tbptt(cell, x, lambda h, steps: seen.append((len(h), steps)) or loss(h, steps), 4, 6):
        pass
    assert seen == [(4, slice(0, 4)), (4, slice(4, 8)), (2, slice(8, 10))]


def test_weights_may_change_between_windows():
    cell, x, loss = problem(12)
    optimizer = torch.optim.SGD(cell.parameters(), 0.01)
    records = [*training.fit(cell, training.tbptt(cell, x, loss, 2, 5), optimizer)]
    assert [r.step for r in records] == [*range(6)]


def regression(w=0.0):
    """One weight and one target: the loss is (w - 1)^2."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, w)
    return model, (((model.weight - 1) ** 2).sum() for _ in range(50))


def test_a_record_tells_the_loss_before_the_step_and_the_norm_before_clipping():
    model, losses = regression()
    first = next(training.fit(model, losses, torch.optim.SGD(model.parameters(), 0.25), max_norm=1.0))
    assert first == (0, 1.0, 2.0) and model.weight.item() == 0.25


def test_training_ends_at_the_minimum():
    model, losses = regression()
    last = [*training.fit(model, losses, torch.optim.SGD(model.parameters(), 0.25))][-1]
    assert last.step == 49 and last.loss < 1e-12


def test_nothing_happens_before_a_record_is_asked_for():
    model, losses = regression()
    training.fit(model, losses, torch.optim.SGD(model.parameters(), 0.25))
    assert model.weight.item() == 0 and model.weight.grad is None


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_bad_gradient_is_named_with_its_step_and_changes_nothing(bad):
    model = nn.ModuleDict({"good": nn.Linear(1, 1), "bad": nn.Linear(1, 1, bias=False)})
    x = torch.ones(1, 1)
    losses = ((model["good"](x) + model["bad"](x) * (bad if step == 3 else 1)).sum() for step in range(5))
    records, before = [], None
    with pytest.raises(FloatingPointError, match=r"^step 3: the loss is (inf|-inf|nan), the gradient of bad.weight has norm (inf|nan)$"):
        for record in training.fit(model, losses, torch.optim.SGD(model.parameters(), 0.1)):
            records.append(record)
            before = {name: p.clone() for name, p in model.named_parameters()}
    assert len(records) == 3 and all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_a_joint_norm_beyond_float32_is_still_a_norm():
    model = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in range(9)])
    losses = iter([sum(1.5e19 * p for p in model)])
    assert next(training.fit(model, losses, torch.optim.SGD(model.parameters(), 1.0), max_norm=1.0)).norm == pytest.approx(4.5e19)
    assert model[0].item() == pytest.approx(-1 / 3)


def test_an_infinite_loss_stops_although_its_gradients_are_finite():
    model = nn.Linear(1, 1, bias=False)
    with pytest.raises(FloatingPointError, match="step 0: the loss is inf, all gradients are finite"):
        next(training.fit(model, iter([model.weight.sum() + math.inf]), torch.optim.SGD(model.parameters(), 0.1)))


@pytest.mark.parametrize("k1, k2, name", [(0, 3, "k1"), (4, 3, "k2")])
def test_bad_windows_are_named(k1, k2, name):
    cell, x, loss = problem(5)
    with pytest.raises(ValueError, match=f"^{name}: expected at least"):
        next(training.tbptt(cell, x, loss, k1, k2))


def test_sequences_without_a_step_are_named():
    cell, x, loss = problem(5)
    with pytest.raises(ValueError, match=r"^x: expected \(T, B, D\) with T at least 1"):
        next(training.tbptt(cell, x[:0], loss, 1, 1))
