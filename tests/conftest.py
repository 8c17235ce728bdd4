"""One torch thread a process, and the seeds of the course before every test."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # inherited by every kernel and process that a test starts

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
