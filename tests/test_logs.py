import numpy as np
import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from rnncourse import logs
from rnncourse.models import LanguageModel
from rnncourse.training import Record

RECORDS = [Record(i, 2.5, 0.75) for i in range(9)]


def test_progress_asks_for_no_record_more_than_it_shows():
    records = iter(RECORDS)
    assert [*logs.progress(records, 4)] == RECORDS[:4] and next(records).step == 4


def test_a_bar_with_loss_and_norm_appears_in_jupyterlab_alone(capsys, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    [*logs.progress(RECORDS, 9)]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("JPY_SESSION_NAME", "lab")
    [*logs.progress(RECORDS, 9)]
    assert "loss 2.500, gradient norm 0.75" in capsys.readouterr().err


@pytest.mark.parametrize("cell, names", [("LSTM", {"i", "f", "g", "o", "c"}), ("GRU", {"r", "z", "n"})])
def test_gates_are_those_of_the_first_layer(cell, names):
    m, ids = LanguageModel(9, 4, 6, cell), torch.randint(9, (5, 2))
    found = logs.gates(m, ids)
    assert set(found) == names and all(v.shape == (5, 2, 6) and not v.requires_grad for v in found.values())
    if cell == "LSTM":
        torch.testing.assert_close(found["o"] * found["c"].tanh(), m.rnn(m.embedding(ids))[0].detach())


def test_event_files_are_read_back(tmp_path):
    values = np.array([0.0, 0.1, 0.1, 0.9, 1.0])
    with SummaryWriter(tmp_path) as writer:
        for step in range(300):
            writer.add_scalar("loss", 300 - step, step)
        writer.add_histogram("gates/f", values, 7)
    scalars, histograms = logs.read(tmp_path)
    assert scalars == {"loss": [(step, 300 - step) for step in range(300)]}  # all of them, no sample
    (h,) = histograms["gates/f"]
    assert h.step == 7 and h.counts.sum() == 5 and len(h.edges) == len(h.counts) + 1
    assert (np.diff(h.edges) >= 0).all() and h.edges[0] == 0.0 and h.edges[-1] == 1.0
    for k, count in enumerate(h.counts):
        inside = (h.edges[k] < values) & (values <= h.edges[k + 1]) | (values == h.edges[0]) & (k == 0)
        assert abs(inside.sum() - count) <= 1


def test_a_folder_without_events_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no event file"):
        logs.read(tmp_path)
