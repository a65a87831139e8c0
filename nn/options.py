"""Modules that are a function and its options, and hold no parameters: most activations and all losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, dataclass_transform

from .module import Module

__all__ = ["Options"]


@dataclass_transform(eq_default=False)
class Options(Module):
    """A module without parameters: options as annotated attributes, and the function that takes them."""

    function: ClassVar[Callable[..., Any]]
    _options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        dataclass(cls, eq=False, repr=False)
        cls._options = tuple(field.name for field in fields(cls))  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        Module.__init__(self)

    def forward(self, *args: Any) -> Any:
        """Return what the function makes of the arguments."""
        if not self._options:
            return self.function(*args)
        return self.function(*args, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self) -> str:
        """Return the options."""
        options = [(name, getattr(self, name)) for name in self._options]
        return ", ".join(f"{name}={value!r}" for name, value in options if value is not None)
