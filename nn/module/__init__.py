"""`Module`: data plus `forward`; parameters are collected by an ordered traversal of the attributes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TypeAlias, TypeGuard

import numpy as np

from autograd import Tensor, Value
from autograd.extend import add_guards, guard, raw_data
from nn.typing import Array, DType, Hook, Leaf, Operand, Trainable
from nn.validation import similar

from .guards import module_guards
from .hooks import Handle, Hooks

__all__ = ["Module", "Parameter"]


class Parameter(Tensor):
    """A `Tensor` that is a trainable attribute of a `Module`.

    Parameters
    ----------
    data : array_like
        The values; copied.
    requires_grad : bool
        Whether it is trained; a frozen parameter is still part of `state_dict`.
    name : str, optional
        The name in drawings and messages; by default the name of the attribute.
    dtype : dtype, optional
        Convert to this dtype.

    Examples
    --------
    >>> Parameter([1.0, 2.0])
    Tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Operand, requires_grad: bool = True, name: str = "", *, dtype: DType = None) -> None:
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad, name, dtype=dtype)


Member: TypeAlias = "Module | Trainable"
PLAIN: set[type] = {int, float, bool, str, type(None)}  # types that the traversal skips


def is_parameter(thing: object) -> TypeGuard[Trainable]:
    """Return whether an attribute is trainable: a `Parameter`, a `Value`, or an array of `Value`s."""
    return isinstance(thing, (Parameter, Value)) or (type(thing) is np.ndarray and thing.dtype == object)


def _members(name: str, thing: object) -> Iterator[tuple[str, Member]]:
    """Yield the parameters and modules in one attribute, including those in lists, tuples and dicts."""
    if isinstance(thing, Module) or is_parameter(thing):
        yield name, thing
    elif isinstance(thing, (list, tuple)):
        for i, part in enumerate(thing):
            yield from _members(f"{name}.{i}", part)
    elif isinstance(thing, dict):
        for key, part in thing.items():
            yield from _members(f"{name}.{key}", part)


def _collect(things: Iterable[object], found: dict[Leaf, None]) -> None:
    """Add the parameters in attributes, in the order of `_members`, whose names would take most of the time."""
    for thing in things:
        kind = type(thing)
        if kind is Value:
            found[thing] = None  # type: ignore[index]
        elif kind in PLAIN or (kind is dict and not thing):  # most modules have no buffers
            continue
        elif isinstance(thing, (list, tuple)):
            _collect(thing, found)
        elif isinstance(thing, Module):
            hidden, parts = thing._buffers, vars(thing)
            _collect([part for name, part in parts.items() if name not in hidden] if hidden else parts.values(), found)
        elif isinstance(thing, dict):
            _collect(thing.values(), found)
        elif is_parameter(thing):
            found.update(dict.fromkeys(thing.flat if isinstance(thing, np.ndarray) else [thing]))


