"""Lab 3 with one mistake at a time: what does each look like from outside?

The functions are those of the lab's own bank: each is right, with a switch for every mistake that its check can name. From `solutions/`, which
is the only source of a lab; asked for like an experiment, so that what is stored here is stale when the bank changes. Three tasks for 16 units:
which of two signs came last, on each of four lines; the sum of two marked numbers; the sign at the beginning of a noise.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnncourse import gradients, results, tasks

bank = results.experiment("../solutions/gates/check")
two = results.experiment("forget_bias")
H, B, LINES, EVERY = 16, 32, 4, 10
UPDATES, RATE = {"lines": 300, "adding": 500, "sign": 100}, {"lines": 0.02, "adding": 0.02, "sign": 0.01}
OF = {"lines": ("softmax", "c_lost"), "adding": ("masked",), "sign": ("input_block", "c_lost", "no bias")}  # the last: no bias is set
TAKES = {"softmax": "lstm", "c_lost": "forward", "masked": "adding", "input_block": "bias"}


def given(name: str, mistake: str) -> dict[str, bool]:
    """The switch of one right function, if the mistake is one of its own."""
    return {mistake: True} if TAKES.get(mistake) == name else {}


def network(task: str, mistake: str) -> nn.ModuleDict:
    """A cell and its readout: the bank's own cell, or torch's where the forget bias is set."""
    if task == "sign" and mistake != "c_lost":
        cell = nn.LSTM(1, H)
        if mistake != "no bias":
            bank.right_forget_bias(cell, 3.0, **given("bias", mistake))
    elif task == "adding":
        cell = nn.LSTM(2, H)
    else:
        cell = bank.right_lstm(LINES if task == "lines" else 1, H, **given("lstm", mistake))
        if task == "sign":
            nn.init.constant_(cell.layers[0].bias, 3.0)
    return nn.ModuleDict({"cell": cell, "readout": nn.Linear(H, LINES if task == "lines" else 1)})


def states(net: nn.ModuleDict, x: Tensor, mistake: str) -> Tensor:
    """All states h, (T, B, D) -> (T, B, H)."""
    if isinstance(net["cell"], nn.LSTM):
        return net["cell"](x)[0]
    return bank.right_forward(net["cell"].one_step, x, H, **given("forward", mistake))


def batch(task: str, g: torch.Generator, mistake: str) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (T, B, D), answers, and where there is one: at each step (T, B, 4), or at the end (B, 1)."""
    if task == "lines":
        return tuple(a.view(30, B, LINES) for a in tasks.latch(30, B * LINES, 0.05, g))
    if task == "sign":
        x, y = two.two_sequences(50, B, g)  # (50, B, 1), (B,)
    else:
        values = torch.rand(12, B, generator=g)
        first, second = torch.randint(6, (B,), generator=g), torch.randint(6, 12, (B,), generator=g)  # (B,) each
        x, y = bank.right_adding(values, first, second, **given("adding", mistake))  # (12, B, 2), (B,)
    return x, y[:, None], torch.ones(B, 1, dtype=torch.bool)


def answer(net: nn.ModuleDict, task: str, x: Tensor, mistake: str) -> Tensor:
    """What is said, at each step (T, B, 4), or at the end (B, 1): a logit or a sum."""
    h = states(net, x, mistake)  # (T, B, H)
    return net["readout"](h if task == "lines" else h[-1])


def criterion(task: str, said: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Squared error, or nats an answer."""
    return F.mse_loss(said, y) if task == "adding" else F.binary_cross_entropy_with_logits(said[mask], y[mask].float())


@torch.no_grad()
def judged(net: nn.ModuleDict, task: str, seed: int, mistake: str) -> list[float]:
    """On five new batches: the loss, and the share of right answers, of each line apart (a sum may be 0.1 off)."""
    g, losses, hits = torch.Generator().manual_seed(1000 + seed), [], []
    for _ in range(5):
        x, y, mask = batch(task, g, mistake)
        said = answer(net, task, x, mistake)
        losses.append(criterion(task, said, y, mask))
        right = (said - y).abs() < 0.1 if task == "adding" else (said > 0) == (y > 0)
        right, mask = (a.flatten(0, -2).float() for a in (right, mask))  # (n, lines)
        hits.append((right * mask).sum(0) / mask.sum(0))  # (lines,)
    return [round(v, 4) for v in (torch.stack(losses).mean().item(), *torch.stack(hits).mean(0).tolist())]


def run(seed: int, mistake: str = "", task: str = "lines", updates: int | None = None) -> dict[str, list]:
    """Train with a mistake of the bank, or with none.

    Returns
    -------
    dict
        "loss" and "norm" (of the gradient, before clipping) at every 10th update, every 2nd where there are 100; "told": loss and shares of right
        answers on new data, made and read as in training; "true": the same weights on right data, in the right loop.
    """
    torch.manual_seed(seed)
    net, g, found = network(task, mistake), torch.Generator().manual_seed(seed), {"loss": [], "norm": []}
    adam = torch.optim.Adam(net.parameters(), RATE[task])
    for n in range(UPDATES[task] if updates is None else updates):
        x, y, mask = batch(task, g, mistake)
        loss = criterion(task, answer(net, task, x, mistake), y, mask)
        adam.zero_grad()
        loss.backward()
        norm = gradients.clip(net.parameters(), 1.0)
        adam.step()
        if n % (2 if task == "sign" else EVERY) == 0:
            found["loss"].append(round(loss.item(), 5))
            found["norm"].append(round(norm, 5))
    return found | {"told": judged(net, task, seed, mistake), "true": judged(net, task, seed, "")}


if __name__ == "__main__":
    cases = [{"mistake": m, "task": task} for task, mistakes in OF.items() for m in ("", *mistakes)]
    results.record(__file__, [{"task": "sign", "updates": 20}, *cases], seeds=range(3), updates=max(UPDATES.values()))
