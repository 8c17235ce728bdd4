"""The checks of Lab 2, and the wrong answers that they can name."""

import atexit
import inspect
import math
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
from torch import Tensor

from rnncourse import gradients
from rnncourse.checks import Exercise, Slip, plainly
from rnncourse.traces import Forbidden, Unfit, kind

EIGEN, BPTT, TBPTT, CURES = (f"gradients/{page}.html" for page in ("eigenvalues", "bptt", "truncated", "curing"))
POWER, MODULUS, NONNORMAL = (f"{EIGEN}#sec-{name}" for name in ("power", "modulus", "nonnormal"))
DELTA, WEIGHTS, DIFFERENCES = (f"{BPTT}#sec-bptt-{name}" for name in ("paths", "weights", "check"))
WINDOWS, CLIP, INFINITE, LOG = f"{TBPTT}#sec-detach", *(f"{CURES}#sec-{name}" for name in ("clip", "clip-nan", "nan"))
AUTOGRAD = (*(f"torch.autograd.{name}" for name in ("grad", "backward", "functional.jvp", "forward_ad.make_dual")),
            *(f"torch.func.{name}" for name in ("grad", "jvp", "vjp", "jacfwd", "jacrev", "linearize")))  # fmt: skip
OURS = tuple(f"rnncourse.gradients.{name}" for name, f in vars(gradients).items()
             if inspect.isfunction(f) and f.__module__ == gradients.__name__)  # fmt: skip
DOUBLE = torch.float64


def number(a):
    """Whether something is one real number, of whatever library."""
    if isinstance(a, Tensor):
        return a.numel() == 1 and not a.is_complex()
    return isinstance(a, int | float | np.number) and not isinstance(a, np.complexfloating)


def row(result):
    """A list of numbers, of tensors that are numbers too, as a tensor; anything else as it is."""
    if isinstance(result, list | tuple) and all(map(number, result)):
        return torch.tensor([float(a.detach() if isinstance(a, Tensor) else a) for a in result], dtype=DOUBLE)  # (n,)
    return result.detach() if isinstance(result, Tensor) else result


def scalar(result):
    """One real number."""
    if isinstance(result, complex) or (isinstance(result, Tensor | np.ndarray | np.generic) and torch.as_tensor(result).is_complex()):
        raise Unfit("it returned a complex number, expected a real one: its modulus")
    return torch.as_tensor(float(result.detach() if isinstance(result, Tensor) else result), dtype=DOUBLE) if number(result) else result


def detached(results):
    return [torch.as_tensor(r).detach() for r in results]


def norm(A):
    return torch.linalg.matrix_norm(A, 2)


# ---- Exercise 1


def right_norms(W, T, *, no_start=False, from_one=False, short=False, zero_start=False, frobenius=False, largest=False, columns=False,
                rows=False, smallest=False, symmetric=False, entries=False, starred=False, of_w=False, of_radius=False,
                doubled=False, only_last=False):
    """The norms of W^0, ..., W^T, (T + 1,); with a switch on, a known mistake."""
    size = (torch.linalg.matrix_norm if frobenius else (lambda A: A.abs().max()) if largest else (lambda A: torch.linalg.matrix_norm(A, 1))
            if columns else (lambda A: torch.linalg.matrix_norm(A, torch.inf)) if rows
            else (lambda A: torch.linalg.matrix_norm(A, -2)) if smallest
            else (lambda A: torch.linalg.eigvalsh(A).abs().max()) if symmetric else norm)
    sizes = []
    for t in range(from_one, T + 1 + from_one):
        A = torch.linalg.matrix_power(W, 2 ** (t - 1) if doubled and t else t)  # (n, n)
        A = W**t if entries else torch.eye(len(W)) * W**t if starred else A
        one = size(W) ** t if of_w else torch.linalg.eigvals(W).abs().max() ** t if of_radius else size(A)
        sizes.append(0 * one if zero_start and t == 0 else one)
    sizes = sizes[1:] if no_start else sizes
    sizes = sizes[:-1] if short else sizes
    return sizes[-1] if only_last and sizes else sizes


def matrices(g, sizes=((4, 6), (4, 6), (3, 5), (5, 0), (1, 4), (6, 1))):
    """Some matrices (n, n) and numbers of steps: far from normal, one of a single number, and below 0."""
    cases = []
    for i, (n, T) in enumerate(sizes):
        W = torch.randn(n, n, generator=g, dtype=DOUBLE if i % 2 else torch.float32) / n**0.5
        cases.append(((W - 2.0 * torch.ones(n, n, dtype=W.dtype).tril(-1) / n) if n > 1 else -0.5 - W.abs(), T))
    return cases


power_norms = Exercise(
    title="Exercise 1",
    points=2,
    truth=right_norms,
    slips=(
        Slip("no_start", "the norm of W^0 = I is missing at the beginning; the first of the T + 1 numbers is 1", POWER),
        Slip("from_one", "these are the norms of W^1 to W^(T + 1); t runs from 0 to T, so I is the first (measure, then multiply)", POWER),
        Slip("zero_start", "the first number is 0; W^0 is the identity, whose norm is 1", POWER),
        Slip("short", "the norm of W^T is missing at the end; t runs from 0 to T, so there are T + 1 numbers", POWER),
        Slip("frobenius", "these are Frobenius norms, which torch.norm and torch.linalg.matrix_norm take by default; the spectral norm is "
             "torch.linalg.matrix_norm(A, 2)", NONNORMAL),
        Slip("largest", "the largest entry is no norm of this kind; the spectral norm is torch.linalg.matrix_norm(A, 2)", NONNORMAL),
        Slip("columns", "this is the 1-norm, the largest sum of a column; the spectral norm is torch.linalg.matrix_norm(A, 2)", NONNORMAL),
        Slip("rows", "this is the largest sum of a row; the spectral norm is torch.linalg.matrix_norm(A, 2)", NONNORMAL),
        Slip("smallest", "this is the smallest singular value; the spectral norm is the largest", NONNORMAL),
        Slip("entries", "W**t raises every entry to the power t; a power of a matrix is a product of matrices: A @ W, or "
             "torch.linalg.matrix_power", POWER),
        Slip("starred", "A * W multiplies entry by entry; the product of two matrices is A @ W", POWER),
        Slip("symmetric", "eigvalsh is for symmetric matrices; the spectral norm of any matrix is torch.linalg.matrix_norm(A, 2)",
             NONNORMAL),
        Slip("of_w", "the norm of W is raised to the power t; that is only an upper bound: take the norm of W^t itself", NONNORMAL),
        Slip("of_radius", "the modulus of an eigenvalue is raised to the power t; for a matrix that is not normal that is not the norm of "
             "W^t", NONNORMAL),
        Slip("doubled", "the power is squared at each step, which makes W, W^2, W^4, W^8; multiply by W once a step", POWER),
        Slip("only_last", "only the last norm is returned; return all T + 1", POWER),
    ),
    cases=matrices,
    read=POWER,
    call=plainly,
    accept=row,
    axes="t",
)


# ---- Exercise 2


