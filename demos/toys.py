"""Small made-up data sets in two dimensions."""

from __future__ import annotations

import numpy as np


def moons(count: int, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points on two interlocked half circles, shape (count, 2), and their labels 0 or 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    angle = rng.uniform(0, np.pi, count)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(labels[:, None] == 0, upper, lower) - [0.5, 0.25]
    return points + rng.normal(0, noise, points.shape), labels


def circles(count: int, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points on two circles, one inside the other, shape (count, 2), and their labels 0 or 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    angle = rng.uniform(0, 2 * np.pi, count)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(labels == 0, 1.0, 0.45)[:, None]
    return points + rng.normal(0, noise, points.shape), labels


def spirals(count: int, noise: float = 0.05, seed: int = 0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return points on spiral arms, shape (count, 2), and their labels 0 ... classes - 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    radius = rng.uniform(0.05, 1, count)
    angle = 4 * radius + 2 * np.pi * labels / classes
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    return points + rng.normal(0, noise, points.shape), labels


def xor(count: int, noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points around the corners of a square, shape (count, 2), labelled 1 where the signs differ."""
    rng = np.random.default_rng(seed)
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], float)
    which = np.arange(count) % 4
    return corners[which] + rng.normal(0, noise, (count, 2)), ((which == 1) | (which == 2)).astype(int)
