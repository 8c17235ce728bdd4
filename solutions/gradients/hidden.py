"""Hidden tests of Lab 2: what an answer does on inputs, and sizes, that no student has seen."""

import check
import torch


def on(exercise, answer, seed, **sizes):
    """Values of an answer on fresh inputs of the seed, as plain data."""
    return exercise.trace(answer, exercise.cases(torch.Generator().manual_seed(seed), **sizes))


def power_norms(answer, seed):
    return on(check.power_norms, answer, seed, sizes=((5, 7), (5, 7), (7, 4), (3, 0), (1, 6), (4, 1)))


def radius(answer, seed):
    return on(check.radius, answer, seed, sizes=(7, 6, 5, 4, 1))


def transient(answer, seed):
    return on(check.transient, answer, seed, sizes=(6, 7, 11))


def deltas(answer, seed):
    return on(check.deltas, answer, seed, sizes=((9, 4, 5), (9, 4, 5), (8, 2, 6), (2, 5, 3), (1, 4, 6), (7, 1, 4), (12, 5, 3)))


def weight_gradients(answer, seed):
    return on(check.weight_gradients, answer, seed,
              sizes=((8, 4, 3, 5), (8, 4, 3, 5), (7, 2, 6, 4), (1, 5, 2, 3), (9, 1, 4, 3), (4, 5, 6, 3)))


def numeric_gradient(answer, seed):
    return on(check.numeric_gradient, answer, seed,
              sizes=(((3, 4), 0.1), ((3, 4), 0.1), ((6,), 0.15), ((1,), 0.2), ((3, 1, 2), 0.1), ((2, 5), 1e-5), ((3, 5), 0.1)))


def clip(answer, seed):
    return on(check.clip, answer, seed, shapes=((4, 3), (2,), (5, 2), (1,)),
              norms=((9.0, 4.0), (9.0, 4.0), (0.9, 0.2), (4.0, 7.0), (0.5, 0.6), (12.0, 1.0), (0.7, 0.69), (2.0, 2.1)))


def truncated(answer, seed):
    return on(check.truncated, answer, seed, sizes=((11, 4, 3, 5, 4), (11, 4, 3, 5, 4), (8, 3, 2, 4, 2), (5, 2, 4, 3, 7), (7, 1, 3, 4, 1),
                                                 (6, 4, 2, 3, 6), (1, 2, 4, 3, 3)), still=0)


def first_bad(answer, seed):
    return on(check.first_bad, answer, seed, starts=(0, 0, 60, 13, 5), every=7)
