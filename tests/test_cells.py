import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnncourse import cells, unfold

small = st.integers(1, 5)


@settings(max_examples=25, deadline=None)
@given(T=small, B=small, D=small, H=small, layers=st.integers(1, 3), both=st.booleans(), kind=st.sampled_from(["tanh", "relu"]))
def test_any_stack_equals_torch_forward_and_gradients(T, B, D, H, layers, both, kind):
    module = nn.RNN(D, H, layers, nonlinearity=kind, bidirectional=both)
    ours = [[cells.from_torch(module, layer, back) for back in range(1 + both)] for layer in range(layers)]
    x = torch.randn(T, B, D, requires_grad=True)
    theirs, mine = module(x)[0], unfold.stacked([tuple(pair) if both else pair[0] for pair in ours], x)
    weights = torch.randn_like(mine)
    grads = [torch.autograd.grad((out * weights).sum(), [x, *p], retain_graph=True) for out, p in
             ((theirs, [module.weight_hh_l0, module.weight_ih_l0, module.bias_ih_l0]), (mine, [ours[0][0].W_hh, ours[0][0].W_xh, ours[0][0].b]))]
    assert torch.allclose(theirs, mine, atol=1e-6)
    for a, b in zip(*grads):
        assert torch.allclose(a, b.T if a.dim() == 2 else b, atol=1e-5, rtol=1e-5)


def test_the_sum_of_products_by_hand():
    cell = cells.RNN(2, 1, "identity")
    with torch.no_grad():
        cell.W_xh.copy_(torch.tensor([[1.0], [10.0]]))
        cell.W_hh.fill_(100.0)
        cell.b.fill_(1000.0)
    h, s = cell(torch.tensor([[2.0, 3.0]]), torch.tensor([[4.0]]))
    assert h.item() == s.item() == 2 + 30 + 400 + 1000


def test_weights_go_to_torch_and_come_back():
    module, cell = nn.RNN(3, 4, 2, bidirectional=True), cells.RNN(8, 4)
    back = cells.from_torch(cells.to_torch(cell, module, layer=1, backward=True), layer=1, backward=True)
    for a, b in zip(cell.parameters(), back.parameters()):
        assert torch.equal(a, b)


def test_double_precision_and_state_given():
    module = nn.RNN(3, 4).double()
    x, h0 = torch.randn(5, 2, 3).double(), torch.randn(2, 4).double()
    out, h_n = module(x, h0[None])
    mine, s = unfold.unfold(cells.from_torch(module), x, h0)
    assert torch.allclose(out, mine, atol=1e-12) and torch.allclose(h_n[0], s, atol=1e-12)


@pytest.mark.parametrize("call, name", [
    (lambda: cells.RNN(0, 3), "input_size"),
    (lambda: cells.RNN(3, 3, "sine"), "nonlinearity"),
    (lambda: cells.RNN(3, 4)(torch.ones(2, 5)), "x"),
    (lambda: cells.RNN(3, 4)(torch.ones(2, 3), torch.ones(2, 5)), "s"),
    (lambda: cells.RNN(3, 4)(torch.ones(5, 2, 3)), "x_t"),
    (lambda: cells.from_torch(nn.LSTM(3, 4)), "module"),
    (lambda: cells.from_torch(nn.RNN(3, 4), layer=1), "layer"),
    (lambda: cells.from_torch(nn.RNN(3, 4), backward=True), "backward"),
    (lambda: cells.from_torch(nn.RNN(3, 4, bias=False)), "module"),
    (lambda: cells.to_torch(cells.RNN(3, 5), nn.RNN(3, 4)), "cell"),
])  # fmt: skip
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got "):
        call()
