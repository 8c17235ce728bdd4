"""Hidden tests of Lab 2: inputs, and sizes, that no student has seen."""

import check
import torch


def on(exercise, seed, **sizes):
    """Fresh inputs of the seed."""
    return exercise.cases(torch.Generator().manual_seed(seed), **sizes)


def power_norms(seed):
    return on(check.power_norms, seed, sizes=((5, 7), (5, 7), (7, 4), (3, 0), (1, 6), (4, 1)))


def radius(seed):
    return on(check.radius, seed, sizes=(7, 6, 5, 4, 1))


def transient(seed):
    odd, other = torch.randint(3, (2,), generator=torch.Generator().manual_seed(seed)).tolist()
    return on(check.transient, seed, sizes=(6, 7 + 2 * odd, 7 + odd + other))  # up to 11: the eigenvalues of larger ones are rounded too much


def deltas(seed):
    return on(check.deltas, seed, sizes=((9, 4, 5), (9, 4, 5), (8, 2, 6), (2, 5, 3), (1, 4, 6), (7, 1, 4), (12, 5, 3)))


def weight_gradients(seed):
    return on(check.weight_gradients, seed,
              sizes=((8, 4, 3, 5), (8, 4, 3, 5), (7, 2, 6, 4), (1, 5, 2, 3), (9, 1, 4, 3), (4, 5, 6, 3)))


def numeric_gradient(seed):
    return on(check.numeric_gradient, seed,
              sizes=(((3, 4), 0.1), ((3, 4), 0.1), ((6,), 0.15), ((1,), 0.2), ((3, 1, 2), 0.1), ((2, 5), 1e-5), ((3, 5), 0.1)))


def clip(seed):
    return on(check.clip, seed, shapes=((4, 3), (2,), (5, 2), (1,)),
              norms=((9.0, 4.0), (9.0, 4.0), (0.9, 0.2), (4.0, 7.0), (0.5, 0.6), (12.0, 1.0), (0.7, 0.69), (2.0, 2.1)))


def truncated(seed):
    return on(check.truncated, seed, sizes=((11, 4, 3, 5, 4), (11, 4, 3, 5, 4), (8, 3, 2, 4, 2), (5, 2, 4, 3, 7), (7, 1, 3, 4, 1),
                                                 (6, 4, 2, 3, 6), (1, 2, 4, 3, 3)), still=0)


def first_bad(seed):
    return on(check.first_bad, seed, starts=(0, 0, 60, 13, 5), every=7)