def right_radius(W, *, largest=False, real_part=False, imaginary=False, norm_of_w=False, frobenius=False, smallest=False,
                 symmetric=False, entry=False, first=False, last=False, leading=False,
                 every=False, signed=False, mean=False, squared=False, trace=False, determinant=False):
    """The largest modulus of an eigenvalue, (n, n) -> (); with a switch on, a known mistake."""
    if norm_of_w or frobenius:
        return norm(W) if norm_of_w else W.norm()
    if entry or trace or determinant:
        return W.abs().max() if entry else W.trace().abs() if trace else torch.linalg.det(W).abs()
    lam = torch.linalg.eigvalsh(W) if symmetric else torch.linalg.eigvals(W)  # (n,)
    if largest or real_part or imaginary:
        return lam.real.max() if largest else lam.real.abs().max() if real_part else lam.imag.abs().max()
    if signed or leading:
        return lam[lam.abs().argmax()].real if leading else lam[lam.abs().argmax()]
    if first or last:
        return lam[0 if first else -1].abs()
    size = lam.abs() ** 2 if squared else lam.abs()  # (n,)
    return size if every else size.min() if smallest else size.mean() if mean else size.max()


def spectra(g, sizes=(5, 5, 4, 3, 1)):
    """Matrices (n, n) in whose spectrum a negative number leads, a pair of complex ones, a positive one; one symmetric, one of a number.

    The first two are triangular but for a block of 2: of these `eigvals` lists the eigenvalues as they stand on the diagonal, so that
    the leading ones come in the middle. In most other matrices they happen to come first.
    """
    cases = []
    for i, n in enumerate(sizes):
        L = torch.diag(0.2 + 0.3 * torch.rand(n, generator=g, dtype=DOUBLE))  # (n, n)
        if i == 1:
            L[1:3, 1:3] = torch.tensor([[0.3, -1.1], [1.1, 0.3]])
        else:
            L[2 if i == 0 else 0, 2 if i == 0 else 0] = -1.3 if i == 0 or n == 1 else 0.9
        S = torch.eye(n, dtype=DOUBLE) + 0.4 * torch.randn(n, n, generator=g, dtype=DOUBLE) / n**0.5
        S = torch.linalg.qr(S)[0] if i == 3 else S
        above = 0.5 * torch.randn(n, n, generator=g, dtype=DOUBLE).triu(1)
        if i == 1:
            above[1, 2] = 0
        W = L + above if i < 2 else S @ L @ torch.linalg.inv(S)
        cases.append(((0.8 + 0.4 * torch.rand((), generator=g, dtype=DOUBLE)) * W,))
    return [*cases, (torch.zeros(2, 2),)]


radius = Exercise(
    title="Exercise 2",
    points=2,
    truth=right_radius,
    slips=(
        Slip("largest", "the largest eigenvalue is taken, so that negative and complex ones count for little; take the largest modulus, "
             "abs()", MODULUS),
        Slip("real_part", "the modulus of the real part is taken; complex eigenvalues have an imaginary part too: abs() of the complex "
             "number", MODULUS),
        Slip("imaginary", "the imaginary part is taken; abs() of the complex number is its modulus", MODULUS),
        Slip("norm_of_w", "this is the spectral norm, the largest singular value; the spectral radius is about eigenvalues", NONNORMAL),
        Slip("frobenius", "this is the Frobenius norm; the spectral radius is the largest modulus of an eigenvalue", NONNORMAL),
        Slip("entry", "this is the largest entry; the spectral radius is the largest modulus of an eigenvalue", MODULUS),
        Slip("smallest", "the smallest modulus is taken; it is the largest", MODULUS),
        Slip("mean", "the mean modulus is taken; it is the largest", MODULUS),
        Slip("squared", "the squared modulus is taken; the modulus is the root of it", MODULUS),
        Slip("symmetric", "eigvalsh and eigh are for symmetric matrices, and read one triangle only; torch.linalg.eigvals is for any",
             MODULUS),
        Slip("first", "the first eigenvalue is taken; eigvals lists them in no order: take the largest modulus, abs().max()", MODULUS),
        Slip("last", "the last eigenvalue is taken; eigvals lists them in no order: take the largest modulus, abs().max()", MODULUS),
        Slip("leading", "the real part of the eigenvalue is returned; return its modulus, abs() of the complex number", MODULUS),
        Slip("every", "all moduli are returned; return the largest", MODULUS),
        Slip("signed", "the eigenvalue itself is returned, with its sign or as a complex number; return its modulus", MODULUS),
        Slip("trace", "the trace is the sum of the eigenvalues; return the largest modulus", MODULUS),
        Slip("determinant", "the determinant is the product of the eigenvalues; return the largest modulus", MODULUS),
    ),
    cases=spectra,
    read=MODULUS,
    call=plainly,
    accept=scalar,
    forbids=("rnncourse.gradients.spectral_radius",),
    lends={"power_norms": right_norms},
)


# ---- Exercise 3


def right_transient(n, *, normal=False, explodes=False, huge=False, tame=False, sized=False):
    """A matrix (n, n) whose powers grow before they fade; with a switch on, one that misses it."""
    n = 5 if sized else n
    size = 1.0 if explodes else 0.85 if huge else 0.9
    above = 0.0 if normal else 0.02 if tame else 1.0
    W = size * torch.eye(n, dtype=DOUBLE) + above * torch.ones(n, n, dtype=DOUBLE).triu(1)
    if huge:
        W[0, 0] = -0.9
        W[0, -1] = 1.5 if normal or tame else 150.0
        W[-1, 0] = W[0, -1] * 0
    return W


def matrix(answer, n):
    """What an answer returned, if it is a matrix that can be looked at."""
    result = answer(n)
    if not isinstance(result, Tensor | np.ndarray):
        raise Unfit("it returned nothing: is a return missing?" if result is None else f"it returned {kind(result)}, expected a tensor")
    W = torch.as_tensor(result).detach()  # (n, n)
    if W.is_complex():
        raise Unfit("it returned a complex matrix, expected a real one")
    if W.shape != (n, n):
        raise Unfit(f"it returned {kind(W)} for n = {n}, expected {(n, n)}")
    if not W.double().isfinite().all():
        raise Unfit("an entry of W is infinite, or no number")
    return W


def properties(values, n):
    """What a matrix has to have, as ones and zeros; after a radius above 0.9 growth is no wonder, and is not looked at."""
    W = values[0].double().reshape(n, n)
    fades = bool(torch.linalg.eigvals(W).abs().max() <= 0.9001)
    small = bool(W.abs().max() <= 1.0001)
    A, peak = W, 0.0
    for _ in range(1000):
        peak = max(peak, norm(A).item())
        if peak >= 99.99 or peak == 0:
            break
        A = W @ A  # (n, n)
    commutes = torch.allclose(W @ W.T, W.T @ W, atol=1e-5)
    return [torch.tensor([fades, small, peak >= 99.99 or not fades, commutes and fades]).double()]  # (4,)


def property_words(name, at, wanted, got):
    """Which property is missing."""
    return ("the spectral radius of W is above 0.9", "an entry of W is larger than 1 in size", "no power of W has a norm of 100 or more",
            "W is normal, so that its powers only fade")[at[0]]


