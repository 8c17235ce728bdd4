"""A small package for a course on recurrent networks.

It is layered; arrows point from user to used, and only downwards (a test keeps them true)::

    hand_in (the file to upload)    remember (results that a lab keeps)
    checks (names the mistake)   demos (sliders)    writing (what the checks of written text know)
    plots    results (stored experiments)    corpora (texts, splits)    traces (what an answer does)    toys (models that write)
    logs (progress, TensorBoard files)    models (language model)    translation (encoder, decoder)    decoding (drawing, searching)
    training (one loop; truncated BPTT)    checkpoints (save, go on)
    gradients (norms, products of Jacobians, BPTT by hand, clipping)
    unfold (any cell over (T, B, D); stacks; both directions)    tasks (echo, cue, latch, adding, order, copy)
    stump (a grammar of speeches)    bilingual (English to French)    text (vocabularies, batches)    metrics (perplexity, BLEU, ROUGE, matching)
    cells (RNN, LSTM, GRU)    grammar (sample, parse, exact entropy)    ngrams (Kneser-Ney)

Enter at `rnncourse.cells`; ``python -m rnncourse`` says whether this machine is ready.
"""

import re

__version__ = "0.1.0"


def numbers(version: str) -> list:
    """A version as numbers, to be compared: "2.13.0+cpu" -> [2, 13]. What follows a plus sign, and zeros at the end, do not count."""
    found = [int(n) for n in re.findall(r"\d+", version.split("+")[0])]
    while found and found[-1] == 0:
        found.pop()
    return found


def needs(version: str) -> None:
    """State the version of this package that a lab was written for.

    Parameters
    ----------
    version : str
        Such as "0.1".

    Raises
    ------
    RuntimeError
        If the installed version is older; the message says what to do.
    """
    if numbers(__version__) < numbers(version):
        raise RuntimeError(
            f"this lab needs rnncourse {version} or newer, and {__version__} is installed in {__path__[0]}. Get the course anew, then in "
            "its folder: python -m pip install -r requirements-labs.txt; at last restart the kernel of this notebook (menu Kernel)"
        )


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
