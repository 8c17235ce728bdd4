"""Hidden tests of Lab 0: inputs that no student has seen."""

import check
import torch


def step(seed):
    """Fresh inputs of the seed."""
    return check.step.cases(torch.Generator().manual_seed(seed), B=9)
