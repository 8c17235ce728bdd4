import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnncourse import cells, unfold

small = st.integers(1, 5)


KINDS = [lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k), nn.RNN, nn.LSTM, nn.GRU]


def torch_side(cell, layer=0, back=False):
    """Where the gradient of each of our parameters stands in torch's, and in which layout."""
    end = f"l{layer}{'_reverse' if back else ''}"
    yield from ((f"weight_ih_{end}", cell.W_xh), (f"weight_hh_{end}", cell.W_hh), (f"bias_ih_{end}", cell.b))
    if isinstance(cell, cells.GRU):
        yield f"bias_hh_{end}", cell.b_hn


@settings(max_examples=40)
@given(T=small, B=small, D=small, H=small, layers=st.integers(1, 3), both=st.booleans(), kind=st.sampled_from(KINDS))
def test_any_stack_equals_torch_forward_and_gradients(T, B, D, H, layers, both, kind):
    module = kind(D, H, layers, bidirectional=both)
    ours = [[cells.from_torch(module, layer, back) for back in range(1 + both)] for layer in range(layers)]
    x = torch.randn(T, B, D, requires_grad=True)
    theirs, mine = module(x)[0], unfold.stacked([tuple(pair) if both else pair[0] for pair in ours], x)
    weights = torch.randn_like(mine)
    assert torch.allclose(theirs, mine, atol=1e-6)
    dx = torch.autograd.grad((theirs * weights).sum(), [x, *module.parameters()])
    theirs = dict(zip(["x", *dict(module.named_parameters())], dx))
    (mine * weights).sum().backward()
    assert torch.allclose(x.grad, theirs["x"], atol=1e-6, rtol=1e-5)
    for layer, pair in enumerate(ours):
        for back, cell in enumerate(pair):
            for name, p in torch_side(cell, layer, back):
                assert torch.allclose(p.grad, theirs[name].t()[..., -p.shape[-1] :], atol=1e-6, rtol=1e-5), name


def test_an_lstm_by_hand():
    cell = cells.LSTM(1, 1)
    with torch.no_grad():
        cell.W_xh.copy_(torch.tensor([[100.0, -100.0, 1.0, 100.0]]))  # write, forget, candidate tanh(x), show
        cell.W_hh.zero_(), cell.b.zero_()
    h, (h_again, c) = cell(torch.ones(1, 1), (torch.ones(1, 1), 5 * torch.ones(1, 1)))
    assert h is h_again and c.item() == pytest.approx(0.761594) and h.item() == pytest.approx(0.642015)


def test_a_gru_keeps_where_z_is_1_and_replaces_where_it_is_0():
    cell = cells.GRU(2, 2)
    with torch.no_grad():
        for p in cell.parameters():
            p.zero_()
        cell.b.copy_(torch.tensor([0.0, 0.0, 100.0, -100.0, 0.5, 0.5]))  # r, r, z, z, n, n
    h, _ = cell(torch.ones(1, 2), torch.tensor([[7.0, 7.0]]))
    assert h.flatten().tolist() == pytest.approx([7.0, 0.462117])


@pytest.mark.parametrize("kind, names", [(cells.RNN, "h"), (cells.LSTM, "ifgoc"), (cells.GRU, "rzn")])
def test_what_is_recorded_is_what_was_computed(kind, names):
    cell, x, record = kind(3, 4), torch.randn(5, 2, 3), {}
    h, _ = unfold.unfold(cell, x, record=record)
    assert torch.equal(h, unfold.unfold(cell, x)[0])
    assert list(record) == [*names] and all(v.shape == (5, 2, 4) for v in record.values())
    before = torch.cat([torch.zeros(1, 2, 4), h[:-1]])
    if kind is cells.LSTM:
        c = torch.cat([torch.zeros(1, 2, 4), record["c"][:-1]])
        assert torch.allclose(record["c"], record["f"] * c + record["i"] * record["g"])
        assert torch.allclose(h, record["o"] * record["c"].tanh())
    elif kind is cells.GRU:
        assert torch.allclose(h, (1 - record["z"]) * record["n"] + record["z"] * before, atol=1e-6)


