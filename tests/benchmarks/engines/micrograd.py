"""micrograd's own classes on its own demo step."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

from micrograd.engine import Value
from micrograd.nn import MLP

from .scalar import Chain, Moons


def version() -> str:
    """Return micrograd's version."""
    return f"micrograd {version_of('micrograd')}"


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    if workload["kind"] == "chain":
        return Chain(workload, Value)
    return Moons(workload, Value, MLP)
