"""The adding problem at T = 100: whether a cell learns to carry numbers through a hundred steps.

Bars: LSTM and GRU meet the criterion of experiments/adding.py in 3 of 3 seeds within 200,000 training sequences, the tanh RNN in 0 of 3.
"""

import argparse

import torch

from rnncourse import results

BARS = {"LSTM": 3, "GRU": 3, "RNN": 0}


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    adding, missed = results.experiment("adding"), False
    for model, bar in BARS.items():
        needed = []
        for seed in range(3):
            solved, *errors = adding.run(seed, model, T=100)
            needed.append(int(solved))
            print(f"{model} seed {seed}: " + (f"solved after {needed[-1]:,} sequences" if solved else f"not solved, mean error {errors[-1]:.3f}"), flush=True)
        missed |= sum(map(bool, needed)) != bar
        print(f"memory: {model} solved in {sum(map(bool, needed))} of 3; bar {bar}: {'MISSED' if sum(map(bool, needed)) != bar else 'reached'}")
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