transient = Exercise(
    title="Exercise 3",
    points=2,
    truth=right_transient,
    slips=(
        Slip("normal", "the matrix is normal (symmetric, orthogonal, diagonal), and for those the norm of W^t is the radius to the "
             "power t, which cannot grow here", NONNORMAL),
        Slip("explodes", "the spectral radius is above 0.9; Exercise 2 measures it. Then growth is no wonder", MODULUS),
        Slip("tame", "W is not normal and its radius is right, but no power has a norm of 100; Exercise 1 measures it", NONNORMAL),
        Slip("huge", "an entry is beyond 1 in size; the growth has to come from many steps, not from one large number", NONNORMAL),
        Slip("sized", "the size is fixed; W is (n, n) for the n that is given", NONNORMAL),
    ),
    cases=lambda g, sizes=(6, 9): [(n,) for n in sizes],
    read=NONNORMAL,
    call=matrix,
    settle=properties,
    lends={"power_norms": right_norms, "radius": right_radius},
    words=property_words,
)


# ---- Exercise 4


def right_deltas(W_hh, h, direct, *, not_turned=False, wrong_step=False, after=False, no_tanh=False, unsquared=False, sigmoid=False,
                 tanh_twice=False, no_first=False, no_matrix=False, no_last=False, twice_last=False,
                 no_direct=False, only_direct=False, one_path=False, stops=False,
                 forward=False, local=False,
                 flipped=False, columns=False, elementwise=False, listed=False, batch_sum=False, batch_mean=False):
    """dL/dh_t at every step, (H, H), (T, B, H) twice -> (T, B, H); with a switch on, a known wrong answer. Some of them raise."""
    columns and W_hh @ direct[-1]
    W = torch.eye(len(W_hh), dtype=W_hh.dtype) if no_matrix else W_hh if not_turned else W_hh.T  # (H, H)
    slope = torch.ones_like(h) if no_tanh else 1 - h if unsquared else h * (1 - h) if sigmoid else 1 - h**2  # (T, B, H)
    slope = 1 - h.tanh() ** 2 if tanh_twice else slope
    delta, order = [None] * len(h), range(len(h)) if forward else reversed(range(len(h)))
    for t in order:
        nxt = t - 1 if forward else t + 1
        if not 0 <= nxt < len(h):
            delta[t] = 0 * direct[t] if no_last else 2 * direct[t] if twice_last else direct[t]
            continue
        coming, f = direct[nxt] if one_path else delta[nxt], slope[t if wrong_step or forward else nxt]  # (B, H) each
        back = (coming @ W) * f if after else (coming * f) @ W  # (B, H)
        back = coming * f * W[0] if elementwise else back
        delta[t] = direct[t] if only_direct or (stops and t == 0) else back if no_direct else direct[t] + back
        delta[t] = 0 * delta[t] if no_first and t == 0 else delta[t]
    delta = delta[::-1] if flipped else delta
    if listed:
        return delta
    delta = torch.stack(delta)  # (T, B, H)
    delta = delta * (1 - h**2) if local else delta
    return delta.sum(1) if batch_sum else delta.mean(1) if batch_mean else delta


def through(g, sizes):
    """States of a tanh network, (T, B, H), with weights (H, H), as a batch-first loader leaves them, and what draws others."""
    for i, (T, B, H) in enumerate(sizes):
        dtype = DOUBLE if i == len(sizes) - 1 else torch.float32
        draw = lambda *shape, dtype=dtype: torch.randn(shape, generator=g, dtype=dtype)  # noqa: E731
        h = draw(B, T, H).tanh().transpose(0, 1)  # (T, B, H), not contiguous
        yield (T, B, H), draw, draw(H, H), h if i else h.contiguous()


deltas = Exercise(
    title="Exercise 4",
    points=4,
    truth=right_deltas,
    slips=(
        Slip("not_turned", "W_hh is not transposed; rows go forward by @ W_hh, and gradients come back by @ W_hh.T", DELTA),
        Slip("wrong_step", "the slope 1 - h^2 is taken at step t; the tanh that lies between h_t and h_{t+1} is that of step t + 1", DELTA),
        Slip("after", "the slope is multiplied after W_hh.T; on the way back the tanh of step t + 1 comes first, then its W_hh", DELTA),
        Slip("no_tanh", "the slope of tanh is missing; it is 1 - h_{t+1}^2", DELTA),
        Slip("unsquared", "the slope is taken to be 1 - h; for tanh it is 1 - h^2", DELTA),
        Slip("sigmoid", "h (1 - h) is the slope of the sigmoid; for tanh it is 1 - h^2", DELTA),
        Slip("tanh_twice", "tanh is taken twice in the slope; h is the value of tanh already: 1 - h^2", DELTA),
        Slip("no_first", "delta[0] stays 0; the recursion goes down to step 0", DELTA),
        Slip("no_matrix", "W_hh has no part in it; a gradient comes back by @ W_hh.T", DELTA),
        Slip("no_last", "the gradient of the last state is forgotten; nothing comes after it, so there delta is its direct gradient",
             DELTA),
        Slip("twice_last", "the direct gradient of the last state counts twice; once is right", DELTA),
        Slip("no_direct", "direct[t] counts at the last step only; at every step it is added to what comes back from t + 1", DELTA),
        Slip("only_direct", "nothing comes back from later steps; add what delta[t + 1] brings", DELTA),
        Slip("one_path", "what comes back is direct[t + 1], so a loss is felt one step earlier and no further; it is delta[t + 1], which "
             "holds all later paths", DELTA),
        Slip("stops", "the loop stops before step 0; delta[0] too gets what comes back", DELTA),
        Slip("forward", "the loop runs from the first step to the last; gradients go from the last to the first", DELTA),
        Slip("local", "this is the gradient before the tanh, delta * (1 - h^2); what is asked for is dL/dh_t itself", DELTA),
        Slip("flipped", "the steps come out in the wrong order, the last one first; delta[t] belongs to h[t]", DELTA),
        Slip("columns", "W_hh stands on the left, as for columns; here each row is a sequence, so the matrix stands on the right", DELTA,
             r"W_hh(\.T|\.t\(\)|\.mT)? *@|(matmul|mm)\(W_hh"),
        Slip("elementwise", "each unit is multiplied by one number of W_hh; it is a matrix product", DELTA),
        Slip("listed", "delta is a Python list; torch.stack makes one tensor (T, B, H) of it", DELTA),
        Slip("batch_sum", "the batch is summed; each sequence has gradients of its own, (T, B, H)", DELTA),
        Slip("batch_mean", "the batch is averaged; each sequence has gradients of its own, (T, B, H)", DELTA),
    ),
    cases=lambda g, sizes=((5, 3, 4), (5, 3, 4), (6, 2, 3), (2, 3, 5), (1, 3, 2), (4, 1, 3), (7, 4, 2)): [
        (W_hh, h, draw(*size)) for size, draw, W_hh, h in through(g, sizes)],
    read=DELTA,
    call=plainly,
    returns=("delta",),
    accept=detached,
    forbids=AUTOGRAD + OURS,
    axes="t b unit",
)


# ---- Exercise 5


