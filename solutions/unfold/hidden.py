"""Hidden tests of Lab 1: what an answer does on inputs, and sizes, that no student has seen."""

import check
import torch

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def on(exercise, answer, seed, **sizes):
    """Values and gradients of an answer on fresh inputs of the seed, as plain data."""
    return exercise.trace(answer, exercise.cases(torch.Generator().manual_seed(seed), **sizes))


def rnn_step(answer, seed):
    return on(check.rnn_step, answer, seed, sizes=((4, 6, 9), (4, 6, 9), (7, 3, 8), (1, 4, 5)))


def unfold(answer, seed):
    return on(check.unfold, answer, seed, sizes=((7, 4, 5, 6), (7, 4, 5, 6), (9, 2, 4, 7), (14, 2, 5, 3), (6, 1, 4, 5), (1, 4, 3, 5)))


def shapes(answer, seed):
    return on(check.shapes, answer, seed, rows=((1, False), (1, True), (2, True), (4, False), (5, True)))


def pad(answer, seed):
    g = torch.Generator().manual_seed(seed)
    letters = lambda n: "".join(chr(97 + i) for i in torch.randint(26, (n,), generator=g))  # noqa: E731
    return on(check.pad, answer, seed, sizes=((6, 12), (9, 7), (2, 4)), words=tuple(letters(1 + i % 12) for i in range(60)),
              edges=((letters(3), (twice := letters(4)), twice, letters(2) + "z"), (letters(5),), (letters(1), letters(1)),
                     (letters(3), ALPHABET[::-1])))


def classify(answer, seed):
    return on(check.classify, answer, seed, sizes=((9, 5, 6, 4, True), (9, 5, 6, 4, False), (7, 4, 2, 8, False), (6, 1, 3, 2, False),
                                                   (1, 5, 3, 4, True)))


def detect(answer, seed):
    return on(check.detect, answer, seed, sizes=((9, 7, 5), (9, 7, 5), (8, 4, 6)))


def reverse_padded(answer, seed):
    return on(check.reverse_padded, answer, seed, sizes=((8, 5, (4,), True), (8, 5, (4,), False), (7, 6, (), False), (6, 4, (2, 3), True),
                                                 (6, 1, (3,), False), (1, 4, (3,), True)))


def summary(answer, seed):
    return on(check.summary, answer, seed, sizes=((9, 5, 4, True), (9, 5, 4, False), (7, 4, 3, False), (6, 1, 4, False), (1, 5, 3, True)))
