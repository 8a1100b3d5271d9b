"""Products of Lanczos from Ritz vectors of an earlier step of training, over those from a random start.

    warm_starts.py

An MLP on digits with 910 parameters is trained by SGD; Hessian and Gauss-Newton matrix are formed at some
steps. docs/decisions/0055 has what it printed.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

KS, DIM = (3, 10), 40
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-8)
RANDOM = 1e-3  # what `lanczos --start` adds to the sum
PAIRS = [(150, 151), (150, 160), (1000, 1010), (1000, 1050)]
SHAPES = [(12, 64), (12,), (10, 12), (10,)]


def logits(theta, inputs):
    w1, b1, w2, b2 = (
        part.reshape(shape)
        for part, shape in zip(theta.split([int(np.prod(s)) for s in SHAPES]), SHAPES, strict=True)
    )
    return torch.tanh(inputs @ w1.T + b1) @ w2.T + b2


def curvature(theta, inputs, labels):
    """The dense Hessian and Gauss-Newton matrix of the mean cross entropy."""
    hessian = torch.func.hessian(lambda p: cross_entropy(logits(p, inputs), labels))(theta)
    jacobian = torch.func.jacrev(lambda p: logits(p, inputs))(theta)
    p = torch.softmax(logits(theta, inputs), 1)
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    ggn = torch.einsum("nci,ncd,ndj->ij", jacobian, inner, jacobian) / len(inputs)
    return {"hessian": hessian.numpy(), "ggn": ggn.numpy()}


def trajectory():
    """Step -> matrices, along SGD with momentum."""
    torch.set_default_dtype(torch.float64)
    generator = torch.Generator().manual_seed(0)
    inputs, labels = (torch.tensor(a) for a in load_digits(return_X_y=True))
    chosen = torch.randperm(len(inputs), generator=generator)[:400]
    inputs, labels = inputs[chosen] / 16, labels[chosen]
    scale = [1 / np.sqrt(s[-1]) if len(s) > 1 else 0.0 for s in SHAPES]
    parts = [c * torch.randn(s, generator=generator).flatten() for s, c in zip(SHAPES, scale, strict=True)]
    theta, velocity, found = torch.cat(parts), 0.0, {}
    steps = {step for pair in PAIRS for step in pair}
    for step in range(1, max(steps) + 1):
        batch = torch.randint(0, len(inputs), (64,), generator=generator)
        gradient = torch.func.grad(lambda p: cross_entropy(logits(p, inputs[batch]), labels[batch]))(theta)  # noqa: B023
        velocity = 0.9 * velocity + gradient
        theta = theta - 0.1 * velocity
        if step in steps:
            found[step] = curvature(theta, inputs, labels)
    return found


def thick_restart(a, start, tol, k):
    """Products until the k largest meet tol, tested after each; with their vectors and values."""
    q, h = np.zeros((DIM + 1, len(a))), np.zeros((DIM, DIM))
    q[0], j, products = start / np.linalg.norm(start), 0, 0
    while True:
        w = a @ q[j]
        products += 1
        for _ in range(2):
            c = q[: j + 1] @ w
            w = w - q[: j + 1].T @ c
            h[: j + 1, j] += c
        beta = np.linalg.norm(w)
        q[j + 1] = w / beta
        upper = np.triu(h[: j + 1, : j + 1])
        theta, y = np.linalg.eigh(upper + np.triu(upper, 1).T)
        theta, y = theta[::-1], y[:, ::-1]
        if j + 1 >= k and (beta * np.abs(y[-1, :k]) <= tol * np.abs(theta[:k])).all():
            return products, q[: j + 1].T @ y[:, :k], theta[:k]
        j += 1
        if j == DIM:
            j = k + (DIM - k) // 2
            q[:j], q[j] = y[:, :j].T @ q[:DIM], q[DIM].copy()
            h[:] = 0
            h[:j, :j] = np.diag(theta[:j])


def expanded(a, given, tol, k, grow):
    """Products until Rayleigh-Ritz meets tol on a space that `grow`(newest products, residuals) enlarges."""
    q = np.linalg.qr(given)[0]
    aq = a @ q
    new = aq
    while q.shape[1] < 15 * k:
        theta, y = np.linalg.eigh(q.T @ aq)
        theta, y = theta[::-1][:k], y[:, ::-1][:, :k]
        residuals = aq @ y - q @ y * theta
        unmet = residuals[:, np.linalg.norm(residuals, axis=0) > tol * np.abs(theta)]
        if unmet.shape[1] == 0:
            break
        w = grow(new, unmet)
        for _ in range(2):
            w = w - q @ (q.T @ w)
        w = np.linalg.qr(w)[0]
        new = a @ w
        q, aq = np.hstack([q, w]), np.hstack([aq, new])
    return q.shape[1]


GROW = {
    "block": lambda new, residuals: new,
    "residuals": lambda new, residuals: residuals,
    "worst": lambda new, residuals: residuals[:, [np.argmax(np.linalg.norm(residuals, axis=0))]],
    "sum": lambda new, residuals: (residuals / np.linalg.norm(residuals, axis=0)).sum(1)[:, None],
}


def ratios(before, after, tol, k):
    """Products over those of a cold start (median of three): one vector, and bases that grow."""
    starts = [np.random.default_rng(seed).standard_normal(len(after)) for seed in range(3)]
    starts = [start / np.linalg.norm(start) for start in starts]
    given = thick_restart(before, starts[0], tol, k)[1]
    cold = np.median([thick_restart(after, start, tol, k)[0] for start in starts])
    one = np.median([thick_restart(after, given.sum(1) + RANDOM * start, tol, k)[0] for start in starts])
    grown = [expanded(after, given, tol, k, grow) for grow in GROW.values()]
    return np.array([one, *grown]) / cold


def main():
    matrices = trajectory()
    print(f"{'k':>3}{'tol':>8}  median and range over matrices and steps: one vector; " + ", ".join(GROW))
    for k in KS:
        for tol in TOLERANCES:
            pairs = [(matrices[a][kind], matrices[b][kind]) for kind in ("hessian", "ggn") for a, b in PAIRS]
            all_ratios = np.array([ratios(before, after, tol, k) for before, after in pairs])
            low, median, high = all_ratios.min(0), np.median(all_ratios, 0), all_ratios.max(0)
            cells = [f"{m:.2f} ({a:.2f} to {b:.2f})" for a, m, b in zip(low, median, high, strict=True)]
            print(f"{k:3}{tol:8.0e}  " + "; ".join(cells))


if __name__ == "__main__":
    main()