def right_weights(x, h0, h, delta, *, now=False, zero_first=False, no_tanh=False, b_no_tanh=False, slope_before=False, unsquared=False,
                  sigmoid=False, tanh_twice=False, rolled=False, late=False, hh_turned=False, mean_batch=False,
                  mean_steps=False, last_only=False, first_only=False, one_sequence=False, turned=False, swapped=False,
                  b_batch=False, b_steps=False, twice=False, viewed=False, delta_viewed=False):
    """The gradients of W_xh (D, H), W_hh (H, H) and b (H,); with a switch on, a known wrong answer. Some of them raise."""
    T, B, _ = h.shape
    viewed and x.view(-1, x.shape[-1])
    delta_viewed and (delta * (1 - h**2)).view(-1, h.shape[-1])
    before = h if now else torch.cat([0 * h0[None] if zero_first else h[-1:] if rolled else h0[None], h[:-1]])  # (T, B, H)
    slope = h * (1 - h) if sigmoid else 1 - (before**2 if slope_before else h if unsquared else (h.tanh() if tanh_twice else h) ** 2)
    local = delta if no_tanh else delta * slope  # (T, B, H)
    share = (1 / B if mean_batch else 1) * (1 / T if mean_steps else 1) * (2 if twice else 1)
    if last_only or first_only or one_sequence:
        keep = torch.zeros(T, B, 1, dtype=h.dtype)
        keep[-1 if last_only else 0 if first_only else slice(None), 0 if one_sequence else slice(None)] = 1
        local = local * keep
    local = share * local
    local = torch.cat([0 * local[:1], local[1:]]) if late else local
    dW_xh = torch.einsum("tbd,tbh->dh", x, local)  # (D, H)
    dW_hh = torch.einsum("tbi,tbh->ih", before, local)  # (H, H)
    own = share * delta if b_no_tanh else local
    dW_hh = dW_hh.T if hh_turned else dW_hh
    db = own.sum(0) if b_batch else own.sum(1) if b_steps else own.sum((0, 1))  # (H,)
    if turned:
        dW_xh, dW_hh = dW_xh.T, dW_hh.T
    return (dW_hh, dW_xh, db) if swapped else (dW_xh, dW_hh, db)


def loads(g, sizes=((5, 3, 2, 4), (5, 3, 2, 4), (4, 2, 5, 3), (1, 3, 2, 4), (6, 1, 3, 2), (3, 4, 5, 2))):
    """Inputs (T, B, D), states and their gradients (T, B, H), for (T, B, D, H); not all contiguous: at first x alone, then delta too."""
    return [(draw(B, T, D).transpose(0, 1), draw(B, H).tanh(), h, draw(B, T, H).transpose(0, 1) if i > 1 else draw(T, B, H))
            for i, ((T, B, D, H), (_, draw, _, h)) in enumerate(zip(sizes, through(g, [(T, B, H) for T, B, _, H in sizes])))]


weight_gradients = Exercise(
    title="Exercise 5",
    points=4,
    truth=right_weights,
    slips=(
        Slip("now", "the gradient of W_hh is made with h_t; W_hh was multiplied by the state before, h_{t-1}", WEIGHTS),
        Slip("zero_first", "W_hh gets nothing from the first step (h[:-1] with delta[1:], perhaps); there the state before is h0, "
             "which need not be zero", WEIGHTS),
        Slip("no_tanh", "the slope of tanh is missing; the weights stand inside the tanh, so it is delta * (1 - h^2) that reaches them",
             WEIGHTS),
        Slip("b_no_tanh", "the gradient of b is the sum of delta; b stands inside the tanh too: sum delta * (1 - h^2)", WEIGHTS),
        Slip("slope_before", "the slope is taken at the state before; the tanh of step t gave h_t, so it is 1 - h_t^2", WEIGHTS),
        Slip("unsquared", "the slope is taken to be 1 - h; for tanh it is 1 - h^2", WEIGHTS),
        Slip("sigmoid", "h (1 - h) is the slope of the sigmoid; for tanh it is 1 - h^2", WEIGHTS),
        Slip("tanh_twice", "tanh is taken twice in the slope; h is the value of tanh already: 1 - h^2", WEIGHTS),
        Slip("rolled", "at t = 0 the last state stands in the place of h0 (h[t - 1] is h[-1] there, and roll does the same); "
             "there it is h0", WEIGHTS),
        Slip("late", "the first step is left out of all gradients; it begins from h0", WEIGHTS),
        Slip("hh_turned", "dW_hh is transposed, which no shape shows, since it is square; dW[i, j] belongs to W[i, j], so the state before "
             "gives its rows", WEIGHTS),
        Slip("mean_batch", "the gradients are averaged over the batch; L is a sum, so its gradients are too", WEIGHTS),
        Slip("mean_steps", "the gradients are averaged over the steps; the same weights serve at every step, and their gradients add up",
             WEIGHTS),
        Slip("last_only", "only the last step counts (is there = where += should be?); the gradients of all steps add up", WEIGHTS),
        Slip("first_only", "only the first step counts (is there = where += should be?); the gradients of all steps add up", WEIGHTS),
        Slip("one_sequence", "only the first sequence of the batch counts; sum over the batch", WEIGHTS),
        Slip("turned", "the gradients of the matrices are transposed; each has the shape of its matrix, dW[i, j] belongs to W[i, j]",
             WEIGHTS),
        Slip("swapped", "the gradients come in another order; it is dW_xh, dW_hh, db", WEIGHTS),
        Slip("b_batch", "the gradient of b is not summed over the batch; it is (H,), as b is", WEIGHTS),
        Slip("b_steps", "the gradient of b is not summed over the steps; it is (H,), as b is", WEIGHTS),
        Slip("twice", "everything counts twice; torch.nn.RNN has two biases, but here each weight is there once", WEIGHTS),
        Slip("viewed", "view needs memory without gaps, and a transposed tensor has not that; reshape(-1, n) does the same and takes any",
             WEIGHTS, "view"),
        Slip("delta_viewed", "view is taken of a product of transposed tensors, which may be transposed too; reshape(-1, n) takes any",
             WEIGHTS, "view"),
    ),
    cases=loads,
    read=WEIGHTS,
    call=plainly,
    returns=("dW_xh", "dW_hh", "db"),
    accept=detached,
    forbids=AUTOGRAD + OURS,
    lends={"deltas": right_deltas},
    axes="d unit, i unit, unit",
)


# ---- Exercise 6


def right_numeric(f, theta, eps=1e-5, *, ahead=False, behind=False, not_halved=False, undivided=False, bracket=False, moved=False,
                  negative=False, flat=False, listed=False, together=False, rows=False, kept=False, aliased=False, viewed=False,
                  reshaped=False, rounded=False, fixed=False):
    """Central differences of f at theta, in its shape; with a switch on, a known wrong answer."""
    eps = 1e-5 if fixed else eps
    viewed and theta.view(-1)
    lost = aliased or (reshaped and not theta.is_contiguous())
    at = theta.clone(memory_format=torch.contiguous_format)
    at = at.float() if rounded else at
    grad = torch.zeros_like(at)
    for i in range(1 if together else len(theta) if rows else theta.numel()):
        step = torch.zeros_like(at)
        (step if rows else step.view(-1))[slice(None) if together else i] = eps
        up, down = f(at + step), f(at if moved else at - step)
        rise = up - f(at) if ahead else f(at) - down if behind else up - down
        value = 0 if lost else rise / (1 if undivided else eps if ahead or behind or not_halved else 2 / eps if bracket else 2 * eps)
        (grad if rows else grad.view(-1))[slice(None) if together else i] = -value if negative else value
        if kept:
            at = at - step
            theta.copy_(at)
    return grad.flatten().tolist() if listed else grad.flatten() if flat else grad


