"""Lab 2 with one mistake at a time: what does each look like from outside?

The functions are those of the lab's own bank: each is right, with a switch for every mistake that its check can name. From `solutions/`, which
is the only source of a lab; asked for like an experiment, so that what is stored here is stale when the bank changes. Three runs: a tanh network
repeats a sign of three steps ago, in windows of five; one learns to repeat by a gradient written by hand; a linear one adds up signs.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from rnncourse import results, tasks

bank = results.experiment("../solutions/gradients/check")
EVERY, UPDATES = 5, {"windows": 320, "by hand": 300, "linear": 300}
H, B, K, STREAM, LAG = 16, 32, 5, 200, 3
OF = {"windows": ("retained", "reset", "each"), "linear": ("lost", "after"), "by hand": ("last_only", "now")}


def given(mistake: str) -> dict[str, bool]:
    """The switch of the bank's function."""
    return {mistake: True} if mistake else {}


def draw(seed: int, outputs: int = 2) -> list[Tensor]:
    """W_xh, W_hh, b, W_hy, b_y of a network that reads signs."""
    torch.manual_seed(seed)
    shapes = (1, H), (H, H), (H,), (H, outputs), (outputs,)
    return [torch.empty(shape).uniform_(-(H**-0.5), H**-0.5).requires_grad_() for shape in shapes]


def joint(weights: list[Tensor]) -> float:
    """The norm of all gradients together, measured beside what the owner measures."""
    return torch.cat([w.grad.flatten() for w in weights]).norm().item()


def windows(seed: int, mistake: str, updates: int) -> dict[str, list]:
    """Echo in windows of five steps, from streams of 200. The weights are moved as data, behind the back of autograd."""
    weights, g, found = draw(seed), torch.Generator().manual_seed(seed), {"loss": [], "norm": [], "steps": []}
    own = [w.data for w in weights]  # the same memory, without a history
    adam, visited = torch.optim.Adam(own, 0.005), [0]

    def visit(grad: Tensor) -> None:
        visited[0] += 1

    def step(x_t: Tensor, h: Tensor) -> Tensor:
        new = torch.tanh(x_t @ weights[0] + h @ weights[1] + weights[2])  # (B, H)
        new.register_hook(visit)  # called when a gradient comes back to this state
        return new

    def update() -> None:
        for a, w in zip(own, weights):
            a.grad, w.grad = w.grad, None
        found["norm"].append(torch.cat([a.grad.flatten() for a in own]).norm().item())
        found["steps"].append(visited[0])
        visited[0] = 0
        adam.step()

    while len(found["loss"]) < updates:
        x, targets, mask = tasks.echo(STREAM, B, LAG, g)  # (T, B, 1), (T, B), (T, B)
        loss = lambda h, t: F.cross_entropy(h @ weights[3] + weights[4], targets[t]) * mask[t, 0] / K  # noqa: B023, E731
        found["loss"] += bank.right_truncated(step, loss, x, torch.zeros(B, H), K, update, **given(mistake))
    return found


def by_hand(seed: int, mistake: str, updates: int) -> dict[str, list]:
    """Echo in sequences of 12, with the gradients of Exercises 4 and 5."""
    weights, g, found = draw(seed), torch.Generator().manual_seed(seed), {"loss": [], "norm": []}
    adam = torch.optim.Adam(weights, 0.01)
    W_xh, W_hh, b, W_hy, b_y = weights
    for _ in range(updates):
        x, targets, mask = tasks.echo(12, B, 2, g)
        with torch.no_grad():
            h0, states = torch.zeros(B, H), []
            for x_t in x:
                states.append(torch.tanh(x_t @ W_xh + (states[-1] if states else h0) @ W_hh + b))  # (B, H)
            h = torch.stack(states)  # (T, B, H)
            log_p = (h @ W_hy + b_y).log_softmax(-1)  # (T, B, 2)
            truth, n = F.one_hot(targets, 2) * mask[..., None], mask.sum()
            error = (log_p.exp() - F.one_hot(targets, 2)) * mask[..., None] / n  # (T, B, 2)
            delta = bank.right_deltas(W_hh, h, error @ W_hy.T)  # (T, B, H)
            grads = bank.right_weights(x, h0, h, delta, **given(mistake))
        for w, grad in zip(weights, (*grads, torch.einsum("tbi,tbj->ij", h, error), error.sum((0, 1)))):
            w.grad = grad
        found["loss"].append(-(log_p * truth).sum().item() / n.item())
        found["norm"].append(joint(weights))
        adam.step()
    return found


def linear(seed: int, mistake: str, updates: int) -> dict[str, list]:
    """The network of Exercise 7, which has no tanh and adds up 30 signs: plain gradient descent, clipped at 1.

    A run ends where the norm is not finite, as the right function and the mistaken ones refuse it. "after" is the norm of what is descended.
    """
    g, T, n, found = torch.Generator().manual_seed(seed), 30, 10, {"loss": [], "norm": [], "after": []}
    draws = [torch.randn(shape, generator=g) for shape in ((1, n), (n, n), (n, 1))]
    weights = [draws[0], 0.8 * torch.linalg.qr(draws[1])[0], torch.zeros(n), draws[2] / n**0.5]
    W_xh, W_hh, b, W_hy = [w.requires_grad_() for w in weights]
    for _ in range(updates):
        x = 2.0 * torch.randint(2, (T, B, 1), generator=g) - 1  # (T, B, 1)
        h = torch.zeros(B, n)
        for x_t in x:
            h = x_t @ W_xh + h @ W_hh + b  # (B, n)
        loss = ((h @ W_hy - x.sum(0) / T**0.5) ** 2).mean()  # ()
        for w in weights:
            w.grad = None
        loss.backward()
        try:
            norm = bank.right_clip([w.grad for w in weights], 1.0, **given(mistake))
        except ValueError:
            break
        found["loss"].append(loss.item())
        found["norm"].append(float(norm))
        found["after"].append(joint(weights))
        with torch.no_grad():
            for w in weights:
                w -= 0.03 * w.grad
    return found


def run(seed: int, mistake: str = "", task: str = "windows", updates: int | None = None) -> dict[str, list]:
    """Train with a mistake of the bank, or with none.

    Returns
    -------
    dict
        At updates 2, 7, 12, ... (and each of the first 30 of "linear") "loss" and "norm", as their owner logs them; of "windows" also "steps", through
        which the gradient went back (the first window of a stream is never among them: it has fewer answers); of "linear" also "after", the norm of
        what is descended. "mean": the mean loss of the last 35 updates. "updates": how many there were.
    """
    learn = {"windows": windows, "by hand": by_hand, "linear": linear}[task]
    found = learn(seed, mistake, UPDATES[task] if updates is None else updates)
    losses, shown = found["loss"][-35:], (lambda n: n % EVERY == 2 or task == "linear" and n < 30)
    kept = {name: [float(f"{v:.5g}") for n, v in enumerate(values) if shown(n)] for name, values in found.items()}
    return kept | {"mean": float(f"{sum(losses) / len(losses):.5g}"), "updates": len(found["loss"])}


if __name__ == "__main__":
    cases = [{"mistake": m, "task": task} for task, mistakes in OF.items() for m in ("", *mistakes)]
    results.record(__file__, [{"updates": 40}, *cases], seeds=range(3), updates=max(UPDATES.values()))
