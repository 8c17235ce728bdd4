import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnncourse import gradients
from rnncourse.cells import RNN
from rnncourse.unfold import both_ways, reverse, unfold


def test_the_gradient_at_each_step_is_a_product_of_jacobians():
    cell, x, v = RNN(3, 4).double(), torch.randn(6, 1, 3).double(), torch.randn(4).double()
    h, delta = gradients.through_time(cell, x, lambda h: (h[-1] @ v).sum())
    J = gradients.jacobian(cell.W_hh.detach(), h[:, 0])  # (T, H, H)
    for t in range(6):
        P = gradients.products(J[t + 1 :])[-1] if t < 5 else torch.eye(4).double()
        assert torch.allclose(delta[t, 0], P.T @ v, atol=1e-12)


def test_losses_at_every_step_add_up():
    cell, x = RNN(3, 4).double(), torch.randn(5, 2, 3).double()
    whole = gradients.through_time(cell, x, lambda h: (h**2).sum())[1]
    parts = sum(gradients.through_time(cell, x, lambda h, t=t: (h[t] ** 2).sum())[1] for t in range(5))
    assert torch.allclose(whole, parts, atol=1e-12)


def softmax_network(T, B, D, H, V):
    """A cell, a readout, inputs, targets and a state to start from, in float64."""
    torch.manual_seed(T)
    new = {"dtype": torch.float64, "requires_grad": True}
    return (RNN(D, H).double(), torch.randn(H, V, **new), torch.randn(V, **new), torch.randn(T, B, D).double(),
            torch.randint(V, (T, B)), torch.randn(B, H).double())


def nll(cell, W_hy, b_y, x, targets, s):
    return torch.nn.functional.cross_entropy((unfold(cell, x, s)[0] @ W_hy + b_y).flatten(0, 1), targets.flatten(), reduction="sum")


@given(st.integers(1, 8), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(2, 5))
def test_the_five_gradients_by_hand_equal_autograd(T, B, D, H, V):
    network = softmax_network(T, B, D, H, V)
    loss, ours = gradients.bptt(*network)
    E = nll(*network)
    theirs = torch.autograd.grad(E, [*network[0].parameters(), *network[1:3]])
    assert [*ours] == ["W_xh", "W_hh", "b", "W_hy", "b_y"] and torch.allclose(loss, E, rtol=1e-12)
    assert all(torch.allclose(g, h, atol=1e-10, rtol=0) for g, h in zip(ours.values(), theirs))


def test_the_five_gradients_against_finite_differences():
    network, eps = softmax_network(6, 2, 3, 4, 5), 1e-6
    parameters = [p.detach() for p in (*network[0].parameters(), *network[1:3])]  # they share memory with the network's
    for p, gradient in zip(parameters, gradients.bptt(*network)[1].values()):
        for i in range(p.numel()):
            at = p.view(-1)[i].item()
            sides = []
            for p.view(-1)[i] in (at + eps, at - eps):
                sides.append(nll(*network).item())
            p.view(-1)[i] = at
            assert gradient.view(-1)[i].item() == pytest.approx((sides[0] - sides[1]) / (2 * eps), abs=1e-7)


def test_the_recursion_equals_autograd_where_some_steps_have_no_loss():
    cell, x, v = RNN(3, 4).double(), torch.randn(7, 2, 3).double(), torch.randn(7, 2, 4).double()
    v[2:5] = v[6] = 0
    h, delta = gradients.through_time(cell, x, lambda h: (h * v).sum())
    assert torch.allclose(gradients.recursion(cell.W_hh.detach(), h, v), delta, atol=1e-12)


def test_each_direction_of_a_two_way_layer_has_a_recursion_of_its_own():
    forth, back, x = RNN(3, 4).double(), RNN(3, 4).double(), torch.randn(6, 2, 3).double()
    lengths, v = torch.tensor([6, 4]), torch.randn(6, 2, 8).double()
    v[4:, 1] = 0  # no loss under the padding
    (both_ways(forth, back, x, lengths) * v).sum().backward()
    turned = reverse(x, lengths)
    h = unfold(back, turned)[0].detach()
    delta = gradients.recursion(back.W_hh.detach(), h, reverse(v[..., 4:], lengths))  # (T, B, H), in the order of its own reading
    assert torch.allclose(back.W_xh.grad, torch.einsum("tbd,tbh->dh", turned, delta * (1 - h**2)), atol=1e-12)