def slopes(g, sizes=(((2, 3), 0.1), ((2, 3), 0.1), ((4,), 0.2), ((1,), 0.1), ((2, 1, 3), 0.05), ((3, 2), 1e-5), ((2, 4), 0.1))):
    """A point theta, the matrix (4, n) of a function, and eps; the last point is transposed."""
    draw = lambda *shape: torch.randn(shape, generator=g, dtype=DOUBLE)  # noqa: E731
    return [(draw(*shape) if i < len(sizes) - 1 else draw(*shape[::-1]).T, draw(4, math.prod(shape)) / 2, eps)
            for i, (shape, eps) in enumerate(sizes)]


def curved(answer, theta, A, eps):
    """Call with a function that is far from straight and knows its argument's shape; return the gradient, and theta as it is left."""
    theta, shape = theta.detach().clone(), theta.shape

    def f(theta):
        if not isinstance(theta, Tensor) or theta.shape != shape:
            got = tuple(theta.shape) if isinstance(theta, Tensor) else kind(theta)
            raise ValueError(f"f(theta) expects a tensor of shape {tuple(shape)}, got {got}")
        a = A.detach().to(theta.dtype) @ theta.detach().flatten()  # (n,)
        return (a**3 + a.sin() + a * a.roll(1)).sum()

    grad = answer(f, theta, eps)
    if grad is None:
        raise Unfit("it returned nothing: is a return missing?")
    return grad, theta


numeric_gradient = Exercise(
    title="Exercise 6",
    points=3,
    truth=right_numeric,
    slips=(
        Slip("ahead", "the difference is taken to one side, f(theta + eps) - f(theta); central differences go to both", DIFFERENCES),
        Slip("behind", "the difference is taken to one side, f(theta) - f(theta - eps); central differences go to both", DIFFERENCES),
        Slip("not_halved", "the difference is divided by eps; from theta - eps to theta + eps it is 2 eps", DIFFERENCES),
        Slip("undivided", "the difference is not divided by 2 eps", DIFFERENCES),
        Slip("bracket", "/ 2 * eps halves and then multiplies by eps; brackets: / (2 * eps)", DIFFERENCES),
        Slip("moved", "the second value of f is taken at theta itself, not at theta - eps. Is theta[i] kept as a tensor? It is a view, "
             "and moves along with theta; keep theta[i].item(). Or is it a difference to one side, over 2 eps?", DIFFERENCES),
        Slip("negative", "the sign is wrong; it is f(theta + eps) - f(theta - eps)", DIFFERENCES),
        Slip("flat", "the gradient is flat; it has the shape of theta", DIFFERENCES),
        Slip("listed", "the gradient is a list; return a tensor of the shape of theta", DIFFERENCES),
        Slip("together", "all entries are moved at once; move one at a time, since each has a derivative of its own", DIFFERENCES),
        Slip("rows", "whole rows are moved at once (theta[i] of a matrix is a row); move one entry at a time", DIFFERENCES),
        Slip("kept", "an entry is not put back before the next one is moved, and theta is left changed; put it back, or work on a copy",
             DIFFERENCES),
        Slip("aliased", "both values of f are the same: plus = theta is no copy, so that one tensor is moved forth and back; clone it",
             DIFFERENCES),
        Slip("viewed", "view needs memory without gaps, and neither a transposed theta nor zeros_like of it has that; work on "
             "theta.flatten(), which is a copy, or by index", DIFFERENCES, "view"),
        Slip("reshaped", "reshape(-1) of a transposed theta is a copy: to change it does not move theta, so that f never changes; give "
             "f what you have moved", DIFFERENCES),
        Slip("rounded", "the values are rounded to float32, in which a difference as small as this is mostly rounding; stay in float64",
             DIFFERENCES),
        Slip("fixed", "eps is ignored (or the formula is another one, of more than two values); use the eps that is given", DIFFERENCES),
    ),
    cases=slopes,
    read=DIFFERENCES,
    call=curved,
    returns=("the gradient", "theta afterwards"),
    accept=detached,
    forbids=AUTOGRAD + OURS,
)


# ---- Exercise 7


REFUSED, NOT_REFUSED, NO_NONE, BY_ZERO, OTHER_ERROR, SPOILT = -1.0, -2.0, -3.0, -4.0, -5.0, -6.0  # no norm is below 0


def right_clip(grads, max_norm, *, per_tensor=False, by_value=False, always=False, always_safe=False, by_zero=False, lecture=False,
               unit=False, by_threshold=False, inverse=False, opposite=False, sums=False, largest=False, one_norm=False, squared=False,
               lost=False, listed=False, after=False, scale=False, square_returned=False, none=False, viewed=False, unguarded=False,
               only_inf=False, only_nan=False, other_error=False, spoilt=False):
    """Scale gradients in place to a joint norm of at most max_norm, and return the norm before; with a switch on, a known mistake."""
    none and [g.norm() for g in grads]
    own = [g for g in grads if g is not None]
    viewed and [g.view(-1) for g in own]
    sizes = torch.stack([g.abs().sum() if one_norm else g.norm() for g in own])  # one for each gradient
    total = sizes.sum() if sums or one_norm else sizes.max() if largest else (sizes**2).sum() ** (1 if squared else 0.5)
    if not unguarded and (total.isinf() if only_inf else total.isnan() if only_nan else not total.isfinite()):
        spoilt and own[0].zero_()
        raise (RuntimeError if other_error else ValueError)("the norm is not finite")
    limit, new = 1.0 if lecture else max_norm, []
    for g, n in zip(own, sizes if per_tensor else total.expand(len(own))):
        over = always or (by_zero and n == 0) or (always_safe and n > 0) or (n < limit if opposite else n > limit)
        factor = 1 / max_norm if by_threshold else n / limit if inverse else (1.0 if unit else limit) / n
        new.append(g.clamp(-max_norm, max_norm) if by_value else g * factor if over else g)
    if listed:
        return new
    for g, scaled in zip(own, new):
        lost or g.copy_(scaled)
    if after or scale:
        return torch.stack([g.norm() for g in own]).norm() if after else torch.clamp(max_norm / total, max=1.0)
    return total**2 if square_returned else total


def in_place(answer, grads, max_norm):
    """Call with copies; what it returned and what became of the gradients. What goes wrong is a value too, so that it can be named
    beside other mistakes."""
    copies = [g if g is None else g.detach().clone() for g in grads]
    own, given = [g for g in copies if g is not None], [g for g in grads if g is not None]
    finite, zero = all(g.isfinite().all() for g in own), not any(g.any() for g in own)
    try:
        result = answer([*copies], max_norm)
    except (Forbidden, NotImplementedError):
        raise
    except Exception as error:
        if not finite:
            same = all(torch.equal(a.nan_to_num(7), b.nan_to_num(7)) for a, b in zip(own, given))
            return code(OTHER_ERROR if not isinstance(error, ValueError) else REFUSED if same else SPOILT)
        if len(own) < len(copies) and isinstance(error, AttributeError | TypeError) and "NoneType" in str(error):
            return code(NO_NONE)
        if zero and isinstance(error, ZeroDivisionError):
            return code(BY_ZERO)
        raise
    if not finite:
        return code(NOT_REFUSED)
    if zero and any(g.isnan().any() for g in own):
        return code(BY_ZERO)
    if not number(result):
        raise Unfit("it returned nothing: is a return missing?" if result is None else f"it returned {kind(result)}, expected a number")
    return scalar(result), torch.cat([g.flatten() for g in own])


