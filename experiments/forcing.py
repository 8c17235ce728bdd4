"""Teacher forcing against free running, on a task whose best answers are known: in which of five rooms is the mouse?

Each second the mouse stays with probability .95, or runs to one of the other rooms. Five microphones hear it through noise.
A network reads the microphones and the room of the second before: the true one, what it said itself, or none.
"""

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from rnncourse import results, training

ROOMS, STAY, LOUD = 5, 0.95, 1.5
T, BATCH, UNITS, UPDATES, POINTS, SWITCH = 60, 32, 32, 400, 20, 20


def rooms(B: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Rooms (T, B) and what the microphones hear (T, B, 5)."""
    moves = torch.rand(T, B, generator=generator) > STAY
    moves[0] = True
    steps = moves * torch.randint(1, ROOMS, (T, B), generator=generator)  # (T, B), 0 where it stays
    z = (torch.randint(ROOMS, (1, B), generator=generator) + steps.cumsum(0)) % ROOMS  # (T, B)
    noise = torch.randn(T, B, ROOMS, generator=generator)
    return z, LOUD * one_hot(z, ROOMS) + noise  # (T, B), (T, B, 5)


class Tracker(nn.Module):
    """Says where the mouse is. It reads x_t and a room, and has a state (an LSTM), or has none: then the room is its only link to the past."""

    def __init__(self, state: bool = True):
        super().__init__()
        self.rnn = nn.LSTM(2 * ROOMS, UNITS) if state else None
        self.hidden = None if state else nn.Linear(2 * ROOMS, UNITS)
        self.readout = nn.Linear(UNITS, ROOMS)

    def forward(self, x: Tensor, fed: Tensor, s: tuple | None = None) -> tuple[Tensor, tuple | None]:
        """Any number of steps with known rooms ``fed`` (n, B, 5): logits (n, B, 5) and the state."""
        both = torch.cat([x, fed], dim=-1)  # (n, B, 10)
        if self.rnn is None:
            return self.readout(self.hidden(both).tanh()), None
        h, s = self.rnn(both, s)  # (n, B, H)
        return self.readout(h), s

    def taught(self, x: Tensor, z: Tensor) -> Tensor:
        """Teacher forcing: the true rooms, one step late, in one call."""
        return self(x, late(z))[0]  # (T, B, 5)

    def unfed(self, x: Tensor) -> Tensor:
        """No room at any step: the sounds alone, in one call."""
        return self(x, torch.zeros_like(x))[0]  # (T, B, 5)

    def alone(self, x: Tensor, z: Tensor | None = None, truth: float | Tensor = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """One step after another: each room that is fed is the true one with probability ``truth``, a number or one a step, else its own."""
        fed, s, logits = x.new_zeros(1, x.shape[1], ROOMS), None, []
        known = None if z is None else torch.rand(z.shape, generator=generator) < torch.as_tensor(truth).expand(len(x))[:, None]
        for t in range(len(x)):
            z_t, s = self(x[t : t + 1], fed, s)  # (1, B, 5)
            said = z_t[0].argmax(-1)  # (B,)
            said = said if known is None else torch.where(known[t], z[t], said)
            fed = one_hot(said, ROOMS).to(x)[None]  # (1, B, 5)
            logits.append(z_t[0])
        return torch.stack(logits)  # (T, B, 5)


def late(z: Tensor) -> Tensor:
    """What a teacher feeds: nothing at first, then the room of the step before, (T, B) -> (T, B, 5)."""
    fed = one_hot(z, ROOMS).float()
    return torch.cat([torch.zeros_like(fed[:1]), fed[:-1]])


def share(mode: str, progress: float) -> float:
    """The probability of feeding the truth at a moment of training, from 0 (start) to 1 (end)."""
    return {"teacher": 1.0, "steps": 1.0, "alone": 0.0, "half": 0.5,
            "scheduled": max(0.0, 1 - progress / 0.7), "switch": float(progress < 0.75)}[mode]  # fmt: skip


def losses(net: Tracker, mode: str, updates: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One batch after another; where all that is fed is known, in one call, unless the mode is "steps"."""
    for i in range(updates):
        z, x = rooms(BATCH, generator)
        if mode == "nothing":
            logits = net.unfed(x)
        else:
            truth = share(mode, i / updates)
            logits = net.taught(x, z) if truth == 1 and mode != "steps" else net.alone(x, z, truth, generator)
        yield cross_entropy(logits.flatten(0, 1), z.flatten())


def fit(seed: int, state: bool, mode: str, updates: int = UPDATES) -> tuple[Tracker, Iterator[training.Record]]:
    """A new network, and its training as records."""
    torch.manual_seed(seed)
    net, generator = Tracker(state), torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(net.parameters(), 5e-3)
    return net, training.fit(net, losses(net, mode, updates, generator), adam, max_norm=1.0)


@torch.no_grad()
def errors(net: Tracker, z: Tensor, x: Tensor, switch: int | None = 0) -> Tensor:
    """Share of wrong rooms at each step, (T,), if the truth is fed up to step ``switch`` and the own answer from there on; None: nothing is fed."""
    logits = net.unfed(x) if switch is None else net.alone(x, z, (torch.arange(T) < switch).float())
    return (logits.argmax(-1) != z).float().mean(1)


def run(seed: int, state: bool, mode: str, updates: int = UPDATES) -> list[float]:
    """Train; then the errors by the number of steps since the truth was last seen.

    Parameters
    ----------
    seed : int
    state : bool
        An LSTM, or a network whose only link from step to step is what is fed.
    mode : {"teacher", "steps", "alone", "half", "scheduled", "switch", "nothing"}
        What is fed in training: the truth, in one call or step by step; its own answers; the truth half of the time; the
        truth ever more rarely, never in the last 30 %; the truth for 75 % of the updates, then its own answers; no room
        at all, then nor in use.
    updates : int

    Returns
    -------
    list of float
        CPU seconds of training up to each of the POINTS; the mean training loss between them; there the error on 1,000
        held-out sequences with own answers. Then, on 4,000, the errors 1 to T - SWITCH steps after the truth was last
        fed, and the mean error of a run on its own. In the mode "nothing" all of these errors are of runs where nothing is fed.
    """
    use, late_use = (None, None) if mode == "nothing" else (0, SWITCH)
    net, records = fit(seed, state, mode, updates)
    test = rooms(1000, torch.Generator().manual_seed(99))
    seconds, curve, wrong, spent, sums = [], [], [], 0.0, 0.0
    while len(wrong) < POINTS:
        began, sums = time.process_time(), 0.0
        for _ in range(updates // POINTS):
            sums += next(records).loss
        spent += time.process_time() - began
        seconds.append(spent)
        curve.append(sums / (updates // POINTS))
        wrong.append(errors(net, *test, use).mean().item())
    z, x = rooms(4000, torch.Generator().manual_seed(98))
    return [*seconds, *curve, *wrong, *errors(net, z, x, late_use)[SWITCH:].tolist(), errors(net, z, x, use).mean().item()]


if __name__ == "__main__":
    cases = [{"state": True, "mode": mode} for mode in ("teacher", "steps", "alone", "half", "scheduled", "switch", "nothing")]
    cases += [{"state": False, "mode": mode} for mode in ("teacher", "steps", "alone")]
    cases += [{"state": True, "mode": "teacher", "updates": 60}]  # small: the chapter runs it anew
    results.record(__file__, cases, seeds=range(3), updates=UPDATES)