class Module:
    """Base class of all layers and models: attributes with parameters and modules, and a method `forward`.

    Attributes
    ----------
    training : bool
        True after `train()`, False after `eval()`; used by dropout and batch normalisation.

    Notes
    -----
    Parameters, modules and lists, tuples and dicts of them are found in the order of assignment; a shared parameter is
    returned once, under its first name.  Names, `state_dict` keys and hooks are those of PyTorch.

    Examples
    --------
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = Parameter(2.0)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale()
    >>> model(np.array([1.0, 3.0]))
    Tensor([2., 6.], op=multiply)
    >>> [name for name, _ in model.named_parameters()]
    ['factor']
    """

    _shown: tuple[str, ...] = ()
    _hooks: Hooks | None = None
    _buffers: Mapping[str, bool] = MappingProxyType({})  # name -> whether it is part of state_dict

    def __init__(self) -> None:
        self._buffers = {}

    @property
    def training(self) -> bool:
        """True after `train()`, False after `eval()`; `compile` records a program for each."""
        return guard(self._is_training)  # type: ignore[no-any-return]

    @training.setter
    def training(self, mode: bool) -> None:
        self.__dict__["training"] = mode

    def _is_training(self) -> bool:
        return self.__dict__.get("training", True)  # type: ignore[no-any-return]

    def __setattr__(self, name: str, value: object) -> None:
        old = self.__dict__.get(name)
        if type(value) not in PLAIN:
            for path, thing in _members(name, value):
                if "_buffers" not in self.__dict__:
                    raise AttributeError(f"{type(self).__name__}.{name} needs `super().__init__()` before it")
                prefix_names(path, thing)
        accepted = value is None or isinstance(value, (Parameter, Module))
        if isinstance(old, (Parameter, Module)) and not accepted:
            hint = f": assign its data, `.{name}.data = array`" if isinstance(old, Parameter) else ""
            given = f"{type(old).__name__} and was assigned a {type(value).__name__}"
            raise TypeError(f"{type(self).__name__}.{name} is a {given}{hint}")
        object.__setattr__(self, name, value)
        equal = value is old or (type(value) in PLAIN and type(old) is type(value) and value == old)
        if not equal and name != "training":  # which has a guard of its own
            self._changed()

    def _changed(self) -> None:
        """Invalidate what `compile` has recorded of this module."""
        if "_changes" in self.__dict__:
            self.__dict__["_changes"] += 1

    def forward(self, *args: Any, **kwargs: Any) -> Operand:
        """Compute the output; to be defined by each module."""
        raise NotImplementedError(f"{type(self).__name__} has no forward: write `def forward(self, x): ...` in it")

    def __call__(self, *args: Any, **kwargs: Any) -> Operand:
        """Call `forward` and the hooks."""
        add_guards(module_guards, self)
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return self._hooks.around(self, args, kwargs)

    # ---------------------------------------------------------------------------------------- traversal

    def _attributes(self) -> Iterator[tuple[str, Member]]:
        """Yield (name, parameter or module) in the order of assignment."""
        for name, thing in self.__dict__.items():
            kind = type(thing)
            if kind is Parameter:
                yield name, thing
            elif kind not in PLAIN and name not in self._buffers:
                yield from _members(name, thing)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for the children of this module, each once."""
        seen: set[int] = set()
        for name, thing in self._attributes():
            if isinstance(thing, Module) and id(thing) not in seen:
                seen.add(id(thing))
                yield name, thing

    def children(self) -> Iterator[Module]:
        """Yield the children of this module."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "", _seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """Yield (path, module) for this module and all modules below, parents first, each once."""
        seen = set() if _seen is None else _seen
        if id(self) not in seen:
            seen.add(id(self))
            yield prefix, self
            for name, child in self.named_children():
                yield from child.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    @property
    def combines_examples(self) -> bool:
        """True if the output for an example depends on the other examples of its batch."""
        return False

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules below, parents first."""
        return (module for _, module in self.named_modules())

    def _entries(self, prefix: str = "") -> Iterator[tuple[str, Trainable]]:
        """Yield (path, parameter) for every attribute; shared parameters several times."""
        for name, thing in self._attributes():
            path = f"{prefix}{name}"
            if isinstance(thing, Module):
                yield from thing._entries(f"{path}.")
            else:
                yield path, thing

    def named_parameters(self) -> Iterator[tuple[str, Leaf]]:
        """Yield (path, parameter), shared ones once; the elements of an array of `Value`s one by one."""
        seen: set[int] = set()
        for path, thing in self._entries():
            if isinstance(thing, np.ndarray):
                parts: list[tuple[str, Leaf]] = [(path + index_text(i), v) for i, v in np.ndenumerate(thing)]
            else:
                parts = [(path, thing)]
            for name, part in parts:
                if id(part) not in seen:
                    seen.add(id(part))
                    yield name, part

    def parameters(self) -> Iterator[Leaf]:
        """Yield every parameter of this module and all modules below, shared ones once."""
        found: dict[Leaf, None] = {}
        _collect([self], found)
        return iter(found)

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """Yield (path, array) for the buffers: arrays that are not trained, such as running statistics."""
        for path, owner, name in self._buffer_places():
            if (array := getattr(owner, name)) is not None:
                yield path, array

    def buffers(self) -> Iterator[Array]:
        """Yield the arrays of `named_buffers`."""
        return (array for _, array in self.named_buffers())

    def _buffer_places(self) -> Iterator[tuple[str, Module, str]]:
        for path, module in self.named_modules():
            for name in module._buffers:
                yield f"{path}.{name}" if path else name, module, name

    def _buffer_entries(self, prefix: str = "") -> Iterator[tuple[str, Module, str]]:
        """Yield (path, owner, name) for every persistent buffer that is not None, in every place of its module."""
        for name, persistent in self._buffers.items():
            if persistent and getattr(self, name) is not None:
                yield f"{prefix}{name}", self, name
        for name, thing in self._attributes():
            if isinstance(thing, Module):
                yield from thing._buffer_entries(f"{prefix}{name}.")

    def register_buffer(self, name: str, array: Array | None, persistent: bool = True) -> None:
        """Add an attribute that is not trained; it is part of `state_dict` if `persistent`."""
        self._buffers = {**self._buffers, name: persistent}
        setattr(self, name, array)

    # ----------------------------------------------------------------------------------- modes and state

    def train(self, mode: bool = True) -> Self:
        """Set training mode for this module and all below; return the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode for this module and all below; return the module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze or unfreeze every parameter of this module and all below; return the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad(set_to_none)

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Call `function` on every module below and then on this one; return the module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, dtype: DType) -> Self:
        """Convert every floating-point parameter and buffer to `dtype`; return the module."""
        if str(dtype).split(":")[0] in ("cpu", "cuda", "mps"):
            raise TypeError(f"Module.to takes a dtype, not {dtype!r}: the only device is the CPU; leave the call out")
        wanted = np.dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(f"the dtype of a module must be floating-point, such as float32 or float64, got {wanted}")
        for parameter in self.parameters():
            if isinstance(parameter, Tensor):
                grad = parameter.grad
                parameter.data = parameter.data.astype(wanted)
                parameter.grad = grad
        for _, owner, name in self._buffer_places():
            array = getattr(owner, name)
            if array is not None and array.dtype.kind == "f":
                setattr(owner, name, array.astype(wanted))
        return self

    def float(self) -> Self:
        """Convert to float32; return the module."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert to float64; return the module."""
        return self.to(np.float64)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and persistent buffers by path, with the keys and layout of PyTorch."""
        state = {path: _data_of(thing) for path, thing in self._entries()}
        return state | {path: np.array(getattr(owner, name)) for path, owner, name in self._buffer_entries()}

    def load_state_dict(
        self, state_dict: Mapping[str, object], strict: bool = True, *, allow_nan: bool = False
    ) -> LoadResult:
        """Copy arrays into parameters and buffers; after an error nothing has changed.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            As returned by `state_dict`; arrays are converted to the dtype of each parameter.
        strict : bool
            Raise an error if keys are missing or unexpected; otherwise they are returned.
        allow_nan : bool
            Accept nan; by default it raises an error, because it usually comes from a diverged training.

        Returns
        -------
        LoadResult
            Named tuple of `missing_keys` and `unexpected_keys`.

        Raises
        ------
        StateDictError
            A `RuntimeError` and a `ValueError` that lists every key that does not fit, with both shapes.
        TypeError
            If `state_dict` is not a mapping.
        """
        arrays, result = checked_state(self, state_dict, strict, allow_nan)
        for path, thing in self._entries():
            if path in arrays:
                _assign(thing, arrays[path])
        for path, owner, name in self._buffer_entries():
            if path in arrays:
                setattr(owner, name, arrays[path])
        return result

    # ------------------------------------------------------------------------------------------------ hooks

    def _own_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def register_forward_pre_hook(self, hook: Hook) -> Handle:
        """Call ``hook(module, args)`` before `forward`; a result other than None replaces the arguments."""
        return self._own_hooks().add("before", hook)

    def register_forward_hook(self, hook: Hook) -> Handle:
        """Call ``hook(module, args, output)`` after `forward`; a result other than None replaces the output."""
        return self._own_hooks().add("after", hook)

    def register_full_backward_hook(self, hook: Hook) -> Handle:
        """Call ``hook(module, grad_input, grad_output)`` in the backward pass; a tuple replaces `grad_input`."""
        return self._own_hooks().add("backward", hook)

    # -------------------------------------------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """Return the text between the parentheses of `repr`: the attributes named in `_shown` that are not None."""
        values = {name: getattr(self, name) for name in self._shown}
        return ", ".join(f"{name}={value!r}" for name, value in values.items() if value is not None)

    def __repr__(self) -> str:
        count = sum(np.size(p.data) for p in self.parameters())
        note = f"  # {count:,} parameter{'s' * (count != 1)}" if count else ""
        head = f"{type(self).__name__}({self.extra_repr()}"
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        return "\n".join([head + note, *lines, ")"]) if lines else f"{head}){note}"


def index_text(index: tuple[int, ...]) -> str:
    """Return the text of an index after a name, such as ``[0, 1]``; empty for a 0-d array."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def prefix_names(name: str, thing: object) -> None:
    """Name parameters by their path, unless they have a name."""
    if isinstance(thing, Parameter):
        thing.name = thing.name or name
    elif isinstance(thing, Module):
        for path, parameter in thing._entries():
            if isinstance(parameter, Parameter) and parameter.name == path:
                parameter.name = f"{name}.{path}"


