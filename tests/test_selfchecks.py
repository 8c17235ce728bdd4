"""The keys of the self-checks: each is computed, or stands in `NOT_COMPUTED` with the reason."""

import functools
import math
import re
from pathlib import Path
from statistics import mean, median

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rnncourse import cells, corpora, decoding, gradients, metrics, models, ngrams, results, tasks, text, training, unfold, writing
from rnncourse.translation import Translator, together

BOOK = Path(__file__).parents[1] / "book"
TEXTS = {f"{part}/{path.stem}": path.read_text("utf8") for part in ("recurrence", "gradients", "gates", "language", "generation") for path in sorted((BOOK / part).glob("*.md"))}
NOT_COMPUTED = {  # page, words of the question, reason
    ("recurrence/uses", "Three tasks"): "the names of the shapes are a matter of definition; the page gives them",
}
DECIDED = []


def checks(page):
    """The self-checks of a page: (question, [(right, choice, why)])."""
    for block in re.findall(r"^```\{selfcheck\}\n(.*?)^```$", TEXTS[page], re.MULTILINE | re.DOTALL):
        question, *parts = re.split(r"^- \(([+-])\) ", block, flags=re.MULTILINE)
        split = [(mark == "+", *part.partition("\n\n")[::2]) for mark, part in zip(parts[::2], parts[1::2])]
        yield " ".join(question.split()), [(right, " ".join(choice.split()), " ".join(why.split())) for right, choice, why in split]


def decides(page, words):
    """A test of one self-check. It returns what was computed, {words of a choice: true or not}: that must be the key, and no (+) may be left out."""

    def wrap(test):
        DECIDED.append((page, words))

        @functools.wraps(test)
        def against_the_key():
            (choices,) = [choices for question, choices in checks(page) if words in question]
            computed = {said: bool(true) for said, true in test().items()}
            named = {said: [i for i, (_, choice, _) in enumerate(choices) if said in choice] for said in computed}
            assert all(len(found) == 1 for found in named.values()), f"words of one choice each: {named}"
            key = {said: choices[i][0] for said, (i,) in named.items()}
            assert key == computed and sum(key.values()) == sum(right for right, *_ in choices)

        return against_the_key

    return wrap


def close(a, b, atol=1e-9):
    return a.shape == b.shape and torch.allclose(a, b, atol=atol, rtol=0)


def gated(kind, D=2, H=3, **gates):
    """A cell with some gates held at a value, and all else at random."""
    cell = kind(D, H).double().requires_grad_(False)
    for name, value in gates.items():
        block = slice(*(H * ({cells.LSTM: "ifgo", cells.GRU: "rzn"}[kind].index(name) + n) for n in (0, 1)))
        cell.W_xh[:, block] = cell.W_hh[:, block] = 0
        cell.b[block] = torch.logit(torch.as_tensor(value, dtype=torch.float64))
    return cell


def size(module):
    return sum(p.numel() for p in module.parameters())


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64)


# ---- Recurrence


@decides("recurrence/cell", "double the units to 100")
def test_twice_the_units_have_between_two_and_four_times_the_parameters():
    times = size(cells.RNN(100, 100)) / size(cells.RNN(100, 50))
    return {"between twice and four": 2 < times < 4, "They double": times == 2, "They grow fourfold": times == 4}


@decides("recurrence/cell", "from right to left as `unfold_back(cell, x)`")
def test_without_lengths_every_real_word_of_a_short_sequence_is_met_with_a_wrong_state():
    cell, lengths, x = cells.RNN(2, 3).double(), torch.tensor([6, 4]), noise(6, 2, 2)
    x[4:, 1] = 0
    wrong = (unfold.unfold_back(cell, x)[0] - unfold.unfold_back(cell, x, lengths)[0]).abs().amax(dim=2) > 1e-9  # (T, B)
    return {"shorter sequences": wrong[:4, 1].all() and not wrong[:, 0].any(), "None": not wrong.any(), "under the padding": not wrong[:4].any()}


@decides("recurrence/cell", "`nn.RNN(100, 50, num_layers=3")
def test_the_states_of_three_two_way_layers():
    shape = tuple(nn.RNN(100, 50, num_layers=3, bidirectional=True, batch_first=True)(torch.randn(10, 23, 100))[1].shape)
    return {str(s): s == shape for s in ((3, 10, 50), (10, 6, 50), (6, 10, 50), (6, 10, 100))}


@decides("recurrence/uses", "reads `out[-1]`. To test it faster")
def test_in_a_batch_the_last_row_stands_after_the_padding():
    cell, x, lengths = cells.RNN(2, 3).double(), noise(6, 2, 2).requires_grad_(), torch.tensor([6, 4])
    h, alone = unfold.unfold(cell, x)[0], unfold.unfold(cell, x[:4, 1:])[0][-1]
    mixed = torch.autograd.grad(h[:, 1].sum(), x, retain_graph=True)[0][:, 0]
    return {"after the padding": not close(h[-1, 1:], alone) and close(unfold.last(h, lengths)[1:], alone), "batch mix": mixed.any()}


@decides("recurrence/uses", "bidirectional character model reaches")
def test_a_two_way_model_answers_with_the_character_it_has_read_and_random_characters_tell():
    parts = nn.ModuleList([nn.RNN(5, 8, bidirectional=True), nn.Linear(16, 5)])
    both, readout = lambda x: parts[0](x)[0], parts[1]  # noqa: E731  (T, B, D) -> (T, B, 2H)
    sequences = lambda: torch.randint(5, (9, 64))  # noqa: E731
    inputs = lambda ids: F.one_hot(ids[:-1], 5).float()  # noqa: E731  the target of step t is the input of step t + 1
    loss = lambda ids: metrics.token_nll(readout(both(inputs(ids))), ids[1:])  # noqa: E731
    list(training.fit(parts, (loss(sequences()) for _ in range(100)), torch.optim.Adam(parts.parameters(), 0.03)))
    x = inputs(sequences()).requires_grad_()
    reacts = [torch.autograd.grad(both(x)[3, :, half].sum(), x)[0][4].any().item() for half in (slice(8), slice(8, None))]
    last = torch.autograd.grad(both(x)[-1, :, 8:].sum(), x)[0].flatten(1).any(dim=1)  # (T,) what out[-1] has read from the right
    copies = loss(sequences()).item() < 0.6 * math.log(5)  # new noise
    return {"random characters": copies and reacts == [False, True], "it generalises": not copies, "overfitting": not copies, "Read `out[-1]`": last.sum() > 1}


