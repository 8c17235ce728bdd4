"""The check of Lab 0, and the wrong answers that it can name."""

import torch

from rnncourse.checks import Exercise, Slip


def unit(h, x, w, u, *, no_memory=False, no_input=False, swapped=False, no_tanh=False, input_outside=False, state_outside=False,
         tanh_of_each=False, kept=False, sigmoid=False):  # fmt: skip
    """One step of one unit, (B,) and (B,) -> (B,); with a switch on, a known wrong one."""
    squash = (lambda a: a) if no_tanh else torch.sigmoid if sigmoid else torch.tanh
    w, u = (u, w) if swapped else (w, u)
    past = 0 * h if no_memory else w * h  # (B,)
    now = 0 * x if no_input else u * x  # (B,)
    new = squash(past + now)  # (B,)   eq-unit
    new = squash(past) + now if input_outside else new
    new = past + squash(now) if state_outside else new
    new = squash(past) + squash(now) if tanh_of_each else new
    return h + new if kept else new


CELL = "recurrence/cell.html#sec-cell"
step = Exercise(
    title="Exercise 1",
    points=0,
    truth=unit,
    slips=(
        Slip("no_memory", "the state before, h, has no part in the new one; it enters the sum as w h", CELL),
        Slip("no_input", "the input x has no part in the new state; it enters the sum as u x", CELL),
        Slip("swapped", "w and u have changed places; w belongs to the state, u to the input", CELL),
        Slip("no_tanh", "the tanh is missing; it is taken of the whole sum", CELL),
        Slip("input_outside", "u x is added outside the tanh; tanh is taken of the whole sum (look at the parentheses)", CELL),
        Slip("state_outside", "w h is added outside the tanh; tanh is taken of the whole sum (look at the parentheses)", CELL),
        Slip("tanh_of_each", "tanh is taken of each part; it is taken once, of the whole sum", CELL),
        Slip("kept", "the state before is added to the new one; it enters only inside the tanh", CELL),
        Slip("sigmoid", "the sum goes through a sigmoid; here it is tanh", CELL),
    ),
    cases=lambda g, B=5: [(torch.randn(n, generator=g), torch.randn(n, generator=g), w, u)
                          for n, w, u in ((B, 0.5, -1.5), (B, 0.5, -1.5), (B - 1, -1.25, 0.75), (1, -0.75, 1.25))],  # fmt: skip
    read=CELL,
    returns=("the new state",),
    axes="b",
)
