"""Training on what one wants: a writer of balanced brackets goes on with the truth, or with REINFORCE and a reward of its own strings.

Strings over ( ) [ ] in which each bracket is closed by its own kind; the source that writes them is known.
"""

import copy
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnncourse import results, training

EOS, PAD, T = 4, 5, 40  # ( ) [ ] are 0 to 3: even ones open; PAD is also what is read first
BATCH, UNITS, UPDATES, MORE, POINTS, LEASH = 128, 48, 1000, 500, 10, 0.05
WAYS = ("teacher", "reward", "leash", "length")


def strings(B: int, generator: torch.Generator) -> Tensor:
    """Balanced strings (T, B) with EOS and padding: at the top level four in ten end, inside 45 % of the symbols open another pair."""
    y, stack = torch.full((T, B), PAD), torch.zeros(B, T, dtype=torch.long)
    depth, ended = torch.zeros(B, dtype=torch.long), torch.zeros(B, dtype=torch.bool)
    for t in range(T):
        chance = torch.rand(B, generator=generator)
        kind = torch.randint(2, (B,), generator=generator)
        room = t + depth < T - 2  # to open one more, close all, and end
        ends = ~ended & (depth == 0) & (t > 0) & ((chance < 0.4) | ~room)
        ended |= ends
        opens = ~ended & ((depth == 0) | (chance < 0.45)) & room
        closes = ~ended & ~opens
        top = stack.gather(1, (depth - 1).clamp(min=0)[:, None])[:, 0]  # (B,)
        y[t] = torch.where(opens, 2 * kind, torch.where(closes, 2 * top + 1, torch.where(ends, EOS, PAD)))
        stack[opens, depth[opens]] = kind[opens]
        depth += opens.long() - closes.long()
    return y


def balanced(y: Tensor) -> Tensor:
    """Which strings of (n, B) are balanced and end within n symbols, (B,)."""
    B = y.shape[1]
    stack, depth = torch.zeros(B, T + 1, dtype=torch.long), torch.zeros(B, dtype=torch.long)
    good, ended = torch.ones(B, dtype=torch.bool), torch.zeros(B, dtype=torch.bool)
    for t, y_t in enumerate(y):  # (B,)
        now = ~ended
        good &= ended | (y_t != EOS) | ((depth == 0) & (t > 0))
        ended |= y_t == EOS
        opens, closes = now & (y_t < EOS) & (y_t % 2 == 0), now & (y_t < EOS) & (y_t % 2 == 1)
        top = stack.gather(1, (depth - 1).clamp(min=0)[:, None])[:, 0]  # (B,)
        good &= ~closes | ((depth > 0) & (top == y_t // 2))
        stack[opens, depth[opens]] = y_t[opens] // 2
        depth = (depth + opens.long() - closes.long()).clamp(min=0)
    return good & ended


class Writer(nn.Module):
    """A GRU that reads symbols and says the next."""

    def __init__(self):
        super().__init__()
        self.embedding, self.rnn, self.readout = nn.Embedding(6, 16), nn.GRU(16, UNITS), nn.Linear(UNITS, 5)

    def forward(self, y: Tensor) -> Tensor:
        """Logits (n, B, 5), each from the symbols before it: the strings are fed one step late."""
        fed = torch.cat([torch.full_like(y[:1], PAD), y[:-1]])  # (n, B)
        return self.readout(self.rnn(self.embedding(fed))[0])

    @torch.no_grad()
    def write(self, B: int, generator: torch.Generator) -> Tensor:
        """Strings of its own, (n, B), drawn symbol by symbol."""
        fed, s, said, ended = torch.full((1, B), PAD), None, [], torch.zeros(B, dtype=torch.bool)
        while len(said) < T and not ended.all():
            h, s = self.rnn(self.embedding(fed), s)  # (1, B, H)
            drawn = torch.multinomial(self.readout(h[0]).softmax(-1), 1, generator=generator)[:, 0]  # (B,)
            said.append(torch.where(ended, PAD, drawn))
            ended |= drawn == EOS
            fed = drawn[None]
        return torch.stack(said)


def log_p(net: Writer, y: Tensor) -> Tensor:
    """Log-probability of whole strings, (B,): read with teacher forcing."""
    each = net(y).log_softmax(-1).gather(-1, y.clamp(max=EOS)[..., None])[..., 0]  # (n, B)
    return (each * (y != PAD)).sum(0)


def rewards(way: str, y: Tensor, own: Tensor, before: Tensor) -> Tensor:
    """What each own string earns, (B,): 1 if it is balanced; less what it left the first model ("leash"), or times its length."""
    right = balanced(y).float()
    if way == "length":
        return right * (y < EOS).sum(0).clamp(max=16) / 16
    return right - LEASH * (own - before) if way == "leash" else right


def train(net: Writer, way: str, updates: int, lr: float, generator: torch.Generator):
    """Training as records, with the truth or by REINFORCE with a running mean as baseline."""
    first, adam = copy.deepcopy(net), torch.optim.Adam(net.parameters(), lr)

    def losses():
        baseline = None
        for _ in range(updates):
            if way == "teacher":
                y = strings(BATCH, generator)
                yield cross_entropy(net(y).flatten(0, 1), y.flatten(), ignore_index=PAD)
                continue
            y = net.write(BATCH, generator)  # (n, B)
            own = log_p(net, y)  # (B,)
            with torch.no_grad():
                reward = rewards(way, y, own, log_p(first, y))  # (B,)
            baseline = reward.mean() if baseline is None else baseline
            yield -((reward - baseline) * own).mean()
            baseline = 0.9 * baseline + 0.1 * reward.mean()

    return training.fit(net, losses(), adam, max_norm=1.0)


@torch.no_grad()
def measure(net: Writer, B: int = 1000) -> list[float]:
    """Of own strings the share that is balanced, the mean length of all and of the balanced, the share of different ones among
    the balanced; nats per held-out symbol."""
    y = net.write(B, torch.Generator().manual_seed(7))
    good = balanced(y)
    held_out = strings(B, torch.Generator().manual_seed(8))
    nats = cross_entropy(net(held_out).flatten(0, 1), held_out.flatten(), ignore_index=PAD).item()
    lengths, count = (y < EOS).sum(0).float(), max(1, good.sum().item())  # (B,)
    different = len({tuple(row) for row in y.T[good].tolist()}) / count
    return [good.float().mean().item(), lengths.mean().item(), lengths[good].sum().item() / count, different, nats]


def run(seed: int, updates: int = UPDATES, more: int = MORE) -> list[float]:
    """Train with the truth, then go on in each of the WAYS.

    Parameters
    ----------
    seed : int
    updates, more : int
        Of the first training, and of each second one.

    Returns
    -------
    list of float
        `measure` before; then for each way: the CPU seconds of its training, and `measure` at each of the POINTS.
    """
    torch.manual_seed(seed)
    net, generator = Writer(), torch.Generator().manual_seed(seed)
    for _ in train(net, "teacher", updates, 3e-3, generator):
        pass
    values = measure(net)
    for way in WAYS:
        again, spent, points = copy.deepcopy(net), 0.0, []
        records = train(again, way, more, 1e-3, torch.Generator().manual_seed(seed + 1))
        for _ in range(POINTS):
            began = time.process_time()
            for _ in range(more // POINTS):
                next(records)
            spent += time.process_time() - began
            points += measure(again)
        values += [spent, *points]
    return values


if __name__ == "__main__":
    cases = [{}, {"updates": 20, "more": 10}]  # the second is small: the chapter runs it anew
    results.record(__file__, cases, seeds=range(3), updates=UPDATES + MORE)