def code(value):
    """What stands for something that is no norm."""
    return torch.tensor(value), torch.zeros(1)


def clip_words(name, at, wanted, got):
    """What a code stands for; "" for a norm or a gradient."""
    if name != "the norm":
        return ""
    said = {REFUSED: "it raised a ValueError, though the norm is finite",
            NOT_REFUSED: "the norm is infinite or NaN, and it raised no ValueError",
            NO_NONE: "it raised an error where an entry of grads is None", BY_ZERO: "it divides by the norm where that is 0",
            OTHER_ERROR: "the norm is infinite or NaN, and it raised another error than a ValueError",
            SPOILT: "it raised the ValueError, but had changed the gradients by then"}  # fmt: skip
    return said.get(got, "")


def heaps(g, shapes=((2, 3), (4,), (3, 2)), norms=((6.0, 2.5), (6.0, 2.5), (0.8, 0.3), (3.0, 5.0), (0.2, 0.7), (4.0, 1.0), (1.2, 0.9))):
    """Gradients, some with a None among them, of a norm above and below the threshold, and 1 on either side of both; some transposed;
    two small beside a large one; all 0; one infinite; one NaN."""
    draw = lambda: [torch.randn(shape, generator=g) for shape in shapes]  # noqa: E731
    cases = []
    for i, (before, max_norm) in enumerate(norms):
        grads = draw()
        size = torch.cat([a.flatten() for a in grads]).norm()
        grads = [a * before / size for a in grads]
        grads[0] = grads[0].T.contiguous().T if i > 3 else grads[0]
        cases.append(([grads[0], None, *grads[1:]] if i in (2, 3) else grads, max_norm))
    bad, worse = draw(), draw()
    bad[1].view(-1)[0], worse[-1].view(-1)[0] = torch.inf, torch.nan
    return [*cases, ([a * b for a, b in zip(draw(), (1e-3, 10.0, 0.1))], 1.0), ([0 * a for a in draw()], 1.0), (bad, 1.0), (worse, 1.0)]


clip = Exercise(
    title="Exercise 7",
    points=3,
    truth=right_clip,
    slips=(
        Slip("per_tensor", "each gradient is clipped by a norm of its own, which turns the direction; there is one norm, of all of them "
             "together", CLIP),
        Slip("by_value", "each entry is clipped by itself, which turns the direction; all are scaled by one factor", CLIP),
        Slip("always", "the gradients are scaled also when their norm is small enough, and when it is 0 they become NaN; then they stay as "
             "they are", CLIP),
        Slip("always_safe", "the gradients are scaled up to max_norm when their norm is smaller; then they stay as they are", CLIP),
        Slip("by_zero", "where all gradients are 0, the norm is 0, and it is divided by; then they stay as they are", CLIP),
        Slip("lecture", "they are divided by the norm where it exceeds 1, whatever max_norm is; the slide's rule is the special case "
             "max_norm = 1", CLIP),
        Slip("unit", "they are scaled to the norm 1; the norm afterwards is max_norm", CLIP),
        Slip("by_threshold", "they are divided by max_norm; the factor is max_norm / norm", CLIP),
        Slip("inverse", "the factor is upside down; it is max_norm / norm", CLIP),
        Slip("opposite", "they are scaled where the norm is below max_norm; it is where it is above", CLIP),
        Slip("sums", "the norms of the tensors are added; the joint norm is the root of the sum of their squares", CLIP),
        Slip("largest", "the largest norm of a tensor is taken; the joint norm is the root of the sum of their squares", CLIP),
        Slip("one_norm", "absolute values are added; the norm is the root of the sum of the squares", CLIP),
        Slip("squared", "the root is missing: this is the square of the norm", CLIP),
        Slip("lost", "the gradients stay as they were (g = g * s makes a new tensor, and leaves the old one as it is); change them in "
             "place, g *= s", CLIP),
        Slip("listed", "a list of gradients is returned; change the given ones in place, and return the norm", CLIP),
        Slip("after", "the norm afterwards is returned; return the norm before, which tells how near to exploding it was", CLIP),
        Slip("scale", "the factor is returned; return the norm before", CLIP),
        Slip("square_returned", "the square of the norm is returned; return the norm", CLIP),
        Slip("none", "a gradient that is None (its parameter was not used) ends it; leave it out", CLIP),
        Slip("viewed", "view needs memory without gaps, and a transposed gradient has not that; the norm of a tensor of any shape is "
             "g.norm()", CLIP, "view"),
        Slip("unguarded", "a norm that is infinite or NaN is not refused; raise a ValueError then, since scaling would spread NaN",
             INFINITE),
        Slip("only_inf", "NaN is not refused; it is not equal to anything, itself included: math.isfinite or torch.isfinite find both",
             INFINITE),
        Slip("only_nan", "an infinite norm is not refused; math.isfinite or torch.isfinite find both", INFINITE),
        Slip("other_error", "a norm that is infinite or NaN ends in another error; raise ValueError(...) for it, so that a caller can tell",
             INFINITE),
        Slip("spoilt", "the gradients are changed before a norm that is not finite is refused; look at the norm first", INFINITE),
    ),
    cases=heaps,
    read=CLIP,
    call=in_place,
    returns=("the norm", "the gradients"),
    words=clip_words,
    forbids=("rnncourse.gradients.clip", *(f"torch.nn.utils.{name}" for name in (
        "clip_grad_norm_", "clip_grad_value_", "get_total_norm", "clip_grads_with_norm_") if hasattr(torch.nn.utils, name))),
)


# ---- Exercise 8


def window(step, loss, x, h, steps, update, *, each, early, loss_cut, local_time, stale, stepwise, last_only):
    """The state after some steps and the sum of their losses; with a switch on, a known mistake."""
    total, number = 0.0, 0.0
    for t in steps:
        old, h = h, step(x[t], h.detach() if each or stepwise else h)  # (B, H)
        h = h.detach() if early and t == steps[-1] else h
        one = loss(old if stale else h.detach() if loss_cut else h, t - steps[0] if local_time else t)
        total = one if last_only else total + one
        if stepwise:
            one.backward()
            update()
            number += one.item()
    return h, torch.tensor(number) if stepwise else total


def right_truncated(step, loss, x, h0, k, update, *, no_detach=False, retained=False, each=False, reset=False, zeros=False, tail=False,
                    offset=False, whole=False, short=False, mean=False, last_only=False, early=False, loss_cut=False, local_time=False,
                    stale=False, once=False, late=False, premature=False, stepwise=False, recomputed=False, no_update=False,
                    no_backward=False, total_only=False, summed=False):
    """Windows of k steps, with a backward pass and an update after each, and their losses; with a switch on, a known mistake."""
    T, h, losses, totals = len(x), h0, [], []
    known = dict(each=each, early=early, loss_cut=loss_cut, local_time=local_time, stale=stale, stepwise=stepwise, last_only=last_only)
    begins = [0, *range(1, T, k)] if offset else range(0, T, T if whole else k)
    for begin, end in zip(begins, [*begins[1:], T]):
        if tail and end - begin < k and (begin or not offset):
            continue
        start = h0 if reset else 0 * h0 if zeros else h if no_detach or retained else h.detach()
        h, total = window(step, loss, x, start, range(begin, max(begin + 1, end - 1) if short else end), update, **known)
        total = total / (end - begin) if mean else total
        losses.append(total.item() + (sum(losses[-1:]) if summed else 0))
        totals.append(total)
        premature and update()
        if not (once or late or no_backward or stepwise):
            total.backward(retain_graph=retained)
        if not (once or late or premature or no_update or stepwise):
            update()
        h = window(step, loss, x, start.detach(), range(begin, end), update, **known | {"stepwise": False})[0] if recomputed else h
    for total in [sum(totals)] if once else totals if late else []:
        total.backward()
        update()
    return sum(losses) if total_only else losses


