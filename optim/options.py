"""The options of an optimizer: declared as typed class attributes, checked by one function.

An optimizer says what it accepts the way it would be said on paper::

    class Momentum(Optimizer):
        lr: NonNegative = 1e-3
        beta: Fraction = 0.9

The annotation carries the allowed range, the order is the order of the constructor's arguments, and a type checker
reads the same lines (`typing.dataclass_transform`). The attributes are taken off the class once read: the numbers an
optimizer works with live in ``optimizer.param_groups`` and nowhere else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, cast, dataclass_transform, get_args, get_origin

Number = Annotated[float, "(-inf, inf)"]
NonNegative = Annotated[float, "[0, inf)"]
Positive = Annotated[float, "(0, inf)"]
Fraction = Annotated[float, "[0, 1)"]
Portion = Annotated[float, "[0, 1]"]
Betas = Annotated[tuple[float, float], "[0, 1)"]
Count = Annotated[int, "[1, inf)"]


def near(word: object, known: Iterable[str]) -> str:
    """Return the end of an error message: what was probably meant, or all there is to choose from."""
    import difflib  # an error may take its 3 ms, every start of a program need not

    choices = list(known)
    close = difflib.get_close_matches(str(word), choices, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    return f"choose from {', '.join(choices)}"


def inside(value: float, interval: str) -> bool:
    """Whether a number lies in an interval written as ``"[0, 1)"``; nan lies in none."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    return above and (value <= high if interval[-1] == "]" else value < high)


def checked(where: str, name: str, value: Any, hint: Any, interval: str = "(-inf, inf)") -> Any:
    """Return the value of one option as plain Python numbers, or an error that says what is allowed."""
    kind: Any = get_origin(hint)
    if kind is Annotated:
        hint, interval = get_args(hint)
        kind = get_origin(hint)
    inner = get_args(hint)
    if kind in (Union, UnionType):
        if value is None:
            return None
        return checked(where, name, value, next(h for h in inner if h is not NoneType), interval)
    if kind is Literal:
        if value not in inner:
            raise ValueError(f"{where}: {name} must be one of {', '.join(map(repr, inner))}, got {value!r}")
        return value
    if kind is tuple:
        if not isinstance(value, (tuple, list)) or len(value) != len(inner):
            wanted = f"{where}: {name} must be {len(inner)} numbers in {interval}, got {value!r}"
            raise (ValueError if isinstance(value, (tuple, list)) else TypeError)(wanted)
        return tuple(
            checked(where, f"{name}[{i}]", item, h, interval)
            for i, (item, h) in enumerate(zip(value, inner, strict=True))
        )
    return _checked_number(where, name, value, hint, interval)


def _checked_number(where: str, name: str, value: Any, hint: Any, interval: str) -> Any:
    if hint is bool:
        if not isinstance(value, bool):
            raise TypeError(f"{where}: {name} must be True or False, got {value!r}")
        return value
    wanted: Any = Integral if hint is int else Real
    if isinstance(value, bool) or not isinstance(value, wanted):
        what = "a whole number" if hint is int else "a number"
        raise TypeError(f"{where}: {name} must be {what} in {interval}, got {value!r} ({type(value).__name__})")
    if not inside(float(value), interval) or math.isnan(value):
        raise ValueError(f"{where}: {name} must be in {interval}, got {value!r}")
    return hint(value)


def is_class_variable(hint: Any) -> bool:
    """Whether an annotation says ``ClassVar``: no option then, but something about the optimizer itself."""
    return get_origin(hint) is cast(Any, ClassVar)


class Arguments:
    """The signature that `help` and editors show of an optimizer, made when it is asked for."""

    def __get__(self, instance: Any, owner: type[Options]) -> inspect.Signature:
        keyword, place = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
        given = [inspect.Parameter("params", place)]
        given += [inspect.Parameter(n, place, default=owner.options[n]) for n in owner._positional()]
        given += [inspect.Parameter(n, keyword, default=owner.options[n]) for n in COMMON]
        return inspect.Signature(given)


@dataclass_transform()
class Options:
    """Reads the typed class attributes of an optimizer into ``options`` (name to default) and checks values."""

    options: ClassVar[dict[str, Any]] = {}
    hints: ClassVar[dict[str, Any]] = {}
    __signature__: ClassVar[Any] = Arguments()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hints = inspect.get_annotations(cls, eval_str=True)
        own = {n: h for n, h in hints.items() if n in cls.__dict__ and not is_class_variable(h)}
        cls.hints = {**cls.hints, **own}
        cls.options = {**cls.options, **{name: cls.__dict__[name] for name in own}}
        for name in own:
            delattr(cls, name)

    @classmethod
    def _positional(cls) -> list[str]:
        return [name for name in cls.options if name not in COMMON]

    @classmethod
    def collected(cls, args: tuple[Any, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return constructor arguments as a complete, checked dictionary of options."""
        places = cls._positional()
        if len(args) > len(places):
            raise TypeError(f"{cls.__name__} takes at most {len(places)} options by position, got {len(args)}")
        named = dict(zip(places, args, strict=False))
        for name in given:
            if name not in cls.options:
                raise TypeError(f"{cls.__name__} has no option {name!r}: {near(name, cls.options)}")
            if name in named:
                raise TypeError(f"{cls.__name__} got {name!r} twice: by position and by name")
        return {**cls.options, **cls.checked_options({**named, **given}, cls.__name__)}

    @classmethod
    def checked_options(cls, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return the given options, each checked against its annotation."""
        return {name: checked(where, name, value, cls.hints[name]) for name, value in given.items()}


COMMON = ("maximize", "skip_nonfinite")
"""Options every optimizer has; they come last and by name only."""
