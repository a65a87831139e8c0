"""Modules that are a function and its options, and hold no parameters: most activations and all losses."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter as Argument
from inspect import Signature, get_annotations
from typing import Any, ClassVar, dataclass_transform

from nn.module import Module

__all__ = ["Options"]


@dataclass_transform(eq_default=False)
class Options(Module):
    """A module without parameters: options as annotated attributes, and the function that takes them.

    Examples
    --------
    >>> class Power(Options):
    ...     function = staticmethod(lambda x, exponent: x**exponent)
    ...     exponent: float = 2.0
    >>> Power(3.0)(2.0), Power()
    (8.0, Power(exponent=2.0))
    """

    function: ClassVar[Callable[..., Any]]
    _options: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[Signature] = Signature()

    def __init_subclass__(cls) -> None:
        # A signature, not a dataclass: that compiles an __init__ for every class: four times the import time.
        cls._options = tuple(name for name, hint in get_annotations(cls).items() if "ClassVar" not in str(hint))
        cls.__signature__ = Signature(
            [
                Argument(name, Argument.POSITIONAL_OR_KEYWORD, default=vars(cls).get(name, Argument.empty))
                for name in cls._options
            ]
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()
        try:
            given = self.__signature__.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}{self.__signature__}: {error}") from None
        given.apply_defaults()
        for name, value in given.arguments.items():
            setattr(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function makes of the arguments."""
        if not self._options:
            return self.function(*args, **kwargs)
        return self.function(*args, **kwargs, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self) -> str:
        """Return the options."""
        options = [(name, getattr(self, name)) for name in self._options]
        return ", ".join(f"{name}={value!r}" for name, value in options if value is not None)
