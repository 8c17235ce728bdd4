"""Temporal order, for four cells: how many training sequences until two letters and their order are told apart.

Hochreiter & Schmidhuber's (1997) task 6a and their rule: of the last 2,000 training sequences, each seen once and before it was
learned from, every class probability is less than 0.3 off, and the mean error is below 0.1.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnncourse import results, tasks, unfold

adding = results.experiment("adding")


def run(seed: int, model: str, T: int, budget: int = adding.BUDGET) -> list[float]:
    """Train until the rule is met, or the budget is spent.

    Parameters
    ----------
    seed : int
        For the weights and the sequences.
    model : {"RNN", "IRNN", "GRU", "LSTM", "LSTM, bias 3"}
    T : int
        Length of the sequences.
    budget : int
        Sequences at most.

    Returns
    -------
    list of float
        The number of sequences used when the rule was met (0 if never); then the share of wrong answers over each 2,000 sequences.
    """
    torch.manual_seed(seed)
    net, worst, wrong = adding.network(model, 6, 4), torch.empty(0), torch.empty(0)

    def losses() -> Iterator[Tensor]:
        nonlocal worst, wrong
        for _ in range(budget // adding.BATCH):
            x, targets = tasks.temporal_order(T, adding.BATCH)  # (T, B, 6), (B,)
            logits = net["readout"](unfold.unfold(net["cell"], x)[0][-1])  # (B, 4)
            off = (logits.detach().softmax(-1) - F.one_hot(targets, 4)).abs().amax(-1)  # (B,)
            worst, wrong = torch.cat([worst, off]), torch.cat([wrong, (logits.argmax(-1) != targets).float()])
            yield nn.functional.cross_entropy(logits, targets)

    solved = 0
    for _ in adding.train(net, losses(), adding.RATES[model]):
        latest = worst[-adding.LATEST :]
        if len(latest) == adding.LATEST and latest.max() < 0.3 and latest.mean() < 0.1:
            solved = len(worst)
            break
    return [solved, *wrong[: len(wrong) // adding.LATEST * adding.LATEST].view(-1, adding.LATEST).mean(1).tolist()]


if __name__ == "__main__":
    cases = [{"model": model, "T": 100} for model in adding.RATES]
    results.record(__file__, cases=cases, seeds=range(3), updates=adding.BUDGET // adding.BATCH)
