"""Language models on characters beside Kneser-Ney n-grams, on the same splits, in bits per character of the held-out part.

Bars, means of three seeds. Stump speeches, in batches of sentences: an LSTM ends within 2 % of what the source itself scores on the held-out
sentences, and at least 97 % of its samples are grammatical. Python's own source and TP 6's speeches, as streams of 32 x 64 characters: within
2 % of 1.93 and 1.78 bits after a short training, of 1.80 and 1.68 after a long one, or better. Budgets are updates; the seconds beside them
are of one core of this machine.

The speeches are read from the path in RNNCOURSE_SPEECHES; without it their rows are not measured and do not count.
"""

import argparse
import itertools
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from rnncourse import corpora, ngrams, stump
from rnncourse.decoding import sample
from rnncourse.logs import progress
from rnncourse.metrics import token_nll
from rnncourse.models import LanguageModel, Reading, held_out_nll, learn
from rnncourse.text import EOS, Characters, batch, buckets

SENTENCES, READERS, T = 16, 32, 64  # of a batch of sentences; of a stream
# corpus, length: updates, hidden units, learning rate, dropout, the bar in bits per character (None: that of the source)
RUNS = {
    ("stump speeches", "short"): (7500, 128, 1e-2, 0.0, None),
    ("python source", "short"): (2200, 256, 6e-3, 0.0, 1.93),
    ("TP 6's speeches", "short"): (2300, 256, 6e-3, 0.0, 1.78),
    ("python source", "long"): (10_350, 256, 4e-3, 0.1, 1.80),
    ("TP 6's speeches", "long"): (10_100, 256, 4e-3, 0.25, 1.68),
}
CORPORA: dict[str, Callable] = {
    "stump speeches": lambda: corpora.stump_speeches(120_000, 1_800), "python source": corpora.python_source, "TP 6's speeches": corpora.trump_speeches,
}  # fmt: skip
ORDERS = (3, 4, 5, 6, 8, 10, 16)
MARGIN, GRAMMATICAL, SAMPLES = 0.02, 0.97, 500


def losses(model: nn.Module, letters: Characters, train: str, sentences: bool, seed: int) -> Iterator[Tensor]:
    """An endless row of losses: batches of sentences, or a stream."""
    if not sentences:
        return Reading(model, letters.encode(train), READERS, T)
    lines, generator = [letters.encode(line) for line in train.splitlines()], torch.Generator().manual_seed(seed)
    epochs = (buckets(lines, SENTENCES, generator) for _ in itertools.count())
    return (token_nll(model(b.inputs)[0], b.targets, b.mask) for b in itertools.chain.from_iterable(epochs))


def trained(letters: Characters, train: str, sentences: bool, seed: int, updates: int, hidden_size: int, lr: float, dropout: float) -> LanguageModel:
    torch.manual_seed(seed)
    model = LanguageModel(len(letters), 32 if sentences else 64, hidden_size, dropout=dropout)
    for _ in progress(learn(model, losses(model, letters, train, sentences, seed), updates, lr), updates):
        pass
    return model.eval()


@torch.no_grad()
def bits_per_sign(model: nn.Module, letters: Characters, train: str, held_out: str, sentences: bool) -> float:
    """Bits a character of the held-out part; the end of a sentence is one. A stream is read on from the end of the training part."""
    if not sentences:
        return held_out_nll(model, letters.encode(held_out), before=letters.encode(train[-1000:])) / math.log(2)
    lines, total = [letters.encode(line) for line in held_out.splitlines()], 0.0
    for i in range(0, len(lines), 100):
        inputs, targets, mask = batch(lines[i : i + 100])  # (T, B) each
        total += token_nll(model(inputs)[0], targets, mask).item() * mask.sum().item()
    return total / len(held_out) / math.log(2)


def grammatical(model: nn.Module, letters: Characters, seed: int) -> float:
    """The share of sampled sentences that the grammar of the source has."""
    drawn = sample(model.step, torch.full((SAMPLES,), EOS), EOS, 300, torch.Generator().manual_seed(seed))
    return sum(stump.grammar().parses(letters.decode(row)) > 0 for row in drawn) / SAMPLES


def baselines(name: str, letters: Characters, train: str, held_out: str) -> None:
    learned, asked = letters.encode(train), letters.encode(held_out)  # (N,), (M,)
    for n in ORDERS:
        began = time.process_time()
        bits = ngrams.kneser_ney(learned, n, len(letters)).nll(asked).mean() / math.log(2)
        print(f"{name:16} Kneser-Ney, n = {n:<3} {bits:27.3f} bits {time.process_time() - began:8.1f} s", flush=True)


def compare(name: str, length: str, letters: Characters, train: str, held_out: str, seeds: int) -> bool:
    """The networks of one corpus and length, and whether they reach their bar."""
    updates, hidden_size, lr, dropout, bar = RUNS[name, length]
    bits, shares, began = [], [], time.process_time()
    for seed in range(seeds):
        model = trained(letters, train, bar is None, seed, updates, hidden_size, lr, dropout)
        bits.append(bits_per_sign(model, letters, train, held_out, bar is None))
        shares += [grammatical(model, letters, seed)] if bar is None else []
    seconds = (time.process_time() - began) / seeds
    wanted = bar or sum(map(stump.grammar().nll, held_out.splitlines())) / len(held_out) / math.log(2)
    above, right = statistics.mean(bits) / wanted - 1, statistics.mean(shares or [1])
    reached = above <= MARGIN and right >= GRAMMATICAL
    print(f"{name:16} LSTM {hidden_size}, {updates:6,} updates  {', '.join(f'{b:.3f}' for b in bits)} bits {seconds:8.1f} s a run; "
          f"{'bar' if bar else 'the source itself'} {wanted:.3f}, {100 * above:+.1f} %"
          + (f"; grammatical {', '.join(f'{100 * share:.1f}' for share in shares)} %" if shares else "") + ("" if reached else "  MISSED"),
          flush=True)  # fmt: skip
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", help=f"of {', '.join(CORPORA)}; all by default")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind (3)")
    parser.add_argument("--short", action="store_true", help="leave the long trainings out, which take some ten minutes a run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    reached = []
    for name in arguments.corpora or CORPORA:
        if name == "TP 6's speeches" and not os.environ.get("RNNCOURSE_SPEECHES"):
            print(f"{name:16} not measured: no file (set RNNCOURSE_SPEECHES to its path)")
            continue
        train, held_out = CORPORA[name]()
        letters = Characters(train)
        baselines(name, letters, train, held_out)
        lengths = [length for corpus, length in RUNS if corpus == name and not (arguments.short and length == "long")]
        reached += [compare(name, length, letters, train, held_out, arguments.seeds) for length in lengths]
    print(f"language: {sum(reached)} of {len(reached)} runs within {MARGIN:.0%} of their bars, samples at least {GRAMMATICAL:.0%} grammatical: "
          f"{'reached' if all(reached) else 'MISSED'}")
    return not all(reached)


if __name__ == "__main__":
    sys.exit(main())
