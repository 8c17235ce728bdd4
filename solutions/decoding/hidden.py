"""Hidden tests of Lab 5: inputs, and sizes, that no student has seen."""

import check
import torch

BEAMS = (("GRU", 7, 3, 5, 2, 3, 3, 8), ("LSTM", 6, 4, 5, 1, 2, 2, 8), ("LSTM", 7, 3, 6, 5, 4, 2, 9), ("GRU", 6, 4, 5, 3, 3, 2, 5),
         ("LSTM", 5, 3, 5, 1, 9, 1, 7), ("RNN", 6, 4, 6, 3, 3, 1, 9), ("LSTM", 6, 4, 5, 3, 4, 2, 6))  # fmt: skip


def on(exercise, seed, **sizes):
    """Fresh inputs of the seed."""
    return exercise.cases(torch.Generator().manual_seed(seed), **sizes)


def generate_beam(seed):
    return on(check.generate_beam, seed, forms=BEAMS)


def best_hypothesis(seed):
    return on(check.best_hypothesis, seed, sizes=((6, 0.8), (5, 0.5), (4, 1.2), (5, 1.0), (6, 0.0)))


def p_nucleus(seed):
    return on(check.p_nucleus, seed, forms=(((4,), 0.25), ((1, 3, 2, 1), 0.75), ((6,), 0.62), ((5, 4, 4), 0.9), ((0, 7), 1)))


def clipped(seed):
    return on(check.clipped, seed, sizes=((10, 1), (9, 2), (12, 4), (2, 4), (8, 3)))


def bleu(seed):
    return on(check.bleu, seed, sizes=(("long", 5), ("short", 4), ("even", 3), ("unmatched", 4), ("brief", 5), ("gap", 4)))


def rouge_n(seed):
    return on(check.rouge_n, seed, sizes=((8, 1), (11, 2), (10, 4), (7, 1), (3, 4), (8, 2), (3, 4)))


def rouge_l(seed):
    return on(check.rouge_l, seed, sizes=(10, 7, 12, 9, 8))


def beam_step(seed):
    return on(check.beam_step, seed, sizes=((3, 2, 6, 3), (2, 4, 8, 5), (4, 3, 5, 2), (3, 2, 9, 7), (2, 5, 6, 0)))
