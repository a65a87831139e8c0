"""Options of optimizers and schedules: typed class attributes that are checked by one function.

The annotation of an option carries its allowed range, and the class body reads like a dataclass::

    class Momentum(Optimizer):
        lr: NonNegative = 1e-3
        beta: Fraction = 0.9

A subclass inherits the options of its base class, which come first, and can drop some by ``without=(name, ...)``.
The attributes are removed from the class: an optimizer keeps the values in ``param_groups``, a schedule or a wrapper as
attributes of the instance.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, cast, dataclass_transform, get_args, get_origin

Number = Annotated[float, "(-inf, inf)"]
NonNegative = Annotated[float, "[0, inf)"]
Positive = Annotated[float, "(0, inf)"]
Fraction = Annotated[float, "[0, 1)"]
Portion = Annotated[float, "[0, 1]"]
Inner = Annotated[float, "(0, 1)"]
Betas = Annotated[tuple[float, float], "[0, 1)"]
ThreeBetas = Annotated[tuple[float, float, float], "[0, 1)"]
Count = Annotated[int, "[1, inf)"]
Whole = Annotated[int, "[0, inf)"]

KEYWORD_ONLY = ("maximize", "skip_nonfinite", "cautious")
LAST = (*KEYWORD_ONLY, "last_epoch")  # options that come after those of a subclass
REQUIRED: Any = inspect.Parameter.empty


def suggestion(word: object, known: Iterable[str]) -> str:
    """Return the end of an error message: similar names, or all valid names."""
    import difflib  # takes 3 ms to load, and is needed for errors only

    choices = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(word).lower(), choices, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(choices[name]) for name in close)}?"
    return f"choose from {', '.join(choices.values())}"


def checked(where: str, name: str, value: Any, hint: Any, interval: str = "(-inf, inf)") -> Any:
    """Return an option as plain Python data if it satisfies its annotation; raise an error otherwise."""
    if get_origin(hint) is Annotated:
        hint, interval = get_args(hint)
    kind: Any = get_origin(hint)
    inner = get_args(hint)
    if kind in (Union, UnionType):
        if value is None and NoneType in inner:
            return None
        lists = [h for h in inner if get_origin(h) is list and isinstance(value, (list, tuple))]
        return checked(where, name, value, (lists or inner)[0], interval)
    if kind is Literal:
        if value not in inner:
            raise ValueError(f"{where}: {name} must be one of {', '.join(map(repr, inner))}, got {value!r}")
        return value
    if kind is Callable:
        if not callable(value):
            raise TypeError(f"{where}: {name} must be a function such as lambda t: 0.95**t, got {value!r}")
        return value
    if kind is tuple and (not isinstance(value, (tuple, list)) or len(value) != len(inner)):
        error = ValueError if isinstance(value, (tuple, list)) else TypeError
        raise error(f"{where}: {name} must be {len(inner)} values in {interval}, got {value!r}")
    if kind in (list, tuple):
        items = list(value)
        hints = inner if kind is tuple else inner * len(items)
        pairs = enumerate(zip(items, hints, strict=True))
        return kind(checked(where, f"{name}[{i}]", item, h, interval) for i, (item, h) in pairs)
    if hint is bool:
        if not isinstance(value, bool):
            raise TypeError(f"{where}: {name} must be True or False, got {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, Integral if hint is int else Real):
        kind = "an integer" if hint is int else "a number"
        raise TypeError(f"{where}: {name} must be {kind} in {interval}, got {value!r} ({type(value).__name__})")
    low, high = map(float, interval[1:-1].split(","))
    x = float(value)
    is_end = (x == low and interval[0] == "[") or (x == high and interval[-1] == "]")
    if not (low < x < high or is_end):  # nan is outside of every interval
        raise ValueError(f"{where}: {name} must be in {interval}, got {value!r}")
    return hint(value)


@dataclass_transform()
class Options:
    """Collects the typed class attributes of a subclass into `options` (name to default) and checks values."""

    first: ClassVar[str]
    """Name of the constructor's first argument, which precedes the options."""
    options: ClassVar[dict[str, Any]] = {}
    hints: ClassVar[dict[str, Any]] = {}
    signature: ClassVar[inspect.Signature]
    __signature__: ClassVar[inspect.Signature | None] = None
    """The same for `help` and editors; None if the constructor lists its arguments itself."""

    def __init_subclass__(cls, without: tuple[str, ...] = (), **attributes: object) -> None:
        """Collect the options; the keywords of the class statement become class attributes."""
        super().__init_subclass__()
        traits = [name for base in cls.__mro__ for name in inspect.get_annotations(base)]
        for name, value in attributes.items():
            if name not in traits:
                raise TypeError(f"class {cls.__name__} got an unknown keyword {name!r}: {suggestion(name, traits)}")
            setattr(cls, name, value)
        annotated = inspect.get_annotations(cls, eval_str=True)
        own = {
            name: hint
            for name, hint in annotated.items()
            if name != cls.first and name[0] != "_" and get_origin(hint) is not cast(Any, ClassVar)
        }
        inherited = {name: default for name, default in cls.options.items() if name not in without}
        found = {**inherited, **{name: cls.__dict__.get(name, REQUIRED) for name in own}}
        cls.options = dict(sorted(found.items(), key=lambda option: option[0] in LAST))
        cls.hints = {**cls.hints, **own}
        for name in own.keys() & cls.__dict__.keys():
            delattr(cls, name)
        kinds: dict[str, Any] = dict.fromkeys([cls.first, *cls.options], inspect.Parameter.POSITIONAL_OR_KEYWORD)
        kinds |= {name: inspect.Parameter.KEYWORD_ONLY for name in KEYWORD_ONLY if name in kinds}
        cls.signature = inspect.Signature(
            [inspect.Parameter(name, kind, default=cls.options.get(name, REQUIRED)) for name, kind in kinds.items()]
        )
        takes_options = cls.__init__.__code__.co_flags & inspect.CO_VARARGS
        cls.__signature__ = cls.signature if takes_options else None

    @classmethod
    def collect(cls, args: tuple[object, ...], given: Mapping[str, object]) -> dict[str, Any]:
        """Return constructor arguments as a complete, checked dictionary of options."""
        if unknown := [name for name in given if name not in cls.options]:
            raise TypeError(f"{cls.__name__} has no option {unknown[0]!r}: {suggestion(unknown[0], cls.options)}")
        try:
            bound = cls.signature.bind(None, *args, **given).arguments
        except TypeError as error:
            raise TypeError(f"{cls.__name__}: {error}") from None
        del bound[cls.first]
        return {**cls.options, **cls.checked_options(bound, cls.__name__)}

    @classmethod
    def checked_options(cls, given: Mapping[str, object], where: str) -> dict[str, Any]:
        """Return the given options, each checked against its annotation."""
        return {name: checked(where, name, value, cls.hints[name]) for name, value in given.items()}


def argument_names(method: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Return the names of the positional arguments after the first, and of the keyword-only ones."""
    code = method.__code__
    names = code.co_varnames
    return list(names[1 : code.co_argcount]), list(names[code.co_argcount :][: code.co_kwonlyargcount])