@torch.no_grad()
def moved(w, rate):
    """A step of gradient descent, in place: torch then refuses to go backward through what was computed before."""
    w -= rate * w.grad


def watched(answer, *arguments):
    """A call; torch's error about weights that have moved in words of its own, since the original names versions and tensors."""
    try:
        return answer(*arguments)
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            error.args = ("backward went through a step that was computed before update() moved the weights",)
        raise


def recorded(answer, x, targets, h0, W_xh, W_hh, b, W_hy, k, rate):
    """Call with a step and a loss that say what they expect, and an update that moves the weights by ``rate``: what it returned, and
    how many updates there were, and the gradients found at each, (n, all)."""
    x, h0, targets = x.detach(), h0.detach(), targets.detach()
    weights = [w.detach().clone().requires_grad_() for w in (W_xh, W_hh, b, W_hy)]
    found = []

    def step(x_t, h):
        shapes = tuple(x_t.shape), tuple(h.shape)
        if shapes != (x.shape[1:], h0.shape):
            raise ValueError(f"step(x_t, h) expects {tuple(x.shape[1:])} and {tuple(h0.shape)}, got {shapes[0]} and {shapes[1]}")
        return torch.tanh(x_t @ weights[0] + h @ weights[1] + weights[2])  # (B, H)

    def loss(h_t, t):
        if tuple(h_t.shape) != tuple(h0.shape) or not 0 <= t < len(x):
            raise ValueError(f"loss(h_t, t) expects {tuple(h0.shape)} and a step below {len(x)}, got {tuple(h_t.shape)} and {t}")
        return ((h_t @ weights[3] - targets[t]) ** 2).sum()

    def update():
        found.append(torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in weights]))
        for w in weights:
            if rate and w.grad is not None:
                moved(w, rate)
            w.grad = None

    losses = watched(answer, step, loss, x, h0, k, update)
    if losses is None:
        raise Unfit("it returned nothing: is a return missing?")
    return row(losses), torch.tensor(len(found)), torch.stack(found) if found else torch.zeros(0, 1)


def streams(g, sizes=((7, 3, 2, 4, 3), (7, 3, 2, 4, 3), (6, 2, 3, 4, 2), (3, 2, 4, 3, 5), (5, 1, 2, 3, 1), (4, 2, 3, 5, 4), (1, 3, 2, 4,
            2), (7, 3, 2, 4, 3)), still=5):
    """Inputs (T, B, D), targets (T, B, 2), a start, weights, k, and how far an update moves, for (T, B, D, H, k): at first not at all."""
    draw = lambda *shape: torch.randn(shape, generator=g)  # noqa: E731
    return [(draw(T, B, D), draw(T, B, 2), draw(B, H), draw(D, H), draw(H, H), draw(H), draw(H, 2), k, 0.01 if i >= still else 0.0)
            for i, (T, B, D, H, k) in enumerate(sizes)]


truncated = Exercise(
    title="Exercise 8",
    points=6,
    truth=right_truncated,
    slips=(
        Slip("no_detach", "backward ran into a graph that is gone: the state that is carried over still hangs on the window before, or the "
             "sum of losses does. Detach the state (h = h.detach(): it returns a new one), and begin a new sum in each window", WINDOWS),
        Slip("retained", "the gradients go back through all earlier windows (retain_graph keeps them alive); detach the state at the "
             "beginning of each window", WINDOWS),
        Slip("each", "the state is detached at every step, so that gradients go back one step; detach it once a window", WINDOWS),
        Slip("reset", "each window starts from h0; it starts from the state that the window before has left, without its history", WINDOWS),
        Slip("zeros", "each window starts from zeros; the first starts from h0, the others from the state that the window before has left",
             WINDOWS),
        Slip("tail", "the steps left over at the end are dropped; they make a shorter window", WINDOWS),
        Slip("offset", "the first window holds one step only (t % k == 0 is true at t = 0); windows are steps 0 to k - 1, k to 2k - 1, …",
             WINDOWS),
        Slip("whole", "k is ignored; a window has k steps", WINDOWS),
        Slip("short", "the last step of each window is left out", WINDOWS),
        Slip("mean", "the loss of a window is averaged over its steps; here it is their sum, so that a short window weighs no more",
             WINDOWS),
        Slip("last_only", "only the loss of the window's last step counts; sum over all its steps", WINDOWS),
        Slip("early", "the state is detached before the last loss of the window is computed, so that this loss sends nothing back; detach "
             "it after the backward pass", WINDOWS),
        Slip("loss_cut", "the loss is computed from a detached state, so that it sends nothing back; detach what is carried over only",
             WINDOWS),
        Slip("local_time", "loss gets the step within the window; t counts from the beginning of x", WINDOWS),
        Slip("once", "there is one backward pass and one update at the end; each window has its own", WINDOWS),
        Slip("late", "all backward passes come after the last window; by then update() has moved the weights that the later windows were "
             "computed with. Go backward and update in each window, before the next one begins", WINDOWS),
        Slip("stale", "loss gets the state before the step; it is the state after it", WINDOWS),
        Slip("stepwise", "update is called at every step; it is called once a window", WINDOWS),
        Slip("recomputed", "after the update the window's states are computed once more, with the new weights; carry over the state that "
             "the window left", WINDOWS),
        Slip("premature", "update is called before backward, so that it finds the gradients of the window before", WINDOWS),
        Slip("no_update", "update is never called; call it after the backward pass of each window", WINDOWS),
        Slip("no_backward", "backward is never called, so that update finds no gradients", WINDOWS),
        Slip("total_only", "the sum over all windows is returned; return a list, one number a window", WINDOWS),
        Slip("summed", "the losses are summed up from window to window; begin a new sum in each", WINDOWS),
    ),
    cases=streams,
    read=WINDOWS,
    call=recorded,
    returns=("the list of losses", "the number of updates", "the record of gradients at each update"),
    accept=detached,
    forbids=("rnncourse.training.tbptt",),
    axes="window,, window weight",
)


# ---- Exercise 9


