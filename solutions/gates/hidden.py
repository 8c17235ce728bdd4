"""Hidden tests of Lab 3: what an answer does on inputs, and sizes, that no student has seen."""

import check
import torch


def on(exercise, answer, seed, **sizes):
    """Values of an answer on fresh inputs of the seed, as plain data."""
    return exercise.trace(answer, exercise.cases(torch.Generator().manual_seed(seed), **sizes))


def LSTM(answer, seed):
    return on(check.LSTM, answer, seed, sizes=((4, 7, 3), (4, 7, 3), (7, 2, 5), (5, 4, 1)))


def GRU(answer, seed):
    return on(check.GRU, answer, seed, sizes=((4, 7, 3), (4, 7, 3), (7, 2, 5), (5, 4, 1)))


def forward(answer, seed):
    return on(check.forward, answer, seed, sizes=((7, 3, 4, 6), (7, 3, 4, 6), (9, 5, 2, 3), (1, 4, 3, 5), (5, 1, 2, 4)))


def input_gradients(answer, seed):
    return on(check.input_gradients, answer, seed, sizes=((7, 3, 4, 6), (7, 3, 4, 6), (9, 5, 2, 3), (1, 4, 3, 5), (5, 1, 2, 4)))


def gates(answer, seed):
    return on(check.gates, answer, seed, sizes=((7, 3, 4, 6), (7, 3, 4, 6), (9, 5, 2, 3), (1, 4, 3, 5), (5, 1, 2, 4)))


def set_forget_bias(answer, seed):
    return on(check.set_forget_bias, answer, seed, sizes=((4, 3, 1, False), (4, 3, 1, False), (5, 2, 3, False), (2, 6, 2, True)),
              values=(2.25, 5.0, 1.0, -1.5))


def adding_data(answer, seed):
    return on(check.adding_data, answer, seed, sizes=((8, 5), (8, 5), (11, 2), (2, 3), (6, 1)))


def sequences_needed(answer, seed):
    return on(check.sequences_needed, answer, seed, windows=(25, 20, 17, 31, 22, 12, 19, 16, 10, 12))


def to_torch(answer, seed):
    return on(check.to_torch, answer, seed, sizes=((4, 6), (4, 6), (5, 2), (1, 3)))
