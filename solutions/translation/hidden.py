"""Hidden tests of Lab 6: what an answer does on inputs, and sizes, that no student has seen."""

import check
import torch


def on(exercise, answer, seed, **sizes):
    """Values of an answer on fresh inputs of the seed, as plain data."""
    return exercise.trace(answer, exercise.cases(torch.Generator().manual_seed(seed), **sizes))


def marked(exercise, answer, seed, **sizes):
    """Marks of a recipe on a language that the seed draws."""
    cases = exercise.cases(torch.Generator().manual_seed(1000 + seed), **sizes)
    return exercise.marks(exercise.trace(answer, cases), cases)


def collate(answer, seed):
    return on(check.collate, answer, seed, sizes=(((5, 2), (1, 6), (3, 3), (4, 5)), ((7, 1), (2, 4), (6, 6)), ((3, 5), (4, 2), (3, 5)), ((1, 1),)))


def encode(answer, seed):
    return on(check.encode, answer, seed, sizes=(("RNN", 7, 4, 3, (2, 5, 3)), ("LSTM", 9, 3, 6, (4, 1, 6, 2)), ("GRU", 8, 2, 5, (6, 3)), ("LSTM", 6, 5, 3, (1, 3, 3, 7, 2))))


def translation_loss(answer, seed):
    return on(check.translation_loss, answer, seed, sizes=(("LSTM", 9, 4, 6, (3, 5, 2)), ("RNN", 8, 3, 5, (6, 1, 4, 2)), ("GRU", 7, 5, 4, (3, 7))))


def attend(answer, seed):
    return on(check.attend, answer, seed, sizes=((5, 6, 4), (6, 3, 2), (4, 5, 3), (8, 2, 6)))


def greedy(answer, seed):
    return on(check.greedy, answer, seed, sizes=((4, 13, 7, 2, 6), (5, 12, 6, 4, 7), (3, 14, 5, 3, 9), (2, 9, 6, 1, 5)))


def by_length(answer, seed):
    return on(check.by_length, answer, seed, sizes=((60, (2, 4, 7, 11)), (40, (1, 6, 8, 16, 19)), (35, (1, 4, 5))))


def learn(answer, seed):
    return marked(check.learn, answer, seed)


def learn_long(answer, seed):
    return marked(check.learn_long, answer, seed)