@cache
def points_of(folder, tag):
    """All that was logged under a tag: (step, value) for (step, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # takes seconds: not before it is needed

    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})  # 0: all of them
    log.Reload()
    return tuple((event.step, event.value) for event in log.Scalars(tag))


def read(folder, tag):
    """What a training run logged under a tag: a list of (step, value)."""
    return [*points_of(folder, tag)]


def right_first_bad(folder, *, index=False, only_nan=False, only_inf=False, plus_inf=False, last=False, later=False, loss_first=False,
                    norm_first=False, only_loss=False, only_norm=False, paired=False, joined=False, largest=False, before=False, huge=False,
                    negative=False, minus_one=False, zero=False, falsy=False, empty=False, from_zero=False):
    """The first step whose loss or norm is not finite, or None; with a switch on, a known mistake."""
    def bad(v):
        nan, inf = math.isnan(v), v == math.inf or (v == -math.inf and not plus_inf)
        return nan and not only_inf or inf and not only_nan or huge and v > 1e4 or negative and v < 0

    found, series = [], [read(folder, tag) for tag in (("loss",) if only_loss else ("norm",) if only_norm else ("loss", "norm"))]
    if paired:
        series = [[(p[0][0], next((v for _, v in p if bad(v)), p[0][1])) for p in zip(*series)]]
    if joined:
        series = [[point for point in points if all(point[0] in dict(others) for others in series)] for points in series]
    for points in series:
        hits = [i for i, (_, v) in enumerate(points) if bad(v)]
        if largest:
            hits = [max(range(len(points)), key=lambda i: points[i][1] if math.isfinite(points[i][1]) else -1)]
        places = [max(i - before, 0) for i in hits]
        found += [[i if index else points[i][0] - (points[0][0] if from_zero else 0) for i in places]] if hits else []
    if not found:
        return min([]) if empty else -1 if minus_one else 0 if zero else None
    firsts = [f[-1 if last else 0] for f in found]
    step = max(firsts) if later or last else firsts[0] if loss_first else firsts[-1] if norm_first else min(firsts)
    return step or None if falsy else step


@cache
def logged(*points):
    """A folder with the log of a run, as TensorBoard writes it, from (tag, step, value); it is there as long as Python runs."""
    from torch.utils.tensorboard import SummaryWriter

    folder = LOGS / str(len([*LOGS.iterdir()]))
    with SummaryWriter(str(folder)) as writer:
        for tag, step, value in points:
            writer.add_scalar(tag, value, step)
    return folder


LOGS = Path(mkdtemp())
atexit.register(shutil.rmtree, LOGS, ignore_errors=True)


def with_log(answer, folder):
    """Call with a folder that holds a log; what stands for it in a case is its text, "loss 0:1.5 10:nan; norm 0:2"."""
    points = [(tag, *point.split(":")) for tag, *rest in map(str.split, folder.split(";")) for point in rest]
    points = [(tag, int(step), float(value)) for tag, step, value in points]
    fine = all(math.isfinite(value) for *_, value in points)
    try:
        result = answer(str(logged(*points)))
    except (ValueError, IndexError, StopIteration):
        if not fine:
            raise
        return torch.tensor(-2.0)  # a value, so that it can be named beside other mistakes
    if result is not None and not number(result):
        raise Unfit(f"it returned {kind(result)}, expected a step or None")
    return torch.tensor(math.nan if result is None else float(result), dtype=DOUBLE)


def step_words(name, at, wanted, got):
    """A step in words: what is not a number stands for None."""
    called = lambda v: "None" if math.isnan(v) else "an error where all is finite" if v == -2 else f"{v:.10g}"  # noqa: E731
    return f"the step: expected {called(wanted)}, got {called(got)}"


def logs(g, starts=(0, 0, 40, 7), every=10):
    """Logs of runs: the loss goes first or the norm, to an infinity of either sign or to NaN, at once or never."""
    inf, nan, texts = math.inf, math.nan, []
    line = lambda tag, steps, values: f"{tag} {' '.join(f'{s}:{v:.2g}' for s, v in zip(steps, values))}"  # noqa: E731
    for i, start in enumerate(starts):
        n, p = (int(torch.randint(low, high, (), generator=g)) for low, high in ((10, 14), (5, 8)))
        steps = [start + every * j for j in range(n)]
        loss, norm = torch.rand(n, generator=g).tolist(), (10 * torch.rand(n, generator=g)).tolist()
        norm[3], loss[4], loss[2] = 3e38, 3e5, -0.5
        first, second = (norm, loss) if i % 2 == 0 else (loss, norm)
        first[p:], second[p + 1 :] = [nan if i == 1 else inf, *[nan] * (n - p - 1)], [nan] * (n - p - 1)
        first[-1] = second[-1] = 0.5 if i == 2 else nan
        texts.append(f"{line('loss', steps, loss)}; {line('norm', steps, norm)}")
    steps, fine = [every * j for j in range(6)], [2.0, 1.0, 0.5, 0.4, 0.2, 0.1]
    rarely = [every // 2, 5 * every // 2, 9 * every // 2]  # the norm, at other steps than the loss
    for loss, at, norm in ((fine, steps, [*fine[1:], 7.0]), ([*fine[:5], -0.3], steps, [*fine[1:], 7.0]),
                           ([*fine[:4], -inf, nan], steps, fine), ([nan] * 6, steps, fine),
                           (fine, rarely, [1.0, inf, nan]), ([*fine[:4], nan, nan], rarely, [1.0, 2.0, inf])):
        texts.append(f"{line('loss', steps, loss)}; {line('norm', at, norm)}")
    return [(text,) for text in texts]


first_bad = Exercise(
    title="Exercise 9",
    points=4,
    truth=right_first_bad,
    slips=(
        Slip("index", "the place in the list is returned; return the step, which the log holds beside the value", LOG),
        Slip("from_zero", "steps are counted from the first one that was logged; return the step itself", LOG),
        Slip("only_nan", "infinite values are not found; not finite is NaN or infinite", LOG),
        Slip("only_inf", "NaN is not found; it is not equal to anything, itself included: math.isfinite finds all", LOG),
        Slip("plus_inf", "minus infinity is not found; math.isfinite finds all", LOG),
        Slip("last", "the last bad step is returned; it is the first", LOG),
        Slip("later", "the later of the two is returned; it is enough that the loss or the norm is not finite", LOG),
        Slip("loss_first", "where the loss goes bad, the norm is not looked at any more; look at both, and return the earlier step", LOG),
        Slip("norm_first", "where the norm goes bad, the loss is not looked at any more; look at both, and return the earlier step", LOG),
        Slip("paired", "loss and norm are paired by their place in the list (zip), but they need not be logged at the same steps", LOG),
        Slip("joined", "only steps at which both were logged are looked at; they need not be logged at the same steps", LOG),
        Slip("only_loss", "the norm is not looked at; it is often the first to go", LOG),
        Slip("only_norm", "only the norm is looked at; the loss may go bad first", LOG),
        Slip("largest", "the largest finite value is taken; it is the first that is not finite", LOG),
        Slip("before", "the last good point is returned; it is the first bad one", LOG),
        Slip("huge", "large values are taken for bad ones; not finite is NaN or infinite", LOG),
        Slip("negative", "negative values are taken for bad ones; not finite is NaN or infinite", LOG),
        Slip("minus_one", "where all is finite, -1 is returned; it is None", LOG),
        Slip("zero", "where all is finite, 0 is returned, which is a step; it is None", LOG),
        Slip("falsy", "a run that is bad at step 0 is taken for a good one (0 is false in Python); only where all is finite it is None",
             LOG),
        Slip("empty", "where all is finite it raises an error (min of nothing does, and so does the first of nothing); return None", LOG),
    ),
    cases=logs,
    read=LOG,
    call=with_log,
    returns=("the step",),
    words=step_words,
    lends={"read": read},
)
