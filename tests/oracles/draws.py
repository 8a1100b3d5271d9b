"""Targets as the Monte-Carlo Fisher matrix draws them, by its definition.

Number k of draw s is a function of the seed, s and k alone: Philox4x32-10 (Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011) with k as its counter.
"""

import hashlib
import math

import torch

MASK = 0xFFFFFFFF
UNIFORM, NORMAL = 0, 1  # the third word of a counter


def key_of(seed: int, draw: int) -> tuple[int, int]:
    text = f"{seed}\0mc_fisher\0draw {draw}"
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:4]), int.from_bytes(digest[4:8])


def philox(x: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = ((b >> 32) ^ x[1] ^ k0, b & MASK, (a >> 32) ^ x[3] ^ k1, a & MASK)
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return x


def open_interval(low: int, high: int) -> float:
    return (((high << 32 | low) >> 12) + 0.5) * 2.0**-52


def uniform(k: int, key: tuple[int, int]) -> float:
    x = philox((k & MASK, k >> 32, UNIFORM, 0), key)
    return open_interval(*x[:2])


def normal(k: int, key: tuple[int, int]) -> float:
    """By Box and Muller."""
    x = philox((k & MASK, k >> 32, NORMAL, 0), key)
    radius = math.sqrt(-2 * math.log(open_interval(*x[:2])))
    return radius * math.cos(2 * math.pi * open_interval(*x[2:]))


def targets(loss: str, z: torch.Tensor, seed: int, draw: int) -> torch.Tensor:
    """y of all rows of the logits z [rows, C]: by softmax, from N(z, I), or each label by its sigmoid."""
    key = key_of(seed, draw)

    def numbers(kind, columns):
        rows = [[kind(i * columns + c, key) for c in range(columns)] for i in range(len(z))]
        return torch.tensor(rows, dtype=torch.float64)

    with torch.no_grad():
        if loss == "mse":
            return z + numbers(normal, z.shape[1])
        if loss == "bce":
            return (numbers(uniform, z.shape[1]) < z.sigmoid()).double()
        return (z.softmax(1).cumsum(1)[:, :-1] <= numbers(uniform, 1)).sum(1)