@decides("recurrence/uses", "`nn.LSTM(100, 50, dropout=0.5)` overfits")
def test_dropout_between_the_layers_of_one_layer_changes_nothing():
    x, found = torch.randn(4, 2, 100), []
    for rate in (0.5, 0.9):
        torch.manual_seed(0)
        with pytest.warns(UserWarning, match="dropout"):
            layer = nn.LSTM(100, 50, dropout=rate)
        found.append(layer.train()(x)[0])
    same = torch.equal(*found)
    return {"Nothing but": same, "regularises more": not same, "recurrent connections are cut": not same}


# ---- Gradients


@decides("gradients/bptt", "which slope stands between")
def test_the_slope_of_the_recursion_is_that_of_the_later_state():
    cell, x = cells.RNN(2, 3).double(), noise(5, 1, 2)
    h, delta = gradients.through_time(cell, x, lambda h: (h[-1] ** 2).sum())  # no direct part before the last step
    here, later = 1 - h[2] ** 2, 1 - h[3] ** 2
    right = lambda slope: close(delta[2], (delta[3] * slope) @ cell.W_hh.T)  # noqa: E731
    return {"$1 - h_t^2$": right(here), "$1 - h_{t+1}^2$": right(later), "Both": right(here * later), "None": right(1)}


@decides("gradients/bptt", "Only the last step of a sequence has a loss")
def test_the_only_loss_fills_the_last_row():
    cell, x, T = cells.RNN(2, 3).double(), noise(5, 1, 2), 5
    filled = torch.stack([gradients.norms(cell, x, lambda h: (u == T - 1) * (h[u] ** 2).sum()) > 0 for u in range(T)])  # (T, T) loss u, state t
    row, column, corner = torch.zeros(3, T, T, dtype=torch.bool)
    row[-1], column[:, -1], corner[-1, -1] = True, True, True
    shapes = {"lower right corner": corner, "last row": row, "last column": column, "whole triangle": torch.ones(T, T).tril().bool()}
    return {name: torch.equal(filled, shape) for name, shape in shapes.items()}


@decides("gradients/curing", "A run ends in NaN")
def test_clipping_after_a_nan_mends_nothing():
    layer, recovered = nn.Linear(3, 1), []
    layer.weight.data[0, 0] = math.nan
    for threshold in (1.0, 1e-6):
        layer.zero_grad()
        layer(torch.ones(2, 3)).sum().pow(2).backward()
        nn.utils.clip_grad_norm_(layer.parameters(), threshold)
        recovered.append(layer.weight.grad.isfinite().any())
    one = torch.nn.Parameter(torch.zeros(3))
    one.grad = torch.tensor([math.nan, 1.0, 1.0])
    nn.utils.clip_grad_norm_([one], 1.0)
    return {"Nothing gets better": not any(recovered) and one.grad.isnan().all(), "never longer than the threshold": recovered[0], "small enough": recovered[1],
            "set to 0": not one.grad[0].isnan()}  # fmt: skip


def cue_gradients(W, lag=15, rate=0.0, updates=1):
    """A tanh network with these recurrent weights before a cue task: the last loss, the norm of the whole gradient, gradient at the sign / at the loss."""
    cell, readout = cells.RNN(3, 16), nn.Linear(16, 2)
    cell.W_hh.data.copy_(W)
    x, targets, mask = tasks.cue(lag + 1, 400, lag)
    x, y = x[:, mask[-1]], targets[-1, mask[-1]]  # begin with a sign, end with its question
    loss, parts = (lambda h: F.cross_entropy(readout(h[-1]), y)), nn.ModuleList([cell, readout])
    record = [*training.fit(parts, (loss(unfold.unfold(cell, x)[0]) for _ in range(updates)), torch.optim.SGD(parts.parameters(), rate))][-1]
    norms = gradients.norms(cell, x, loss)
    return record.loss, record.norm, (norms[0] / norms[-1]).item(), [p.grad.clone() for p in parts.parameters()]


@decides("gradients/curing", "has not moved for 300 updates")
def test_the_gradient_at_the_step_that_matters_and_the_level_of_the_loss_tell_what_a_flat_loss_and_the_whole_norm_do_not():
    orthogonal = torch.linalg.qr(torch.randn(16, 16))[0]
    loss, norm, ratio, _ = cue_gradients(0.3 * orthogonal, rate=0.3, updates=60)
    _, healthy, alive, _ = cue_gradients(orthogonal)
    chance = abs(loss - math.log(2)) < 0.1  # flat, and nothing learned
    return {"The gradient at the step that matters": ratio < 1e-5 and alive > 0.05, "The level of the loss": chance, "a flat loss": not chance,
            "norm of the whole gradient": norm < 0.01 * healthy}  # fmt: skip


@decides("gradients/curing", "Which two help in most seeds")
def test_another_start_or_adam_lengthen_what_arrives_clipping_and_truncation_do_not():
    orthogonal = torch.linalg.qr(torch.randn(16, 16))[0]
    _, _, ratio, grads = cue_gradients(0.5 * orthogonal)
    _, _, other, _ = cue_gradients(orthogonal)
    whole = nn.ParameterList(torch.zeros_like(g) for g in grads)
    for p, g in zip(whole, grads):
        p.grad = g.clone()
    factor = 0.01 / gradients.clip(whole, 0.01)
    clipped = not all(close(p.grad, factor * g, 1e-6) for p, g in zip(whole, grads)) or factor > 1
    x = noise(10, 1, 3).requires_grad_()
    window = [*training.tbptt(cells.RNN(3, 4).double(), x, lambda h, t: h[-1].sum(), 5, 5)][-1]
    parts = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    parts[0].grad, parts[1].grad = torch.tensor([1.0]), torch.tensor([1e-4])
    torch.optim.Adam(parts, 0.01).step()  # as long a step for either
    learn = lambda **case: sum(v[3] > 0.95 for run in results.load("cures")["runs"] if run["case"] == {"network": "tanh", **case} for v in run["values"])  # noqa: E731
    adam = learn(optimizer="Adam", lr=0.003) == 5 and learn(optimizer="Adam", lr=0.003, lag=40, clip=0.2) < 3 and learn() == 0
    another = all(learn(network=name, clip=0.2) == 5 for name in ("orthogonal", "residual", "leaky"))
    return {"Another start": ratio < 1e-3 < 0.05 < other and another, "Clipping": clipped or learn(clip=0.2) > 2, "Truncated": torch.autograd.grad(window, x)[0][:5].any() or learn(k2=5),
            "Adam": adam and 0.99 < parts[1] / parts[0] < 1.01}  # fmt: skip


