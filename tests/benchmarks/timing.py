"""Interleaved timing: ratios of medians, taken turn by turn so that a drifting machine cannot tip them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable


def interleaved(
    contenders: dict[str, Callable[[], object]], *, seconds: float = 2.0, turns: int = 15
) -> dict[str, float]:
    """Return the median seconds of one call of each contender.

    Each turn calls every contender often enough to fill its share of `seconds`, one contender after the other.
    """
    repeats = {}
    for name, call in contenders.items():
        call()
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        repeats[name] = max(1, int(seconds / turns / len(contenders) / max(once, 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, call in contenders.items():
            gc.collect()
            count = repeats[name]
            start = time.perf_counter()
            for _ in range(count):
                call()
            samples[name].append((time.perf_counter() - start) / count)
    return {name: statistics.median(times) for name, times in samples.items()}


def table(title: str, medians: dict[str, float], baseline: str) -> str:
    """Return a table of microseconds and of ratios to the baseline."""
    width = max(map(len, medians))
    lines = [title]
    for name, seconds in medians.items():
        lines.append(f"  {name:<{width}}  {seconds * 1e6:12,.1f} us  {seconds / medians[baseline]:6.2f}x")
    return "\n".join(lines)