def _data_of(thing: Trainable) -> Array:
    """Return a copy of the data of a parameter or of an array of `Value`s."""
    return np.array(raw_data(thing) if isinstance(thing, np.ndarray) else thing.data)


def _assign(thing: Trainable, array: Array) -> None:
    if isinstance(thing, (Tensor, Value)):
        thing.data = array if isinstance(thing, Tensor) else float(array)
    else:
        for i, value in np.ndenumerate(thing):
            value.data = float(array[i])


# ------------------------------------------------------------------------------------------- state dicts


class StateDictError(RuntimeError, ValueError):
    """A state dict does not fit the module; the message lists every wrong key.

    Examples
    --------
    >>> import nn
    >>> try:
    ...     nn.Linear(2, 1).load_state_dict({})
    ... except StateDictError as error:
    ...     print(error)
    nothing was loaded: the state_dict does not fit Linear
      missing key 'weight' of shape (1, 2)
      missing key 'bias' of shape (1,)
    """


class LoadResult(NamedTuple):
    """The keys that `load_state_dict(strict=False)` ignored.

    Examples
    --------
    >>> import nn
    >>> nn.Linear(2, 1).load_state_dict({"bias": [0.0], "scale": 1.0}, strict=False)
    LoadResult(missing_keys=['weight'], unexpected_keys=['scale'])
    """

    missing_keys: list[str]
    unexpected_keys: list[str]