@decides("gradients/eigenvalues", "The eigenvalues of $W$ are")
def test_of_four_parts_of_the_gradient_one_explodes_and_three_vanish():
    blocks = torch.block_diag(torch.tensor([[-1.2]]), torch.tensor([[0.9]]), torch.tensor([[0.3, 0.3], [-0.3, 0.3]])).double()
    S, d = noise(4, 4), noise(4)
    W = S @ blocks @ S.inverse()
    norm = (torch.linalg.matrix_power(W, 200) @ d).norm() / d.norm()
    after = (torch.linalg.matrix_power(blocks, 200) @ S.inverse() @ d).abs()  # (4,) along the eigenvectors
    return {"Its norm explodes": norm > 1e6 and after[0] > 1e6 and after[1:].max() < 1e-6, "It vanishes": norm < 1, "in every direction": after.min() > 1,
            "swings for ever": 0.1 < after[2:].max() < 10}  # fmt: skip


@decides("gradients/eigenvalues", "is certain, whatever the inputs")
def test_the_largest_singular_value_bounds_the_gradient_and_nothing_else_is_certain():
    Q, jordan = torch.linalg.qr(noise(4, 4))[0], torch.eye(4).double() + torch.diag(torch.ones(3).double(), 1)
    grown = lambda W, h: torch.linalg.matrix_norm(gradients.products(gradients.jacobian(W, h)), 2)  # noqa: E731  (T,)
    zero, open_ = torch.zeros(30, 4).double(), noise(30, 4).tanh()
    each = lambda h: torch.linalg.matrix_norm(gradients.jacobian(0.95 * Q, h), 2).max()  # noqa: E731  over the steps
    return {"singular value of $W$ is 0.95": max(each(zero), each(open_)) < 0.95 + 1e-12 and grown(0.95 * Q, open_)[-1] <= 0.95**30,
            "spectral radius of $W$ is 0.95": (grown(jordan - 0.05 * torch.eye(4).double(), zero).diff() < 0).all(),
            "singular value of $W$ is 1.3": grown(1.3 * Q, open_)[-1] > 1,
            "exactly 1": grown(jordan, zero)[-1] < 2}  # fmt: skip


@decides("gradients/truncated", "where we write `s = s.detach()`")
def test_zeros_cut_the_memory_where_detach_cuts_the_gradient_alone():
    cell, x = cells.RNN(2, 3).double(), noise(6, 1, 2).requires_grad_()
    h, carried = unfold.unfold(cell, x[:3])
    ends = {name: unfold.unfold(cell, x[3:], s)[0][-1] for name, s in (("full", carried), ("detach", carried.detach()), ("zeros", torch.zeros_like(carried)))}
    weight = {name: torch.autograd.grad(end.sum(), cell.W_hh, retain_graph=True)[0] for name, end in ends.items()}
    stops = {name: not torch.autograd.grad(end.sum(), x, retain_graph=True)[0][:3].any() for name, end in ends.items()}
    keeps = {name: close(end, ends["full"]) for name, end in ends.items()}
    return {"forgets everything": stops["detach"] and stops["zeros"] and keeps["detach"] and not keeps["zeros"], "Nothing": close(ends["detach"], ends["zeros"]),
            "becomes exact": close(weight["zeros"], weight["full"])}  # fmt: skip


@decides("gradients/truncated", "exactly 45 days ago")
def test_a_lag_of_45_is_out_of_reach_of_30_within_that_of_46_and_what_arrives_there_is_little():
    cell, T, lag = cells.RNN(1, 4).double().requires_grad_(False), 92, 45  # 46 + 46

    def arrives(k):
        x = noise(T, 1, 1).requires_grad_()
        for loss in training.tbptt(cell, x, lambda h, t: sum(h[i].sum() * ((t.start + i) == T - 1) for i in range(len(h))), k, k):
            whole = torch.autograd.grad(loss, x, allow_unused=True)[0]
        return (whole[T - 1 - lag].abs() / whole[T - 1].abs()).item()

    learned = {k: max(v[0] for run in results.load("truncation")["runs"] if run["case"] == {"task": "echo", "k1": k, "k2": k, "lag": lag} for v in run["values"])
               for k, lag in ((21, 20), (5, 5))}  # fmt: skip
    return {"next to nothing": arrives(30) == 0 and learned[5] < 0.65, "is carried": arrives(30) > 0, "trained long enough": arrives(30) > 0,
            "would surely learn": not 0 < arrives(46) < 0.01 or learned[21] > 0.6}  # fmt: skip


# ---- Gates


@decides("gates/gru", "GRU with $r_t = 0$")
def test_a_gru_with_r_0_and_z_09_keeps_nine_tenths_and_adds_what_depends_on_the_input():
    cell, x, past = gated(cells.GRU, r=0.0, z=0.9), noise(1, 2), noise(2, 1, 3)
    h, hidden = torch.stack([cell(x, s)[0] for s in past]), gated(cells.LSTM, o=0.0)(x)[0]
    added = h - 0.9 * past
    forgets = close(h[0], h[1])
    return {"nine tenths": close(added[0], added[1]) and added.any(), "forgets the past": forgets, "cannot remember": forgets, "closed output gate": close(h[0], hidden)}


