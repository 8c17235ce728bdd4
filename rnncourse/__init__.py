"""A small package for a course on recurrent networks.

It is layered; arrows point from user to used, and only downwards (a test keeps them true)::

    checks (names the mistake)   demos (sliders)   hand_in
    plots    results (stored experiments)    corpora (texts, splits)
    gradients (norms, products of Jacobians, clipping)
    unfold (any cell over (T, B, D); stacks; both directions)
    cells (RNN)

Enter at `rnncourse.cells`; ``python -m rnncourse`` says whether this machine is ready.
"""

__version__ = "0.1.0"


def reproducible(seed: int = 0) -> None:
    """Make the numbers of a notebook repeatable: seeds, one torch thread, deterministic algorithms on the CPU.

    Two runs on one machine then agree to the last digit; another processor may still differ in the last ones.

    Parameters
    ----------
    seed : int
        For ``random``, numpy and torch.
    """
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    if not torch.cuda.is_available():  # on CUDA it would raise without a setting made before the start
        torch.use_deterministic_algorithms(True)
