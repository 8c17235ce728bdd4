"""What beam search costs beside the model's own steps, and beside a loop over hypotheses.

An LSTM with H = 256 that never ends a sequence writes 40 tokens, one thread. Times are medians of interleaved rounds, in processor seconds.
Bars at V = 8000, k = 4, batch 16: the search adds at most 25 % to the model's steps with their softmax (missed beyond 35 %), and the loop
takes at least 2 x as long; at V = 100, batch 16: at least 4 x.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import torch

from rnncourse.decoding import beam, columns
from rnncourse.models import LanguageModel

EOS, STEPS, H = 1, 40, 256
SETTINGS = [(100, 1, 4), (100, 16, 4), (1000, 16, 4), (1000, 16, 12), (8000, 1, 4), (8000, 16, 4), (8000, 16, 12)]  # V, batch, k
TARGET, MISSED, FASTER = 0.25, 0.35, {(8000, 16, 4): 2.0, (100, 16, 4): 4.0}
BAR = (8000, 16, 4)


def endless(V: int) -> LanguageModel:
    """A network that never says EOS, so that every search takes all its steps."""
    torch.manual_seed(0)
    model = LanguageModel(V, H, H)
    with torch.no_grad():
        model.decoder.weight.mul_(4.0)
        model.decoder.bias[EOS] = -100.0
    return model


@torch.no_grad()
def steps(model: LanguageModel, sequences: int) -> None:
    """The model alone: as many steps as the search needs, for all hypotheses at once, and their softmax."""
    tokens, state = torch.zeros(sequences, dtype=torch.long), None
    for _ in range(STEPS):
        _, state = model.step(tokens, state)


@torch.no_grad()
def looped(model: LanguageModel, start: int, k: int) -> float:
    """Beam search as it is first written: one step of the model for each hypothesis. The best log-probability."""
    lines = [(0.0, [start], None)]
    for _ in range(STEPS):
        new = []
        for log_prob, tokens, state in lines:
            log_probs, after = model.step(torch.tensor(tokens[-1:]), state)  # (1, V)
            for gain, token in zip(*(a.tolist() for a in log_probs[0].topk(k))):
                new.append((log_prob + gain, [*tokens, token], after))
        lines = sorted(new, key=lambda line: -line[0])[:k]
    return lines[0][0]


def seconds(run: Callable) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def row(V: int, B: int, k: int, rounds: int) -> tuple[float, float]:
    """What the search adds to the model, as a share of it, and how many times as long the loop takes."""
    model, start = endless(V), torch.arange(2, B + 2)
    together = beam(model.step, start, EOS, k, STEPS, select=columns)
    assert all(math.isclose(several[0].log_prob, looped(model, int(first), k), abs_tol=1e-2) for several, first in zip(together[:2], start[:2]))
    times = [(seconds(lambda: steps(model, B * k)), seconds(lambda: beam(model.step, start, EOS, k, STEPS, select=columns)),
              seconds(lambda: looped(model, 2, k)) * B) for _ in range(rounds)]  # fmt: skip
    alone, search, loop = (statistics.median(column) for column in zip(*times))
    print(f"{V:5} {B:6} {k:3} {1e3 * alone / STEPS:9.2f} {1e3 * search / STEPS:9.2f} {100 * (search - alone) / alone:7.0f} % {loop / search:8.1f} x")
    return (search - alone) / alone, loop / search


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds of each setting (default 7)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print(f"{'V':>5} {'batch':>6} {'k':>3} {'model':>9} {'beam':>9} {'adds':>9} {'loop':>10}   (ms a step; LSTM, H = {H})")
    found = {setting: row(*setting, rounds) for setting in SETTINGS}
    added, slow = found[BAR][0], [s for s, bar in FASTER.items() if found[s][1] < bar]
    print(f"decoding: at V, batch, k = {BAR} the search adds {100 * added:.0f} %, target {100 * TARGET:.0f} %, missed beyond {100 * MISSED:.0f} %: "
          f"{'reached' if added <= TARGET else 'MISSED' if added > MISSED else 'between'}")
    print("; ".join(f"loop over hypotheses at {s}: {found[s][1]:.1f} x, bar {bar:.0f} x: {'MISSED' if s in slow else 'reached'}" for s, bar in FASTER.items()))
    return added > MISSED or bool(slow)


if __name__ == "__main__":
    raise SystemExit(main())