@decides("gates/gru", "with the reset gate before the product")
def test_no_weights_of_one_reset_gate_give_the_function_of_the_other():
    cell, x, h, H = cells.GRU(2, 6).double().requires_grad_(False), noise(1, 2), noise(1, 6), 6
    cell.b_hn.zero_()

    def before(x, h):
        (r, z, n), (W_r, W_z, W_n) = cell.inputs(x).chunk(3, 1), cell.W_hh.chunk(3, 1)
        r, z = (r + h @ W_r).sigmoid(), (z + h @ W_z).sigmoid()
        return (1 - z) * (n + (r * h) @ W_n).tanh() + z * h

    def dimensions(step):  # of all dh_1/dh at h = 0; after the product at most 4, whatever the weights: columns 1 of W_hr, W_hz and W_hn, and z_1 at unit 1
        rows = [torch.autograd.functional.jacobian(lambda h: step(3 * noise(1, 2), h)[0, 0], torch.zeros(1, H).double())[0] for _ in range(30)]
        return torch.linalg.matrix_rank(torch.stack(rows), rtol=1e-9)

    same = {}
    for name, block in (("Negate", slice(H)), ("Transpose", slice(2 * H, None))):
        other = gated(cells.GRU, H=H)
        other.load_state_dict(cell.state_dict())
        for p in (other.W_xh, other.W_hh, other.b)[slice(3) if name == "Negate" else slice(1, 2)]:
            p[..., block] = -p[..., block] if name == "Negate" else p[..., block].T.clone()
        same[name] = close(other(x, h)[0], before(x, h))
    return {"Keep the cell": dimensions(lambda x, h, after=gated(cells.GRU, H=H): after(x, h)[0]) <= 4 < dimensions(before), **same}


@decides("gates/gru", "a quarter cheaper")
def test_a_gru_has_a_quarter_fewer_parameters_and_the_rest_is_not_certain():
    pairs, costs, x = ((cells.GRU(32, 32), cells.LSTM(32, 32)), (nn.GRU(32, 32), nn.LSTM(32, 32))), results.experiment("cell_costs"), torch.randn(8, 4, 32)
    parameters = [size(gru) / size(lstm) for gru, lstm in pairs]
    i, j = map(costs.NAMES.index, ("nn.GRU", "nn.LSTM"))
    seconds = [median(v[i] / v[j] for v in run["values"]) for run in results.load("cell_costs")["runs"] if run["case"]["what"] == "ms"]
    kept = [gradients.kept(lambda: unfold.unfold(cell, x), [*cell.parameters(), x]) for cell in pairs[0]]
    c = unfold.unfold(gated(cells.LSTM, i=1.0, f=1.0), 9 * torch.ones(50, 1, 2).double())[1][1]
    h = unfold.unfold(gated(cells.GRU, r=1.0, z=0.5), 9 * torch.ones(50, 1, 2).double())[0]
    return {"fewer parameters": parameters[1] == 0.75 and abs(parameters[0] - 0.75) < 0.01, "Training takes": max(seconds) < 0.8,
            "compute the same": c.abs().max() < 5 or h.abs().max() > 1, "half the memory": abs(kept[0] / kept[1] - 0.5) < 0.05}  # fmt: skip


@decides("gates/lstm", "four numbers of its forget gate")
def test_a_forget_gate_has_a_number_for_each_unit():
    f, x = torch.tensor([0.97, 0.99, 0.02, 0.95]).double(), noise(1, 2)
    c = gated(cells.LSTM, H=4, i=0.0, f=f)(x, (noise(1, 4), torch.ones(1, 4).double()))[1][1][0]
    gated(cells.LSTM)(x, None, record := {})
    usual = record["f"][0]
    return {"three units keep": close(c, f) and (c > 0.9).tolist() == [True, True, False, True], "sum to 1": math.isclose(usual.sum(), 1),
            "0 or 1": ((usual == 0) | (usual == 1)).all()}  # fmt: skip


@decides("gates/lstm", "zeros for `c`")
def test_without_its_c_an_lstm_is_one_with_the_forget_gate_at_0():
    layer, x = nn.LSTM(2, 3).double(), noise(6, 1, 2)
    closed, h, lost = cells.from_torch(layer).requires_grad_(False), torch.zeros(1, 1, 3).double(), []
    closed.W_xh[:, 3:6], closed.W_hh[:, 3:6], closed.b[3:6] = 0, 0, -math.inf
    for x_t in x:
        _, (h, _) = layer(x_t[None], (h, torch.zeros_like(h)))
        lost.append(h[0])
    lost, whole = torch.stack(lost), layer(x)[0]
    return {"by another network": close(lost, unfold.unfold(closed, x)[0]) and not close(lost, whole), "Nothing": close(lost, whole), "An error": not lost.isfinite().all()}


@decides("gates/lstm", "hold a number for 50 steps")
def test_a_number_is_held_and_hidden_by_f_1_and_i_and_o_0():
    def holds(**gates):
        h, (_, c) = unfold.unfold(gated(cells.LSTM, **gates), noise(50, 1, 2), (torch.zeros(1, 3).double(), 0.7 * torch.ones(1, 3).double()))
        return close(c, 0.7 * torch.ones(1, 3).double()) and not h.any()

    return {f"$f = {f}$, $i = {i}$, $o = {o}$": holds(f=float(f), i=float(i), o=float(o)) for f, i, o in ((0, 0, 0), (1, 0, 0), (1, 1, 0))}


@decides("gates/practice", "`nn.GRU(20, 30, num_layers=2, bidirectional=True)`")
def test_the_last_state_is_the_top_layers_right_to_left_one():
    layer, x = nn.GRU(20, 30, 2, bidirectional=True).double(), noise(5, 2, 20)
    first = unfold.both_ways(*(cells.from_torch(layer, 0, back) for back in (False, True)), x)
    whole = unfold.unfold_back(cells.from_torch(layer, 1, True), first)[0][0]  # (B, H)
    out, h_n = layer(x)
    return {"`h_n[-1]`, which is": close(h_n[-1], whole) and close(out[0, :, 30:], whole), "`out[-1, :, 30:]`": close(out[-1, :, 30:], whole),
            "`h_n[1]`": close(h_n[1], whole), "(B, 60)": h_n[-1].shape == (2, 60)}  # fmt: skip


