"""How far a gradient reaches through a tanh network of one gain, with and without noise at its input.

The gain is the spectral radius of the recurrent weights, so a network without tanh would multiply its gradient by
about gain**200.
"""

import math

import torch

from rnncourse import cells, gradients, results, unfold

UNITS, STEPS = 64, 200


def run(seed: int, gain: float, noise: float) -> float:
    """log10 of the norm of dh_200/dh_0, the product of all Jacobians of one network along one run of it.

    Parameters
    ----------
    seed : int
        For the weights, the start state and the noise.
    gain : float
        Spectral radius of the Gaussian recurrent weights.
    noise : float
        Standard deviation of the Gaussian input of each unit; 0 leaves the network to itself.
    """
    new = {"generator": torch.Generator().manual_seed(seed), "dtype": torch.float64}
    W_hh, s = torch.randn(UNITS, UNITS, **new), torch.randn(1, UNITS, **new)
    x = noise * torch.randn(STEPS, 1, UNITS, **new)  # (T, B, D) with B = 1 and D = H
    cell = cells.RNN(UNITS, UNITS).double().requires_grad_(False)
    cell.W_hh.copy_(W_hh * gain / gradients.spectral_radius(W_hh))
    cell.W_xh.copy_(torch.eye(UNITS))
    cell.b.zero_()
    h, _ = unfold.unfold(cell, x, s)  # (T, 1, H)
    J = gradients.jacobian(cell.W_hh, h[:, 0])  # (T, H, H)
    return math.log10(torch.linalg.matrix_norm(gradients.products(J)[-1], 2).item())


if __name__ == "__main__":
    gains = (0.5, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0, 3.0, 4.0)
    results.record(__file__, cases=[{"gain": g, "noise": s} for s in (0.0, 1.0) for g in gains], seeds=range(5), updates=0)