def test_the_forget_bias_stands_in_the_second_block():
    assert cells.LSTM(2, 3, forget_bias=4.0).b[3:6].tolist() == [4.0] * 3
    assert cells.LSTM(2, 3).b.abs().max() <= 3**-0.5


def test_two_layers_have_the_parameters_that_torch_has_less_one_bias():
    size = lambda m: sum(p.numel() for p in m.parameters())  # noqa: E731
    for kind, blocks, spare in ((nn.RNN, 1, 1), (nn.LSTM, 4, 4), (nn.GRU, 3, 2)):
        module = kind(5, 7)
        assert size(module) - size(cells.from_torch(module)) == 7 * spare and size(module) == blocks * (5 * 7 + 7 * 7 + 2 * 7)


def test_the_sum_of_products_by_hand():
    cell = cells.RNN(2, 1, "identity")
    with torch.no_grad():
        cell.W_xh.copy_(torch.tensor([[1.0], [10.0]]))
        cell.W_hh.fill_(100.0)
        cell.b.fill_(1000.0)
    h, s = cell(torch.tensor([[2.0, 3.0]]), torch.tensor([[4.0]]))
    assert h.item() == s.item() == 2 + 30 + 400 + 1000


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_weights_go_to_torch_and_come_back(kind):
    module, cell = kind(3, 4, 2, bidirectional=True), cells.KINDS[kind](8, 4)
    back = cells.from_torch(cells.to_torch(cell, module, layer=1, backward=True), layer=1, backward=True)
    for a, b in zip(cell.parameters(), back.parameters()):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind, parts", [(nn.RNN, 1), (nn.LSTM, 2), (nn.GRU, 1)])
def test_double_precision_and_state_given(kind, parts):
    module = kind(3, 4).double()
    x, s0 = torch.randn(5, 2, 3).double(), torch.randn(parts, 1, 2, 4).double()
    out, end = module(x, tuple(s0) if parts == 2 else s0[0])
    mine, s = unfold.unfold(cells.from_torch(module), x, tuple(s0[:, 0]) if parts == 2 else s0[0, 0])
    assert torch.allclose(out, mine, atol=1e-12) and torch.allclose(torch.stack([*end]).flatten(), torch.stack([*s]).flatten(), atol=1e-12)


@pytest.mark.parametrize("call, name", [
    (lambda: cells.RNN(0, 3), "input_size"),
    (lambda: cells.RNN(3, 3, "sine"), "nonlinearity"),
    (lambda: cells.RNN(3, 4)(torch.ones(2, 5)), "x"),
    (lambda: cells.RNN(3, 4)(torch.ones(2, 3), torch.ones(2, 5)), "s"),
    (lambda: cells.RNN(3, 4)(torch.ones(5, 2, 3)), "x_t"),
    (lambda: cells.LSTM(3, 4)(torch.ones(2, 3), torch.ones(2, 4)), "s"),
    (lambda: cells.LSTM(3, 4)(torch.ones(2, 3), (torch.ones(2, 4), torch.ones(1, 4))), "s"),
    (lambda: unfold.unfold(cells.GRU(3, 4), torch.ones(5, 2, 3), record={"z": []}), "record"),
    (lambda: cells.from_torch(nn.Linear(3, 4)), "module"),
    (lambda: cells.from_torch(nn.LSTM(3, 4, proj_size=2)), "module"),
    (lambda: cells.to_torch(cells.RNN(3, 4), nn.GRU(3, 4)), "cell"),
    (lambda: cells.from_torch(nn.RNN(3, 4), layer=1), "layer"),
    (lambda: cells.from_torch(nn.RNN(3, 4), backward=True), "backward"),
    (lambda: cells.from_torch(nn.RNN(3, 4, bias=False)), "module"),
    (lambda: cells.to_torch(cells.RNN(3, 5), nn.RNN(3, 4)), "cell"),
])  # fmt: skip
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, got "):
        call()
