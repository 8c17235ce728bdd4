"""Hidden tests of Lab 1: inputs, and sizes, that no student has seen."""

import check
import torch

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def on(exercise, seed, **sizes):
    """Fresh inputs of the seed."""
    return exercise.cases(torch.Generator().manual_seed(seed), **sizes)


def rnn_step(seed):
    return on(check.rnn_step, seed, sizes=((4, 6, 9), (4, 6, 9), (7, 3, 8), (1, 4, 5)))


def unfold(seed):
    return on(check.unfold, seed, sizes=((7, 4, 5, 6), (7, 4, 5, 6), (9, 2, 4, 7), (14, 2, 5, 3), (6, 1, 4, 5), (1, 4, 3, 5)))


def shapes(seed):
    return on(check.shapes, seed, rows=((1, False), (1, True), (2, True), (4, False), (5, True)))


def pad(seed):
    g = torch.Generator().manual_seed(seed)
    letters = lambda n: "".join(chr(97 + i) for i in torch.randint(26, (n,), generator=g))  # noqa: E731
    return on(check.pad, seed, sizes=((6, 12), (9, 7), (2, 4)), words=tuple(letters(1 + i % 12) for i in range(60)),
              edges=((letters(3), (twice := letters(4)), twice, letters(2) + "z"), (letters(5),), (letters(1), letters(1)),
                     (letters(3), ALPHABET[::-1])))


def classify(seed):
    return on(check.classify, seed, sizes=((9, 5, 6, 4, True), (9, 5, 6, 4, False), (7, 4, 2, 8, False), (6, 1, 3, 2, False),
                                                   (1, 5, 3, 4, True)))


def detect(seed):
    return on(check.detect, seed, sizes=((9, 7, 5), (9, 7, 5), (8, 4, 6)))


def reverse_padded(seed):
    return on(check.reverse_padded, seed, sizes=((8, 5, (4,), True), (8, 5, (4,), False), (7, 6, (), False), (6, 4, (2, 3), True),
                                                 (6, 1, (3,), False), (1, 4, (3,), True)))


def summary(seed):
    return on(check.summary, seed, sizes=((9, 5, 4, True), (9, 5, 4, False), (7, 4, 3, False), (6, 1, 4, False), (1, 5, 3, True)))