@decides("gates/practice", "1.9 for the training loss")
def test_with_dropout_on_the_training_loss_can_be_above_the_held_out_one_and_off_it_is_below():
    torch.manual_seed(2)
    table = 1.5 * torch.randn(8, 8)
    chain = lambda n: torch.tensor(functools.reduce(lambda ids, _: [*ids, torch.multinomial(table[ids[-1]].softmax(0), 1).item()], range(n), [0]))  # noqa: E731
    train, held_out, model = chain(1000), chain(3000), models.LanguageModel(8, 8, 32, "GRU", dropout=0.5)
    list(models.learn(model, models.Reading(model, train, 8, 10), 100, 0.02))
    on = mean(loss.item() for loss, _ in zip(models.Reading(model, train, 8, 10), range(20)))
    off, held = (models.held_out_nll(model, ids) for ids in (train, held_out))
    copied = corpora.overlap(*("".join(map(str, ids.tolist())) for ids in (train, held_out)), 30)
    return {"with dropout on": off + 0.03 < held < on - 0.03, "is in the training text": copied > 0}


@decides("gates/practice", "`batch_first=True` and gets (T, B, D)")
def test_the_gradient_between_sequences_finds_exchanged_axes_for_sure_and_shapes_do_not():
    layers, moved, shapes, norms = [nn.LSTM(4, 3, batch_first=first) for first in (True, False)], [], [], []
    for layer in layers:
        x = torch.randn(5, 6, 4, requires_grad=True)
        out = layer(x)[0]
        moved.append(torch.autograd.grad(out[:, 3].sum(), x, retain_graph=True)[0][:, :3].any().item())
        shapes.append(out.shape)
        norms.append(torch.autograd.grad(out.sum(), layer.weight_hh_l0)[0].norm().item())
    return {"of one sequence's output": moved == [True, False], "shape of `out`": shapes[0] != shapes[1], "gradient norm": not 0.1 < norms[0] / norms[1] < 10}


@decides("gates/why", "product of the matrices $\\partial c_t / \\partial c_{t-1}$")
def test_the_product_over_c_is_exact_where_the_output_gate_reads_the_input_only():
    def exact(cell, steps=5):
        p, jacobian = cell.inputs(noise(steps + 1, 1, 2)), torch.autograd.functional.jacobian
        _, (h, c) = cell.step(p[0], (noise(1, 3), noise(1, 3)))
        f, c_t, o = (lambda c, o, p: functools.reduce(lambda s, p_t: cell.step(p_t, s)[1], p, (o * c.tanh(), c))[1]), c, h / c.tanh()
        whole, product = jacobian(lambda c: f(c, o, p[1:]), c)[0, :, 0], torch.eye(3).double()
        for p_t in p[1:]:
            product = jacobian(lambda c: f(c, o, [p_t]), c_t)[0, :, 0] @ product
            h, (_, c_t) = cell.step(p_t, (o * c_t.tanh(), c_t))
            o = h / c_t.tanh()
        return close(product, whole)

    blind = gated(cells.LSTM)
    blind.W_hh[:, 9:] = 0
    return {"Of any LSTM": exact(gated(cells.LSTM)), "output gate reads $x_t$ only": exact(blind), "forget gate is 1": exact(gated(cells.LSTM, f=1.0))}


@decides("gates/why", "$f = 0.99$ at every step")
def test_of_099_much_is_left_after_50_steps_and_little_after_500():
    held = lambda n: unfold.unfold(gated(cells.LSTM, i=0.0, f=0.99), noise(n, 1, 2), (torch.zeros(1, 3).double(), torch.ones(1, 3).double()))[1][1].max().item()  # noqa: E731
    reads = gated(cells.LSTM, i=0.0, f=0.99)
    reads.W_xh[0, 3:6] = 100.0  # another input closes it at once
    forgotten = reads(torch.tensor([[-1.0, 0.0]]).double(), (torch.zeros(1, 3).double(), torch.ones(1, 3).double()))[1][1].max()
    return {"little after 500": held(50) > 0.6 and held(500) < 0.01, "All of it": held(1000) > 0.9, "cannot forget": forgotten > 0.9}


@decides("gates/why", "explode although every gate is below 1")
def test_an_lstms_gradient_explodes_by_way_of_h():
    def grown(scale):
        cell, c = gated(cells.LSTM, H=8), torch.zeros(1, 8).double().requires_grad_()
        cell.W_hh.copy_(scale * noise(8, 32))
        _, (_, end) = unfold.unfold(cell, noise(30, 1, 2), (torch.zeros(1, 8).double(), c), record := {})
        assert max(record[gate].max() for gate in "ifo") < 1
        return torch.autograd.grad(end @ torch.ones(8, 1).double(), c)[0].norm()

    slope = lambda c: 1 - math.tanh(c) ** 2  # noqa: E731
    return {"The ways through $h$": grown(3.0) > 100 and grown(0.0) < 1, "It cannot": grown(3.0) < 1, "very large": slope(5) > slope(0.5)}


# ---- Language


@decides("language/before", "perplexity 64 a word")
def test_64_a_word_of_six_characters_is_2_a_character():
    a, b = metrics.bits_per_character(math.log(64), 1, 6), metrics.bits_per_character(math.log(3), 6, 6)
    return {"64 a word is": math.isclose(2**a, 2) and a < b, "3 is less than 64": b < a, "cannot be said": math.isclose(a, b)}


@decides("language/before", "always after \"Santa\"")
def test_kneser_ney_counts_company():
    santa, fe, cake, new, V = 0, 1, 2, 3, 70  # and words from 4 on
    ids = [santa, fe] * 500 + [w for n in range(100) for w in (4 + n % 60, cake)] + [w for n in range(30) for w in (new, 4 + n)]
    p, one = (make(ids, 2, V).probabilities([new]) for make in (ngrams.kneser_ney, ngrams.add_k))
    assert math.isclose(one[fe], one[cake])  # as the third explanation says
    return {"seen after many different words": p[cake] > p[fe], "five times as frequent": p[cake] < p[fe], "Both equally": p[cake] == p[fe], "Neither": p[[fe, cake]].max() == 0}


