"""Where in the sky will Mars be seen in 120 days? The same network, with input and target written as seen from the Earth or from the Sun."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnncourse import results
from rnncourse.cells import RNN
from rnncourse.unfold import unfold

MARS = 1.5237  # its distance from the Sun, the Earth's being 1
YEAR, MARS_YEAR = 365.256, 686.98  # in days
STEPS, AHEAD, UNITS, BATCH, LEARNING_RATE = 40, 12, 32, 64, 0.01  # a step is 10 days
FIRST = 8  # steps at the start of a run that are not scored


def u(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], dim=-1)  # (...) -> (..., 2)


def angle(v: Tensor) -> Tensor:
    return torch.atan2(v[..., 1], v[..., 0])  # (..., 2) -> (...)


def orbits(T: int, B: int) -> tuple[Tensor, Tensor]:
    """Directions of Earth and Mars from the Sun, every 10 days from random starts: (T, B) twice."""
    days = 10.0 * torch.arange(T)[:, None]  # (T, 1)
    earth, mars = (2 * math.pi * (torch.rand(B) + days / period) for period in (YEAR, MARS_YEAR))
    return earth, mars


def seen(earth: Tensor, mars: Tensor) -> Tensor:
    """The direction in which the Earth sees Mars."""
    return angle(MARS * u(mars) - u(earth))  # eq-seen


def from_earth(earth: Tensor, mars: Tensor) -> Tensor:
    """Mars and the Sun, as we see them: (T, B) twice -> (T, B, 4)."""
    return torch.cat([u(seen(earth, mars)), -u(earth)], dim=-1)


def from_sun(earth: Tensor, mars: Tensor) -> Tensor:
    """Mars and the Earth, as the Sun sees them."""
    return torch.cat([u(mars), u(earth)], dim=-1)


WRITE = {"Earth": from_earth, "Sun": from_sun}


def sky(x: Tensor, written: str) -> Tensor:
    """Where the Earth sees Mars, from either way of writing it: (..., 4) -> (...)."""
    return angle(x[..., :2]) if written == "Earth" else seen(angle(x[..., 2:]), angle(x[..., :2]))


def test_error(predict, given: str, asked: str) -> float:
    """Mean degrees on the sky between prediction and truth, over 500 runs that nobody was trained on."""
    state = torch.get_rng_state()
    torch.manual_seed(99)
    orbit = orbits(STEPS + AHEAD, 500)
    torch.set_rng_state(state)
    guess = sky(predict(WRITE[given](*orbit)[:-AHEAD]), asked)  # (STEPS, 500)
    turn = (guess - seen(*orbit)[AHEAD:] + math.pi) % (2 * math.pi) - math.pi
    return (turn[FIRST:].abs().mean() * 180 / math.pi).item()


def run(seed: int, given: str, asked: str, updates: int) -> float:
    """Error in degrees of a network that is given one way of writing and asked for one, 120 days ahead."""
    torch.manual_seed(seed)
    cell, readout = RNN(4, UNITS), nn.Linear(UNITS, 4)
    weights = [*cell.parameters(), *readout.parameters()]
    adam = torch.optim.Adam(weights, LEARNING_RATE)
    for _ in range(updates):
        orbit = orbits(STEPS + AHEAD, BATCH)
        adam.zero_grad()
        F.mse_loss(readout(unfold(cell, WRITE[given](*orbit)[:-AHEAD])[0]), WRITE[asked](*orbit)[AHEAD:]).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
    with torch.no_grad():
        return test_error(lambda x: readout(unfold(cell, x)[0]), given, asked)


if __name__ == "__main__":
    pairs = [{"given": given, "asked": asked} for given in WRITE for asked in WRITE]
    cases = [pairs[-1] | {"updates": 50}, *(pair | {"updates": n} for n in (300, 1500) for pair in pairs)]
    results.record(__file__, cases=cases, seeds=range(5), updates=1500)
