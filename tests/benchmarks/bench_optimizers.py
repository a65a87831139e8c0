"""One step of an optimizer against PyTorch's on the same parameters, one thread, taken in turn.

python tests/benchmarks/bench_optimizers.py        (with PyTorch installed, for the ratios)

Two sizes: 337 float64 parameters (an MLP 2-16-16-1) and 535,818 float32 parameters (784-512-256-10). PyTorch is timed
in each of its implementations; the ratios given are to `fused`, where there is one, and to `foreach`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np
from timing import interleaved

import optim
from autograd import Tensor

SIZES: dict[str, tuple[list[tuple[int, ...]], str]] = {
    "337": ([(16, 2), (16,), (16, 16), (16,), (1, 16), (1,)], "float64"),
    "535,818": ([(512, 784), (512,), (256, 512), (256,), (10, 256), (10,)], "float32"),
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "Adam": ("Adam", {}),
    "AdamW": ("AdamW", {}),
    "SGD+momentum": ("SGD", {"lr": 1e-3, "momentum": 0.9}),
    "RMSprop": ("RMSprop", {}),
}


def ours(name: str, shapes: list[tuple[int, ...]], dtype: str, **options: Any) -> Callable[[], object]:
    """Return our step on parameters with gradients."""
    rng = np.random.default_rng(0)
    params = [Tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in shapes]
    for p in params:
        p.grad = rng.normal(size=p.shape).astype(dtype)
    return getattr(optim, name)(params, **options).step  # type: ignore[no-any-return]


def theirs(name: str, shapes: list[tuple[int, ...]], dtype: str, **options: Any) -> Callable[[], object] | None:
    """Return PyTorch's step on parameters with gradients, None if it has no such implementation."""
    import torch

    torch.set_num_threads(1)
    params = [torch.randn(*s, dtype=getattr(torch, dtype), requires_grad=True) for s in shapes]
    for p in params:
        p.grad = torch.randn_like(p)
    try:
        optimizer = getattr(torch.optim, name)(params, **options)
    except TypeError:
        return None
    return optimizer.step  # type: ignore[no-any-return]


def main() -> None:
    """Print microseconds and ratios."""
    print(f"{'one step, us':<24}{'ours':>10}{'fused':>10}{'foreach':>10}{'/ fused':>10}{'/ foreach':>10}")
    for size, (shapes, dtype) in SIZES.items():
        for label, (name, options) in CASES.items():
            contenders = {"ours": ours(name, shapes, dtype, **options)}
            if importlib.util.find_spec("torch"):
                for kind in ("fused", "foreach"):
                    step = theirs(name, shapes, dtype, **options, **{kind: True})
                    if step is not None:
                        contenders[kind] = step
            found = interleaved(contenders)
            cells = [
                f"{found[kind] * 1e6:10.1f}" if kind in found else f"{'-':>10}" for kind in ("ours", "fused", "foreach")
            ]
            ratios = [
                f"{found['ours'] / found[kind]:9.2f}x" if kind in found else f"{'-':>10}"
                for kind in ("fused", "foreach")
            ]
            print(f"{label + ', ' + size:<24}{''.join(cells)}{''.join(ratios)}")


if __name__ == "__main__":
    main()