@decides("language/before", "1.1 bits a character for its LSTM")
def test_smoothing_and_a_seen_test_move_a_baseline_the_base_and_the_number_of_counts_do_not():
    best = lambda corpus, model: min(run["values"][0][0] for run in results.load("baselines")["runs"] if (run["case"]["corpus"], run["case"]["model"]) == (corpus, model))  # noqa: E731
    smoothed = all(best(corpus, "add one") - best(corpus, "Kneser-Ney") > 0.5 for corpus in ("speeches of TP 6", "Python's source"))
    learn, new = corpora.stump_speeches(200, 20)
    letters = text.Characters(learn + new)
    tables = [make(letters.encode(learn).numpy(), n, len(letters)) for make, n in ((ngrams.kneser_ney, 3), (ngrams.kneser_ney, 8), (ngrams.add_k, 4), (ngrams.add_k, 8))]
    low, high, few, many = ([table.nll(letters.encode(t).numpy()).mean() for t in (learn[:1000], new)] for table in tables)
    more = sum(len(order.keys) for order in tables[3].orders) > 2 * sum(len(order.keys) for order in tables[2].orders)
    return {"How the n-grams were smoothed": smoothed, "stands in the training part": low[0] - high[0] > low[1] - high[1] + 0.2,
            "with $e$ or with 2": not math.isclose(math.log2(math.e**few[1]), math.log2(2 ** (few[1] / math.log(2)))), "as many parameters": more and many[1] < few[1]}  # fmt: skip


@decides("language/instruments", "first loss of 6.1 nats")
def test_the_first_loss_is_that_of_guessing_unless_padding_is_counted():
    logits, targets = torch.zeros(6, 1, 10_000), torch.arange(6)[:, None]
    mask = (torch.arange(6) < 4)[:, None]  # a third is padding
    right, wrong = metrics.token_nll(logits, targets, mask).item(), (F.cross_entropy(logits[:, 0], targets[:, 0], reduction="none") @ mask[:, 0].float()).item() / 6
    first = []
    for rate in (1e-4, 1.0):
        torch.manual_seed(0)
        model = nn.Linear(1, 5)
        losses = (F.cross_entropy(model(torch.ones(1, 1)), torch.tensor([2])) for _ in range(2))
        first.append(next(training.fit(model, losses, torch.optim.SGD(model.parameters(), rate))).loss)
    return {"not the mean over real tokens": round(right, 1) == 9.2 and round(wrong, 1) == 6.1, "A good start": right < 7, "learning rate is too small": first[0] != first[1]}


@decides("language/instruments", "has an entropy of 0.33")
def test_no_model_is_below_the_entropy_of_the_source_but_a_wrong_mean_is():
    p = torch.tensor([0.9, 0.1]).double()
    entropy = -(p @ p.log()).item()
    below = [-(p @ q.log()).item() < entropy - 1e-12 for q in (3 * noise(500, 2)).softmax(1)]
    assert round(entropy, 2) == 0.33 and round(0.33 * 0.73, 2) == 0.24  # a quarter of the places counted as padding
    return {"The held-out loss is wrong": not any(below), "generalises unusually well": any(below), "Dropout is on in training": any(below)}


@decides("language/neural", "with PAD as the target there")
def test_padding_counted_is_a_mean_over_certain_targets():
    def means(lengths, V=50):
        inputs, targets, mask = text.batch([torch.randint(3, V, (n,)) for n in lengths])
        logits = torch.zeros(*targets.shape, V)  # knows nothing, but that PAD follows PAD
        logits[..., text.PAD] += 50 * (inputs == text.PAD)
        fresh = torch.zeros(*targets.shape, V, requires_grad=True)
        F.cross_entropy(fresh.flatten(0, 1), targets.flatten()).backward()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item(), metrics.token_nll(logits, targets, mask).item(), mask.float().mean().item(), fresh.grad[~mask]

    (counted, real, share, pull), (other, same, *_) = means(range(20, 121, 20)), means((100, 120))
    easy = math.isclose(counted, share * real, rel_tol=1e-5) and share < 0.7
    return {"After the first PAD": easy and math.isclose(real, same, rel_tol=1e-5) and other > counted + 0.5, "the loss is right": math.isclose(counted, real, rel_tol=0.01), "gradient of the padding is 0": not pull.any()}


@decides("language/neural", "shuffles the windows before each pass")
def test_a_carried_state_belongs_to_the_window_that_comes_next():
    ids, order = torch.arange(1000), [3, 0, 2, 4, 1]
    goes_on = lambda order: [torch.equal(text.window(ids, 2, 8, a)[1][-1], text.window(ids, 2, 8, b)[0][0]) for a, b in zip(order, order[1:])]  # noqa: E731
    fit = [torch.equal(targets, inputs + 1) for inputs, targets in (text.window(ids, 2, 8, u) for u in order)]
    reading = models.Reading(models.LanguageModel(1000, 2, 2, "GRU"), ids, 2, 8)
    next(reading)
    return {"belongs to another place": all(goes_on(sorted(order))) and not any(goes_on(order)), "Nothing": all(goes_on(order)), "no longer fit": not all(fit),
            "gradients stop": reading.state.requires_grad}  # fmt: skip


@decides("language/neural", "shares a span of more than 30 characters")
def test_held_out_sentences_share_long_spans_with_the_training_text_too():
    train, held = corpora.stump_speeches(10_000, 60)
    long = mean(any(line[i : i + 31] in train for i in range(len(line) - 30)) for line in held.splitlines())
    return {"*held-out*": long > 0.25, "cannot agree by chance": long < 0.05}


