import itertools
import math

import pytest
import torch

from rnncourse import checkpoints, text
from rnncourse.decoding import sample
from rnncourse.models import LanguageModel, Reading, held_out_nll, learn
from rnncourse.training import fit

CELLS = pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
IDS = torch.randint(3, 9, (600,), generator=torch.Generator().manual_seed(0))


def model(cell="LSTM", **rest):
    torch.manual_seed(0)
    return LanguageModel(9, 4, 6, cell, **rest)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


@CELLS
def test_one_step_at_a_time_says_what_a_whole_reading_says(cell):
    m, ids = model(cell, num_layers=2), IDS[:20].view(10, 2)
    whole, state, steps = m(ids)[0].log_softmax(-1), None, []
    for tokens in ids:
        log_probs, state = m.step(tokens, state)
        steps.append(log_probs)
    torch.testing.assert_close(torch.stack(steps), whole)


def test_the_forget_gate_starts_from_its_bias():
    m = model(forget_bias=2.0, num_layers=2)
    for layer in range(2):
        b = getattr(m.rnn, f"bias_ih_l{layer}") + getattr(m.rnn, f"bias_hh_l{layer}")
        assert (b[6:12] == 2).all() and not (b[:6] == 2).any()


def test_an_unknown_cell_is_told():
    with pytest.raises(ValueError, match="'RNN', 'GRU' or 'LSTM'"):
        model("lstm")


@CELLS
def test_reading_carries_the_state_and_no_history(cell):
    m = model(cell).eval()
    reading = Reading(m, IDS, B=1, T=7)
    losses = torch.stack([next(reading) for _ in range(3)])
    whole = torch.nn.functional.cross_entropy(m(IDS[:21, None])[0][:, 0], IDS[1:22])
    torch.testing.assert_close(losses.mean(), whole)
    losses[2].backward()  # no error: the earlier windows' graphs are not needed
    assert not any(s.requires_grad for s in (reading.state if cell == "LSTM" else [reading.state]))


def test_held_out_loss_is_that_of_a_plain_loop_and_leaves_dropout_as_it_was():
    m = model(dropout=0.5)
    parts = [-m.eval()(IDS[b * 149 : b * 149 + 149, None])[0].log_softmax(-1)[:, 0].gather(1, IDS[b * 149 + 1 : b * 149 + 150, None]).mean() for b in range(4)]
    assert held_out_nll(m.train(), IDS[:597], B=4, T=11) == pytest.approx(sum(parts).item() / 4, rel=1e-5) and m.training
    with pytest.raises(ValueError, match="at least 9 tokens"):
        held_out_nll(m, IDS[:5])


def test_a_model_learns_a_text_that_repeats():
    ids = torch.tensor([3, 4, 5, 5]).repeat(60)
    m = model()
    list(itertools.islice(fit(m, Reading(m, ids, B=4, T=8), torch.optim.Adam(m.parameters(), 0.03), 1.0), 150))
    assert held_out_nll(m, ids) < 0.05 < math.log(3)
    assert sample(m.step, torch.tensor([3]), text.EOS, 6, temperature=0) == [[4, 5, 5, 3, 4, 5]]


def resumable(path, updates, again=False):
    """Some updates with dropout; the run is saved after them, or brought back before them."""
    torch.manual_seed(1 + again)
    m = model(dropout=0.3)
    adam = torch.optim.Adam(m.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 20)
    reading, generator = Reading(m, IDS, B=4, T=8), torch.Generator().manual_seed(5 + again)
    parts = {"model": m, "optimizer": adam, "schedule": schedule, "reading": reading, "generator": generator}
    rest = checkpoints.load(path, **parts) if again else {}
    for _ in itertools.islice(fit(m, reading, adam, 1.0), updates):
        schedule.step()
        torch.rand(1, generator=generator)
    if not again:
        checkpoints.save(path, **parts, note="half way")
    return m, rest, generator