def checked_state(
    module: Module, given: Mapping[str, object], strict: bool, allow_nan: bool
) -> tuple[dict[str, Array], LoadResult]:
    """Return copies of the arrays to load, in the dtypes of the module; raise one error for all wrong keys."""
    if not isinstance(given, Mapping):
        raise TypeError(f"load_state_dict expected a mapping from names to arrays, got {type(given).__name__}")
    current = module.state_dict()
    missing = [key for key in current if key not in given]
    unexpected = [key for key in given if key not in current]
    faults = [f"missing key {key!r} of shape {current[key].shape}" for key in missing] if strict else []
    if strict:
        faults += [f"unexpected key {key!r}{similar(key, missing)}" for key in unexpected]
    arrays: dict[str, Array] = {}
    for key, mine in current.items():
        if key in given:
            try:
                arrays[key] = _fitted(given[key], mine, allow_nan)
            except (TypeError, ValueError) as error:
                faults.append(f"{key!r}: {error}")
    for key, first in tied_names(module).items():
        if key in arrays and first in arrays and not np.array_equal(arrays[key], arrays[first], equal_nan=True):
            faults.append(f"{key!r} has other values than {first!r}, but both are the same array of this module")
    if faults:
        lines = "\n  ".join(faults)
        raise StateDictError(f"nothing was loaded: the state_dict does not fit {type(module).__name__}\n  {lines}")
    return arrays, LoadResult(missing, unexpected)


def tied_names(module: Module) -> dict[str, str]:
    """Return the first key in the state dict of each array that has several, by each of its other keys."""
    places: list[tuple[str, object]] = [(path, id(thing)) for path, thing in module._entries()]
    places += [(path, (id(owner), name)) for path, owner, name in module._buffer_entries()]
    first: dict[object, str] = {}
    return {path: first[place] for path, place in places if first.setdefault(place, path) != path}


def _fitted(given: object, mine: Array, allow_nan: bool) -> Array:
    array = np.asarray(raw_data(given))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected an array of shape {mine.shape}, got {type(given).__name__} ({array.dtype})")
    if array.shape != mine.shape:
        raise ValueError(f"expected shape {mine.shape}, got {array.shape}")
    if array.dtype.kind == "f" and not allow_nan and np.isnan(array).any():
        raise ValueError("contains nan, as after a diverged training; pass allow_nan=True to load it anyway")
    return np.array(array, dtype=mine.dtype)


@contextlib.contextmanager
def preserved_modes(model: Any) -> Iterator[None]:
    """Restore the training or evaluation mode of every submodule at the end.

    Examples
    --------
    >>> import nn
    >>> model = nn.Sequential(nn.Linear(1, 1, rng=0), nn.Dropout().eval())
    >>> with preserved_modes(model):
    ...     _ = model.train()
    >>> model.training, model[1].training
    (True, False)
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