@decides("language/tokens", "what have they in common")
def test_unigram_pieces_are_scored_as_independent_tokens():
    train = corpora.stump_speeches(200, 1)[0]
    way = text.Pieces(train, 150)
    score = {piece: way.processor.get_score(i) for i, piece in enumerate(way.tokens) if i > 2}
    gaps, rows = [], ["▁" + line.replace(" ", "▁") for line in train.splitlines()[:20]]
    for row, line in zip(rows, train.splitlines()):
        best = [0.0]  # of the first j characters
        for j in range(1, len(row) + 1):
            best.append(max(best[i] + score[row[i:j]] for i in range(max(0, j - 16), j) if row[i:j] in score))
        gaps.append(abs(best[-1] - sum(score[piece] for piece in way.split(line))))
    p = [ngrams.kneser_ney(way.encode(train).numpy(), 1, len(way)).probabilities(context) for context in ([5], [6])]
    tokens = {(run["case"]["kind"], run["case"]["size"]): run["values"][0][2] for run in results.load("tokens")["runs"] if run["case"].get("network") is False}  # a character
    return {"the probabilities of independent tokens": max(gaps) < 1e-3 and (p[0] == p[1]).all(), "from the token before it": (p[0] != p[1]).any(),
            "single characters": max(map(len, score)) == 1, "always gives fewer": all(tokens["unigram", V] < tokens["bpe", V] for V in (300, 1000))}  # fmt: skip


@decides("language/tokens", "5,000 words and `<unk>`")
def test_the_model_with_fewer_words_has_the_lower_perplexity_and_may_be_worse_or_better():
    train, held = corpora.stump_speeches(400, 60)

    def pays(V, n):
        words = text.Words(train, V)
        ids, unknown = words.encode(held).numpy(), [w for w in words.split(held) if w not in words.ids]
        nats = ngrams.kneser_ney(words.encode(train).numpy(), n, len(words)).nll(ids)
        return nats.mean(), nats.sum() / len(held), (nats.sum() + sum(len(w) + 1 for w in unknown) * math.log(27)) / len(held)  # per token, per character, with spelling

    large, small, small_better = pays(400, 1), pays(60, 1), pays(200, 3)
    lower = max(small[0], small_better[0]) < large[0]
    return {"Nobody can say": lower and small[2] > large[2] > small_better[2], "60 is less than 80": small[2] < large[2], "it knows more words": large[2] < small_better[2],
            "divided by the number of characters": math.isclose(small[1], large[1], rel_tol=0.01)}  # fmt: skip


@decides("language/units", "comments make up 7% of the characters")
def test_where_7_percent_outside_fire_the_auc_is_at_least_093():
    inside, quiet = torch.rand(500), -torch.rand(930)
    auc = lambda outside: (inside[:, None] > outside).float().mean().item()  # noqa: E731
    worst, alike = (auc(torch.cat([loud, quiet])) for loud in (1 + torch.rand(70), torch.rand(70)))
    assert math.isclose(0.07 / (0.07 + 0.93 * 0.07), 0.5, abs_tol=0.02)  # the precision, as the first explanation says
    return {"At least 0.93": math.isclose(worst, 0.93, rel_tol=1e-5) and alike > 0.93, "About 0.5": worst < 0.6, "cannot be told": worst < 0.9}


@decides("language/units", "the probe tells `condition` with strength")
def test_a_probe_tells_conditions_that_no_chosen_unit_tells_and_no_untrained_state():
    fresh, trained = (run["values"][0][3] for run in sorted(results.load("units")["runs"], key=lambda run: run["case"]["updates"]))  # unit, -, its strength, the probe's
    return {"spread over several units": trained[3] > trained[2] + 0.2, "has no idea": fresh[3] > trained[3] - 0.2}


# ---- Generation


@decides("generation/forcing", "learns with teacher forcing on sentences of 200 tokens")
def test_with_the_truth_fed_all_can_be_computed_at_once_but_the_states():
    model, ids = models.LanguageModel(7, 4, 5, "GRU").double(), torch.randint(7, (20, 1))
    cell, x = cells.from_torch(model.rnn), model.embedding(ids).detach().requires_grad_()
    h, logits = unfold.unfold(cell, x)[0], model(ids)[0]
    alone = torch.cat([model(i[None])[0] for i in ids])  # each from a zero state
    parts = close(cell.inputs(x), torch.stack([*map(cell.inputs, x)])) and close(model.decoder(h), logits)
    states = torch.stack([cell(x_t)[0] for x_t in x])
    return {"states one after another": parts and not close(states, h), "No gradient flows": not torch.autograd.grad(h[-1].sum(), x)[0][0].any(),
            "All 200 states": close(states, h), "It would learn the same": close(alone, logits)}  # fmt: skip


@decides("generation/forcing", "two networks err equally often")
def test_of_two_that_err_equally_often_the_one_that_finds_back_errs_less():
    def errs(a, b, steps=40):
        return torch.linalg.matrix_power(torch.tensor([[1 - a, a], [b, 1 - b]]).double(), steps)[0, 1].item()

    found = [errs(0.05, b) for b in (0.45, 0.18)]
    return {"finds back more often": [round(e, 2) for e in found] == [0.10, 0.22], "It cannot": found[0] == found[1]}


@decides("generation/forcing", "scheduled sampling down to")
def test_at_epsilon_0_the_optimum_forgets_what_stands_before():
    language, n = torch.tensor([[0.45, 0.05, 0.0], [0.0, 0.2, 0.1], [0.05, 0.0, 0.15]]).double(), 50_000  # p(x_1, x_2)
    truth = torch.multinomial(language.flatten(), n, replacement=True)
    own, second = torch.multinomial(language.sum(1), n, replacement=True), truth % 3  # its own first tokens, the true second ones
    q = torch.stack([torch.bincount(second[own == w], minlength=3) / (own == w).sum() for w in range(3)]).double()  # the optimum of a table
    logits = torch.zeros(3, 3, requires_grad=True)
    F.cross_entropy(logits[own], second).backward()
    return {"as if nothing stood before": close(q, language.sum(0).expand(3, 3), 0.02), "Text as good as before": close(q, language / language.sum(1, keepdim=True), 0.1),
            "no gradient flows": not logits.grad.any()}  # fmt: skip


@decides("generation/measuring", "The reference has ten sentences of ten words")
def test_precision_prefers_the_short_text_and_recall_neither():
    reference = [f"w{n}" for n in range(100)]
    A, B = reference[:10], reference[:10] + [f"v{n}" for n in range(90)]
    precision = {name: metrics.clipped(x, [reference], 1)[0] / len(x) for name, x in (("A", A), ("B", B))}
    recall, (a, b) = [metrics.rouge_n(x, reference).recall for x in (A, B)], [metrics.bleu([x], [[reference]]) for x in (A, B)]
    return {"without the penalty": precision["A"] > precision["B"] and recall[0] == recall[1], "ROUGE-1 recall prefers A": recall[0] > recall[1], "BLEU prefers A": a > b,
            "is an F1": math.isclose(metrics.bleu([A], [[reference]], n=1), metrics.rouge_n(A, reference).f1)}  # fmt: skip


