"""What a run tells while it runs: a progress bar; and TensorBoard's event files, read back as numbers."""

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .cells import from_torch
from .training import Record
from .unfold import unfold


def progress(records: Iterable[Record], updates: int) -> Iterator[Record]:
    """The first ``updates`` records of a run, under a bar with the loss, where somebody looks: on a terminal or in JupyterLab.

    Where nobody does, as in the build of the book, there is no bar.
    """
    from tqdm import tqdm

    watched = sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ  # JupyterLab sets it for its kernels
    with tqdm(total=updates, disable=not watched, mininterval=0.5, unit=" updates") as bar:
        for record in islice(records, updates):
            bar.update()
            bar.set_postfix_str(f"loss {record.loss:.3f}, gradient norm {record.norm:.2f}", refresh=False)
            yield record


@torch.no_grad()
def gates(model: nn.Module, ids: Tensor) -> dict[str, Tensor]:
    """The gates of a language model's first layer while it reads, each (T, B, H): "i", "f", "g", "o" and "c" of an LSTM; "r", "z", "n" of a GRU.

    Parameters
    ----------
    model : nn.Module
        With an ``embedding`` and an ``rnn``, such as `models.LanguageModel`.
    ids : int64 Tensor, shape (T, B)
    """
    record = {}
    unfold(from_torch(model.rnn), model.embedding(ids), record=record)  # (T, B) -> (T, B, D)
    return record


class Histogram(NamedTuple):
    """One histogram of an event file: bucket k holds ``counts[k]`` values, from ``edges[k]`` to ``edges[k + 1]``."""

    step: int
    edges: np.ndarray
    counts: np.ndarray


def read(folder: str | Path) -> tuple[dict[str, list[tuple[int, float]]], dict[str, list[Histogram]]]:
    """Everything that TensorBoard's event files in a folder hold: scalars and histograms, by their tags.

    Returns
    -------
    scalars : dict of str to list of (step, value)
    histograms : dict of str to list of Histogram

    Raises
    ------
    FileNotFoundError
        If there is no event file.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # takes seconds: not before it is needed

    if not [*Path(folder).glob("**/events.out.tfevents.*")]:
        raise FileNotFoundError(f"no event file of TensorBoard in {Path(folder).resolve()}")
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})  # 0: all of them
    log.Reload()
    scalars = {tag: [(event.step, event.value) for event in log.Scalars(tag)] for tag in log.Tags()["scalars"]}
    histograms = {tag: [_histogram(event) for event in log.Histograms(tag)] for tag in log.Tags()["histograms"]}
    return scalars, histograms


def _histogram(event) -> Histogram:
    """TensorBoard stores the right end of each bucket; the first bucket is empty, or begins at the smallest value."""
    stored = event.histogram_value
    right, counts = np.array(stored.bucket_limit), np.array(stored.bucket)
    edges = np.concatenate([[min(stored.min, right[0])], np.minimum(right, max(stored.max, right[0]))])
    return Histogram(event.step, edges, counts)