def test_steps_after_the_loss_get_no_gradient():
    norms = gradients.norms(RNN(3, 4), torch.randn(5, 2, 3), lambda h: h[2].sum())
    assert (norms[:3] > 0).all() and (norms[3:] == 0).all()


def test_the_jacobian_against_finite_differences():
    cell, p, h, eps = RNN(3, 4).double(), torch.randn(1, 4).double(), torch.randn(1, 4).double(), 1e-6
    numeric = torch.cat([(cell.step(p, h + eps * e)[0] - cell.step(p, h - eps * e)[0]) / (2 * eps) for e in torch.eye(4).double()]).T
    assert torch.allclose(gradients.jacobian(cell.W_hh, cell.step(p, h)[0])[0], numeric, atol=1e-8)


def test_later_steps_stand_on_the_left():
    A, B = torch.tensor([[0.0, 1], [0, 0]]), torch.tensor([[0.0, 0], [1, 0]])
    assert torch.equal(gradients.products(torch.stack([A, B]))[-1], B @ A)


def test_the_modulus_decides_not_the_largest_eigenvalue():
    assert gradients.spectral_radius(torch.diag(torch.tensor([-2.0, 0.5]))) == pytest.approx(2)


@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clipping_equals_torch(max_norm):
    ours, theirs = ([torch.ones(3, requires_grad=True), torch.ones(2, 2, requires_grad=True), torch.ones(1, requires_grad=True)] for _ in "ab")
    for p, q in zip(ours[:2], theirs[:2]):
        p.grad = torch.randn_like(p) * 5
        q.grad = p.grad.clone()
    assert gradients.clip(ours, max_norm) == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, max_norm).item())
    for p, q in zip(ours[:2], theirs[:2]):
        assert torch.allclose(p.grad, q.grad, rtol=1e-5)


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_clipping_refuses_a_norm_that_is_not_finite(bad):
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.tensor([1.0, bad])
    with pytest.raises(ValueError, match="gradient norm: expected a finite number"):
        gradients.clip([p], 1.0)


def test_nothing_to_clip_has_norm_zero():
    assert gradients.clip([torch.ones(2, requires_grad=True)], 1.0) == 0


def test_what_waits_for_a_backward_pass_is_counted_once_and_let_go():
    x = torch.ones(1000, requires_grad=True)  # 4000 bytes
    assert gradients.kept(lambda: x.exp(), [x]) == 4000  # its result
    assert gradients.kept(lambda: x * x, [x]) == 0 and gradients.kept(lambda: x * x) == 4000  # twice the same storage
    assert gradients.kept(lambda: [x.exp(), x.exp()], [x]) == 8000
    assert gradients.kept(lambda: [x.exp().sum().backward() for _ in range(3)], [x]) == 4000
    y = x.exp()
    assert gradients.kept(lambda: y[:10].exp(), [x]) == 40


@pytest.mark.parametrize("call, name", [
    (lambda: gradients.clip([], 0), "max_norm"),
    (lambda: gradients.jacobian(torch.ones(3, 4), torch.ones(4)), "W_hh"),
    (lambda: gradients.products(torch.ones(3, 4)), "J"),
    (lambda: gradients.spectral_radius(torch.ones(3, 4)), "W"),
    (lambda: gradients.norms(RNN(3, 4), torch.ones(5, 2, 3), lambda h: h[-1]), "loss"),
    (lambda: gradients.recursion(torch.ones(4, 4), torch.ones(5, 2, 4), torch.ones(4, 2, 4)), "direct"),
    (lambda: gradients.recursion(torch.ones(3, 4), torch.ones(5, 2, 4), torch.ones(5, 2, 4)), "W_hh"),
    (lambda: gradients.bptt(RNN(3, 4, "relu"), torch.ones(4, 2), torch.ones(2), torch.ones(5, 2, 3), torch.zeros(5, 2).long()), "cell"),
    (lambda: gradients.bptt(RNN(3, 4), torch.ones(4, 2), torch.ones(2), torch.ones(5, 2, 3), torch.zeros(5).long()), "targets"),
])  # fmt: skip
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got "):
        call()
