"""Hidden tests of Lab 4: inputs, and sizes, that no student has seen."""

import check
import torch

BEAMS = (("GRU", 7, 3, 5, 2, 3, 3, 8), ("LSTM", 6, 4, 5, 1, 2, 2, 8), ("LSTM", 7, 3, 6, 5, 4, 2, 9), ("GRU", 6, 4, 5, 3, 3, 2, 5),
         ("LSTM", 5, 3, 5, 1, 9, 1, 7), ("RNN", 6, 4, 6, 3, 3, 1, 9), ("LSTM", 6, 4, 5, 3, 4, 2, 6))  # fmt: skip
WRITERS = (("GRU", 9, 3, 5, 1, 2, 9), ("LSTM", 7, 4, 6, 5, 3, 8), ("RNN", 8, 4, 6, 4, 1, 7), ("LSTM", 9, 4, 6, 2, 2, 13), ("LSTM", 8, 3, 5, 6, 2, 6))


def on(exercise, seed, **sizes):
    """Fresh inputs of the seed."""
    return exercise.cases(torch.Generator().manual_seed(seed), **sizes)


def sentence_ids(seed):
    return on(check.sentence_ids, seed, counts=(7, 8, 7, 11))


def pad_collate_fn(seed):
    return on(check.pad_collate_fn, seed, sizes=((5, 2, 7, 2), (1, 6, 3), (3, 3, 8, 1, 2), (4,)))


def masked_cross_entropy(seed):
    return on(check.masked_cross_entropy, seed, sizes=((7, 3, 4), (4, 6, 5), (6, 2, 7), (70, 31, 3)), pads=(3, 1, 5, 2))


def embed(seed):
    return on(check.embed, seed, sizes=((5, 3, 9, 4), (4, 6, 7, 3), (2, 5, 4, 6)))


def train_step(seed):
    return on(check.train_step, seed, sizes=(("LSTM", 9, 4, 3, 0.03), ("GRU", 6, 2, 4, 0.05), ("RNN", 7, 3, 5, 50.0)), lengths=(3, 6, 2, 5))


def log_histograms(seed):
    return on(check.log_histograms, seed, sizes=(("rzn", 3, 2, 11), ("io", 5, 2, 40)))


def scores(seed):
    return on(check.scores, seed, sizes=((55, 130), (200, 90), (9, 9)))


def draw(seed):
    return on(check.draw, seed, sizes=((4, 5, 0.4), (3, 7, 2.5), (2, 4, 1.0)))


def generate(seed):
    return on(check.generate, seed, forms=WRITERS)


def generate_beam(seed):
    return on(check.generate_beam, seed, forms=BEAMS)
