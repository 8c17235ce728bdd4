"""The adding problem with the marks of 1997, both in the first half: no lag is short. Do the cells of experiments/adding.py still learn it?"""

from types import SimpleNamespace

import torch
from torch import Tensor

from rnncourse import results

adding = results.experiment("adding")  # a copy of the module for this file alone


def marked_early(T: int, B: int) -> tuple[Tensor, Tensor]:
    """As `tasks.adding`, but one mark among the first ten steps and the other among the first T/2 - 1 that are left."""
    numbers = torch.rand(T, B)
    first = torch.randint(10, (1, B))
    second = torch.randint(T // 2 - 1, (1, B))
    second += second >= first  # skip the step that is marked
    marks = torch.zeros(T, B).scatter_(0, torch.cat([first, second]), 1.0)  # (T, B)
    return torch.stack([numbers, marks], dim=-1), (numbers * marks).sum(0)  # (T, B, 2), (B,)


adding.tasks = SimpleNamespace(adding=marked_early)


def run(seed: int, model: str, T: int) -> list[float]:
    """What `adding.run` returns, on these sequences."""
    return adding.run(seed, model, T)


if __name__ == "__main__":
    cases = [{"model": model, "T": 50} for model in ("GRU", "LSTM", "LSTM, bias 3")]
    results.record(__file__, cases=cases, seeds=range(3), updates=adding.BUDGET // adding.BATCH)
