"""What a tab of the book shows is evaluated here, and compared with the package."""

import sys
from functools import partial

import pytest
import torch

from rnncourse import cells, decoding, metrics, results

sys.path.append(str(results.root() / "book" / "_ext"))
import notation

DATA = notation.load()
FORMS = [(equation, course) for equation, forms in DATA["equations"].items() for course in forms]


def cell():
    one, x_t, h_prev = cells.RNN(3, 4).double(), torch.randn(3).double(), torch.randn(4).double()
    values = {name: p.detach() for name, p in one.named_parameters()} | {"x_t": x_t, "h_prev": h_prev}
    return values, one(x_t[None], h_prev[None])[0][0]


def linear_gradient():
    one, h, g_next = cells.RNN(3, 4, "identity").double(), torch.randn(1, 4).double().requires_grad_(), torch.randn(4).double()
    (gradient,) = torch.autograd.grad(one.step(torch.zeros(1, 4).double(), h)[0][0] @ g_next, h)
    return {"g_next": g_next, "W_hh": one.W_hh.detach()}, gradient[0]


def bptt():
    one, h_t = cells.RNN(3, 4).double(), torch.randn(1, 4).double().requires_grad_()
    d_t, g_next = torch.randn(4).double(), torch.randn(4).double()
    h_next = one(torch.randn(1, 3).double(), h_t)[0]  # (1, 4)
    (gradient,) = torch.autograd.grad(h_t[0] @ d_t + h_next[0] @ g_next, h_t)
    return {"d_t": d_t, "g_next": g_next, "h_next": h_next[0].detach(), "W_hh": one.W_hh.detach()}, gradient[0]


def tbptt(inside):
    """Two windows of one step: what goes back from the later one stops at `detach`."""
    one, h_t = cells.RNN(3, 4).double(), torch.randn(1, 4).double().requires_grad_()
    d_t, g_next, x_next = torch.randn(4).double(), torch.randn(4).double(), torch.randn(1, 3).double()
    h_next = one(x_next, h_t if inside else h_t.detach())[0]  # (1, 4)
    losses = (h_t[0] @ d_t) * inside + h_next[0] @ g_next
    (gradient,) = torch.autograd.grad(losses, h_t, allow_unused=True, materialize_grads=True)
    return {"inside": inside, "d_t": d_t, "g_next": g_next, "h_next": h_next[0].detach(), "W_hh": one.W_hh.detach()}, gradient[0]


def beam(course):
    """The best of two beginnings that a beam of one step more has made, from a table."""
    table = torch.tensor([[0, 0.1, 0.9], [0, 0.5, 0.5], [0, 0.3, 0.7]]).double().log()  # a row for each token before; 0 begins and ends
    found = decoding.beam(lambda tokens, state: (table[tokens], None), torch.tensor([0]), eos=0, k=2, maximum=2)[0][0]
    assert found.tokens == [2, 2]
    score = torch.tensor(found.log_prob).double()
    return {"score_prev": table[0, 2], "p_now": table[2, 2].exp()}, score.exp() if course == "sharif" else score


def brevity(lengths):
    c_len, r_len = lengths
    return {"c_len": torch.tensor(c_len).double(), "r_len": torch.tensor(r_len).double()}, torch.tensor(metrics.brevity_penalty(c_len, r_len)).double()


def gru_state():
    h_prev, rec = torch.randn(1, 4).double(), {}
    h_t = cells.GRU(3, 4).double().requires_grad_(False)(torch.randn(1, 3).double(), h_prev, rec)[0]
    return {"h_prev": h_prev[0], "z_gate": rec["z"][0][0], "cand": rec["n"][0][0]}, h_t[0]


def gru_candidate():
    sizes = {"x_t": (3,), "h_prev": (4,), "W_xn": (3, 4), "W_hn": (4, 4), "b_n": (4,)}
    v = {name: torch.randn(size).double() for name, size in sizes.items()} | {"r_gate": torch.rand(4).double()}
    return v, torch.tanh(v["x_t"] @ v["W_xn"] + (v["r_gate"] * v["h_prev"]) @ v["W_hn"] + v["b_n"])  # eq-gru-before


def lstm(wanted):
    cell, rec = cells.LSTM(3, 4).double().requires_grad_(False), {}
    x_t, h_prev, c_prev = (torch.randn(1, n).double() for n in (3, 4, 4))
    h_t = cell(x_t, (h_prev, c_prev), rec)[0]
    v = {"x_t": x_t[0], "h_prev": h_prev[0], "c_prev": c_prev[0]}
    for name, blocks in (("W_x", cell.W_xh.chunk(4, 1)), ("W_h", cell.W_hh.chunk(4, 1)), ("b_", cell.b.chunk(4))):
        v |= {name + gate: block for gate, block in zip("ifgo", blocks)}
    inside = {name: values[0][0] for name, values in rec.items()} | {"h": h_t[0]}
    gates = {"i_gate": inside["i"], "f_gate": inside["f"], "value": inside["g"], "o_gate": inside["o"], "c_t": inside["c"]}
    return v | gates, inside[wanted]


LSTM = {"forget": "f", "input": "i", "candidate": "g", "memory": "c", "output": "o", "shown": "h"}
EXPECTED = {"cell": cell, "linear-gradient": linear_gradient, "bptt": bptt, "tbptt": partial(tbptt, 1), "brevity": partial(brevity, (8, 9)), "gru-state": gru_state, "gru-candidate": gru_candidate}
EXPECTED |= {f"lstm-{name}": partial(lstm, letter) for name, letter in LSTM.items()}


@pytest.mark.parametrize("equation, course", FORMS)
def test_every_form_computes_the_same(equation, course):
    values, expected = beam(course) if equation == "beam" else EXPECTED[equation]()
    assert torch.allclose(notation.evaluate(DATA["equations"][equation][course], values), expected, atol=1e-12)


@pytest.mark.parametrize("course", DATA["courses"])
@pytest.mark.parametrize("equation, case", [("tbptt", partial(tbptt, 0)), ("brevity", partial(brevity, (9, 9))), ("brevity", partial(brevity, (12, 9)))])
def test_a_form_holds_on_the_other_side_of_its_border_too(equation, case, course):
    values, expected = case()
    assert torch.allclose(notation.evaluate(DATA["equations"][equation][course], values), expected, atol=1e-12)


@pytest.mark.parametrize("equation, course", FORMS)
def test_every_form_can_be_printed(equation, course):
    assert " = " in notation.latex(DATA["equations"][equation][course]["form"], DATA["courses"][course])


@pytest.mark.parametrize("equation", DATA["equations"])
def test_every_course_has_a_form_or_a_translation(equation):
    assert list(DATA["equations"][equation]) == list(DATA["courses"]) == ["guigue", "tp6", "ucl", "sharif"]


def test_brackets_stay_where_they_are_needed():
    course = {"symbols": {"a": "a", "b": "b", "c": "c"}, "times": r"\odot", "product": "", "concat": "[{}, {}]"}
    assert notation.latex("a = (1 - b) * c", course) == r"a = (1 - b) \odot c"
    assert notation.latex("a = 1 - b * c", course) == r"a = 1 - b \odot c"
    assert notation.latex("a = 1 - (b - c)", course) == "a = 1 - (b - c)"


def test_a_wrong_form_would_be_seen():
    values, expected = cell()
    wrong = {"form": "h_t = tanh(W @ cat(x_t, h_prev) + b)", "where": {"W": "cat(W_hh, W_xh).T"}}
    assert not torch.allclose(notation.evaluate(wrong, values), expected, atol=1e-3)