def test_a_resumed_run_gives_the_numbers_of_an_uninterrupted_one(tmp_path):
    whole, _, drawn = resumable(tmp_path / "whole.pt", 14)
    resumable(tmp_path / "half.pt", 6)
    resumed, rest, again = resumable(tmp_path / "half.pt", 8, again=True)
    assert same(whole, resumed) and rest == {"note": "half way"} and torch.equal(drawn.get_state(), again.get_state())


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    checkpoints.save(path, step=1)
    monkeypatch.setattr(torch, "save", lambda content, file: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        checkpoints.save(path, step=2)
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"] and checkpoints.load(path) == {"step": 1}


def test_a_part_that_was_not_saved_is_named_and_nothing_changes(tmp_path):
    checkpoints.save(tmp_path / "run.pt", model=model("GRU"))
    fresh = model("GRU")
    torch.nn.init.zeros_(fresh.decoder.weight)
    with pytest.raises(KeyError, match="'model', 'random'.*'optimizer'"):
        checkpoints.load(tmp_path / "run.pt", model=fresh, optimizer=torch.optim.Adam(fresh.parameters()))
    assert not fresh.decoder.weight.any()


@CELLS
def test_a_held_out_text_can_be_read_on_from_another(cell):
    m = model(cell)
    whole = -m(IDS[:300, None])[0].log_softmax(-1)[:, 0]  # (300, V)
    wanted = whole[100:299].gather(1, IDS[101:300, None]).mean()
    assert held_out_nll(m, IDS[100:300], B=1, T=7, before=IDS[:100]) == pytest.approx(wanted.item(), rel=1e-5)


def test_learning_is_adam_clipped_with_one_cycle_of_its_rate():
    plain, short = model(), model()
    adam = torch.optim.Adam(plain.parameters(), betas=(0.9, 0.98))
    between = lambda a, b, share: a + (b - a) * (1 - math.cos(math.pi * share)) / 2  # noqa: E731
    lr = [between(0.1 / 25, 0.1, i / 3) for i in range(3)] + [between(0.1, 1e-5 / 25, i / 36) for i in range(37)]
    for rate, loss in zip(lr, Reading(plain, IDS, B=2, T=5)):
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        adam.step()
    records = list(learn(short, Reading(short, IDS, B=2, T=5), 40, 0.1, max_norm=0.5))
    assert len(records) == 40 and records[-1].loss < records[0].loss
    for ours, theirs in zip(short.parameters(), plain.parameters()):
        torch.testing.assert_close(ours, theirs)


def test_learning_reads_no_loss_more_than_it_uses():
    m = model()
    reading = Reading(m, IDS, B=2, T=5)
    list(learn(m, reading, 3, 0.1))
    assert reading.update == 3


def table(tokens, state):
    """Token 3 is followed by 4 or 5, these by the end, token 1, or by 3."""
    rows = {3: {4: 0.75, 5: 0.25}, 4: {1: 0.4, 3: 0.6}, 5: {1: 1.0}}
    probabilities = torch.tensor([[rows.get(t, {1: 1.0}).get(v, 0.0) for v in range(6)] for t in tokens.tolist()])
    return probabilities.log(), (0 if state is None else state) + 1


def test_sampling_follows_the_models_probabilities():
    drawn = sample(table, torch.full((4000,), 3), eos=1, maximum=50, generator=torch.Generator().manual_seed(0))
    share = lambda row: drawn.count(row) / 4000  # noqa: E731
    assert share([5]) == pytest.approx(0.25, abs=0.03) and share([4]) == pytest.approx(0.3, abs=0.03)
    assert share([4, 3, 5]) == pytest.approx(0.75 * 0.6 * 0.25, abs=0.03)


def test_temperature_zero_takes_the_likeliest_and_a_maximum_ends_it():
    assert sample(table, torch.tensor([3, 5]), eos=1, maximum=3, temperature=0) == [[4, 3, 4], []]
    assert sample(table, torch.tensor([3, 3]), eos=1, maximum=0) == [[], []]
    with pytest.raises(ValueError, match="0 or more"):
        sample(table, torch.tensor([3]), 1, 3, temperature=-1.0)


def test_a_low_temperature_draws_the_likely_more_often():
    drawn = sample(table, torch.full((2000,), 3), 1, 1, torch.Generator().manual_seed(0), temperature=0.5)
    assert drawn.count([4]) / 2000 == pytest.approx(0.9, abs=0.03)  # 9 : 1 is 3 : 1 squared


def test_generation_goes_on_from_a_state():
    m = model()
    state = m(IDS[:9, None])[1]
    assert sample(m.step, IDS[9:10], text.EOS, 12, temperature=0, state=state) == sample(
        lambda tokens, s: m.step(tokens, s if s is not None else m(IDS[:9, None])[1]), IDS[9:10], text.EOS, 12, temperature=0)  # fmt: skip