@decides("generation/measuring", "publish the mean as")
def test_a_mean_of_sentence_scores_and_the_score_of_a_corpus_put_two_systems_in_either_order():
    reference = [f"w{n}" for n in range(20)]
    known = [reference, reference[:4]]
    mine, theirs = [reference[:12] + ["x"] * 8, reference[:4]], [reference, ["x"] * 4]
    means = [mean(metrics.sentence_bleu(h, [r]) for h, r in zip(system, known)) for system in (mine, theirs)]
    corpus = [metrics.bleu(system, [[r] for r in known]) for system in (mine, theirs)]
    return {"Nobody can say": means[0] > means[1] and corpus[0] < corpus[1], "You, by 0.8": corpus[0] > corpus[1], "at least as long as theirs": corpus[0] > corpus[1]}


@decides("generation/search", "agrees with greedy search for $k = 1$")
def test_the_usual_mistakes_agree_with_greedy_search_at_width_1_and_not_at_3():
    agree = {}
    for cell, weights, eos, _, start, maxlen in writing.beams(torch.Generator().manual_seed(0)):
        model, first = writing.toy(cell, weights), writing.string2code(start).tolist()
        for name in ("stale_states", "goes_on_cut", "ended_lost", "last_only"):
            for k in (1, 3):
                right, wrong = ([i for i in writing.search(model, first, eos, k, maxlen, frozenset(on)) if i != eos] for on in ((), (name,)))
                agree.setdefault((name, k), []).append(right == wrong)
    wide = {name for name, k in agree if k == 3 and all(agree[name, k])}
    return {"Next to nothing": all(all(agree[name, k]) for name, k in agree if k == 1) and not wide, "They are right": wide, "log-probabilities are right": "last_only" in wide}


@decides("generation/search", "nucleus of mass 0.5")
def test_of_a_nucleus_of_05_one_token_of_06_can_be_drawn():
    drawn = decoding.truncate(torch.tensor([[0.2, 0.6, 0.15, 0.05]]).log(), top_p=0.5)[0].isfinite().sum()
    return {"None": drawn == 0, "One": drawn == 1, "Two": drawn == 2, "All of them": drawn == 4}


@decides("generation/translation", "pads the *source* on the right")
def test_an_encoder_that_reads_padding_sums_a_sentence_up_by_its_batch():
    net, short, long = Translator(9, 9, 3, 4, context="start").double(), torch.tensor([5, 6]), torch.tensor([3, 4, 5, 6, 7])
    after_padding = lambda batch: net.encoder(net.source_embedding(batch.source))[1][0][0]  # noqa: E731  (B, H)
    one, two = together([short, long], [short, long]), together([short, long[:3]], [short, long])
    states, own = [after_padding(one), after_padding(two)], net.encode(one.source, one.lengths)["h"]
    other = not close(states[0][0], own[0]) and not close(states[0][0], states[1][0]) and close(states[0][1], own[1])
    logits = noise(*one.target.targets.shape, 9)
    counted = metrics.token_nll(logits, one.target.targets, one.target.mask) != metrics.token_nll(logits + 9 * noise(*logits.shape) * ~one.target.mask[..., None], one.target.targets, one.target.mask)
    return {"gets another translation": other, "Nothing": close(states[0], own), "The loss counts": counted}


@decides("generation/translation", "a BLEU above 80")
def test_a_bleu_above_80_and_a_third_right_go_with_several_kinds_of_mistakes():
    references = [[f"w{20 * s + n}" for n in range(20)] for s in range(6)]
    word, end = ([(r if s < 2 else spoil(r)) for s, r in enumerate(references)] for spoil in (lambda r: [*r[:9], "x", *r[10:]], lambda r: r[:17]))
    scores, exact = ([f(system) for system in (word, end)] for f in (lambda h: metrics.bleu(h, [[r] for r in references]), lambda h: mean(a == b for a, b in zip(h, references))))
    wrong = [mean(bool({*h} - {*r}) for h, r in zip(system, references)) for system in (word, end)]
    return {"one has to look up": min(scores) > 0.8 and exact == [1 / 3, 1 / 3] and wrong[0] > 0.5 > wrong[1], "have a wrong word or two": min(wrong) > 0.5,
            "miscounted": not math.isclose(scores[1], metrics.brevity_penalty(108, 120))}  # fmt: skip


# ---- All of them


def test_a_self_check_is_computed_or_it_is_said_why_not():
    every = [(page, question) for page in TEXTS for question, _ in checks(page)]
    told = {said: [(page, question) for page, question in every if page == said[0] and said[1] in question] for said in [*DECIDED, *NOT_COMPUTED]}
    assert all(len(found) == 1 for found in told.values()), f"words of one question each: {told}"
    assert sorted(found for (found,) in told.values()) == sorted(every)


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_has_two_self_checks_whose_choices_differ_and_are_explained(page):
    assert len(list(checks(page))) == TEXTS[page].count("{selfcheck}") >= 2
    for question, choices in checks(page):
        marks, said, why = zip(*choices)
        assert question and sum(marks) >= 1 and len(marks) - sum(marks) >= 2, question
        assert all(said) and all(why) and len(set(said)) == len(said) and len(set(why)) == len(why), question


def test_the_right_choice_is_not_told_by_its_length():
    """On average not a fifth longer than the wrong ones, and the longest of its self-check hardly more often than by chance."""
    sizes = [[(len(choice), right) for right, choice, _ in choices] for page in TEXTS for _, choices in checks(page)]
    ratio = mean(n for s in sizes for n, right in s if right) / mean(n for s in sizes for n, right in s if not right)
    longest, chance = sum(max(s)[1] for s in sizes), sum(mean(right for _, right in s) for s in sizes)
    assert ratio < 1.2 and longest < 1.5 * chance, f"{ratio:.2f} times as long; in {longest} of {len(sizes)} the longest one is right, by chance {chance:.0f}"
