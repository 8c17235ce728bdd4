"""Where does a word end, in a text without spaces? One way, one way but later, and both ways, trained on Python's help texts, tested on the Zen of Python."""

import codecs
import contextlib
import io
import re
from pydoc_data import topics

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnncourse import results
from rnncourse.cells import RNN
from rnncourse.unfold import both_ways, unfold

with contextlib.redirect_stdout(io.StringIO()):
    import this  # it prints itself

MANUAL = " ".join(text for _, text in sorted(topics.topics.items()))
ZEN = codecs.decode(this.s, "rot13")  # this is how it is stored
STEPS, BATCH, LEARNING_RATE = 40, 32, 0.01


def glued(text: str) -> tuple[Tensor, Tensor]:
    """The letters without spaces, one-hot, (T, 1, 26), and whether a word ends at each, 1.0 or 0.0, (T, 1)."""
    words = re.findall("[a-z]+", text.lower())
    ids = torch.tensor([ord(letter) - ord("a") for letter in "".join(words)])
    ends = torch.cat([torch.arange(1, len(word) + 1) == len(word) for word in words])
    return F.one_hot(ids[:, None], 26).float(), ends[:, None].float()


def tag(read, x: Tensor, delay: int) -> Tensor:
    """Logits of "a word ends here", ``delay`` late: (T, B, D) -> (T, B)."""
    nothing = torch.zeros(delay, *x.shape[1:])  # (delay, B, D)
    logits = read(torch.cat([x, nothing]))  # (T + delay, B, 1)
    return logits[delay:, :, 0]  # (T, B): at t + delay, about t  eq-late


def f1(flag: Tensor, truth: Tensor) -> float:
    """Harmonic mean of precision and recall, on True and False."""
    return 2 * (flag & truth).sum().item() / (flag.sum() + truth.sum()).item()


def reader(two_way: bool) -> tuple[nn.ModuleList, nn.Linear]:
    """One cell of 51 units, or two of 32: about as many parameters."""
    H, n = (32, 2) if two_way else (51, 1)
    return nn.ModuleList(RNN(26, H) for _ in range(n)), nn.Linear(n * H, 1)


def run(seed: int, two_way: bool, delay: int, updates: int) -> float:
    """F1 on the Zen of Python, after so many updates of Adam on 32 pieces of 40 letters each."""
    torch.manual_seed(seed)
    cells, readout = reader(two_way)
    read = lambda x: readout(both_ways(*cells, x) if two_way else unfold(cells[0], x)[0])  # (T, B, D) -> (T, B, 1)
    (x, ends), weights = glued(MANUAL), [*cells.parameters(), *readout.parameters()]
    adam = torch.optim.Adam(weights, LEARNING_RATE)
    for _ in range(updates):
        at = torch.randint(len(x) - STEPS, (BATCH,)) + torch.arange(STEPS)[:, None]  # (STEPS, BATCH)
        adam.zero_grad()
        F.binary_cross_entropy_with_logits(tag(read, x[at, 0], delay), ends[at, 0]).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
    x, ends = glued(ZEN)
    with torch.no_grad():
        return f1(tag(read, x, delay) > 0, ends == 1)


if __name__ == "__main__":
    kinds = [{"two_way": False, "delay": 0}, {"two_way": False, "delay": 4}, {"two_way": True, "delay": 0}]
    cases = [kind | {"updates": n} for n in (300, 1000) for kind in kinds]
    results.record(__file__, cases=[kinds[1] | {"updates": 150}, *cases], seeds=range(5), updates=1000)
