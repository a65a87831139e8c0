"""Who is compared: our variants, NumPy by hand, and the peers with the Python each of them lives in.

A peer is looked for in the Python named on the command line (`--peer-python torch=/path/to/python`), in the environment
variable CHAINRULE_PEERS (`torch=/path,jax=/path`), in `.venv-peers/NAME` (made by `make peers`), and last in the
Python that runs the benchmarks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "CHAINRULE_PEERS"

# What must be importable, and so installed, for a peer to take part.  HIPS autograd shares our import name, so it is
# told by a module that we do not have.
REQUIRES = {
    "torch": ("torch",),
    "jax": ("jax", "optax"),
    "hips": ("autograd.numpy",),
    "mygrad": ("mygrad",),
    "casadi": ("casadi",),
    "micrograd": ("micrograd.engine",),
}


@dataclass(frozen=True)
class Contender:
    """One row of a table: an engine's module in `engines/` and a variant of it."""

    engine: str
    variant: str
    title: str
    kinds: tuple[str, ...] = ("network",)

    @property
    def key(self) -> str:
        """Name in JSON and on the command line."""
        return f"{self.engine}:{self.variant}" if self.variant else self.engine


BOTH, SCALAR, ALL = ("network", "moons"), ("moons", "chain"), ("network", "moons", "chain")
CONTENDERS = (
    Contender("numpy_plain", "", "NumPy by hand", (*ALL, "long chain", "gradient")),
    Contender("numpy_optimised", "", "NumPy by hand, with buffers"),
    Contender("chainrule", "eager", "chainrule, eager", (*ALL, "gpt", "long chain", "gradient")),
    Contender("chainrule", "eager, no collector", "chainrule, eager, collector off", (*SCALAR, "gpt", "long chain")),
    Contender("chainrule", "replay", "chainrule, replay", (*ALL, "gradient")),
    Contender("chainrule", "replay without numba", "chainrule, replay without numba", (*SCALAR, "gradient")),
    Contender("chainrule", "step", "chainrule, native step"),
    Contender("chainrule", "many", "chainrule, 20 native steps in one call"),
    Contender("micrograd", "", "micrograd", SCALAR),
    Contender("micrograd", "no collector", "micrograd, collector off", ("moons",)),
    Contender("microgpt", "", "minimal scalar class", ("gpt",)),
    Contender("microgpt", "no collector", "minimal scalar class, collector off", ("gpt",)),
    Contender("casadi", "", "CasADi", (*BOTH, "gradient")),
    Contender("hips", "", "HIPS autograd", ("network", "chain")),
    Contender("mygrad", "", "MyGrad", ("network", "chain")),
    Contender("torch", "eager", "PyTorch, plain Adam"),
    Contender("torch", "foreach", "PyTorch, foreach Adam"),
    Contender("torch", "fused", "PyTorch, fused Adam", ("network", "chain")),
    Contender("jax", "jit", "JAX jit + optax"),
    Contender("jax", "synchronous", "JAX jit + optax, synchronous"),
    Contender("jax", "scan", "JAX lax.scan over 20 steps"),
)
BY_KEY = {contender.key: contender for contender in CONTENDERS}


def named_pythons(arguments: list[str]) -> dict[str, str]:
    """Return the interpreters named in the environment and, before those, on the command line."""
    found = {}
    given = [part.strip() for part in os.environ.get(VARIABLE, "").split(",")]
    for text in [*filter(None, given), *arguments]:
        name, equals, path = text.partition("=")
        if name not in REQUIRES or not equals or not Path(path).exists():
            raise ValueError(f"{text!r}: write NAME=/path/to/python, with a name of {', '.join(REQUIRES)}")
        found[name] = path
    return found


def has(python: str, modules: tuple[str, ...]) -> bool:
    """Return whether a Python finds all modules, started as a worker is: without our packages in reach."""
    code = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {modules!r})))"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        done = subprocess.run([python, "-c", code], cwd="/", env=environment, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def pythons(arguments: list[str], wanted: set[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the interpreter of every engine that is there, and for every other what is missing."""
    named, found, missing = named_pythons(arguments), {}, {}
    for name in wanted:
        if name not in REQUIRES:
            found[name] = sys.executable
            continue
        own = ROOT / ".venv-peers" / name / "bin" / "python"
        places = [named[name]] if name in named else [str(own)] * own.exists() + [sys.executable]
        place = next((p for p in places if has(p, REQUIRES[name])), None)
        if place:
            found[name] = place
        else:
            missing[name] = f"not installed: `make peers`, or --peer-python {name}=/its/python"
    return found, missing
