"""Modules that contain other modules or parameters: sequences, lists, dicts and skip connections."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, ClassVar, Self

import numpy as np

from autograd import Tensor, Value
from nn.module import Module, Parameter, is_parameter, prefix_names
from nn.typing import Operand

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Residual", "Sequential"]


class Container(Module):
    """An ordered table of modules or parameters, found by the traversal of attributes."""

    _kinds: ClassVar[tuple[type, ...]] = (Module,)

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[str, Any] = {}

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        yield from self._items.items()
        for name, thing in super()._attributes():
            if not name.startswith("_items."):  # the table itself is an attribute, too
                yield name, thing

    def _put(self, name: str, item: object) -> None:
        if not isinstance(item, self._kinds):
            hint = f"; write {item.__name__}(...)" if isinstance(item, type) else ""
            hint = f"; unpack it: {type(self).__name__}(*layers)" if isinstance(item, (list, tuple)) else hint
            raise TypeError(
                f"{type(self).__name__}[{name}] must be a {self._kinds[0].__name__}, got {item!r:.60}{hint}"
            )
        prefix_names(name, item)
        self._items[name] = item
        self._changed()

    def __getattr__(self, name: str) -> Any:
        items = self.__dict__.get("_items", {})
        if name in items:
            return items[name]
        hint = "; train it with nn.training.fit(model, loss, optimizer, (X, y))" if name == "fit" else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items.values())

    def _key(self, index: int) -> str:
        return list(self._items)[index]


class List(Container):
    """A container whose items are named 0, 1, 2, ..."""

    def __init__(self, items: Iterable[object] = ()) -> None:
        super().__init__()
        self.extend(items)

    def append(self, item: object) -> Self:
        """Append an item and return the container."""
        self._put(str(len(self._items)), item)
        return self

    def extend(self, items: Iterable[object]) -> Self:
        """Append several items and return the container."""
        for item in items:
            self.append(item)
        return self

    def insert(self, index: int, item: object) -> Self:
        """Insert an item before position `index` and return the container."""
        items: list[object] = list(self._items.values())
        items.insert(index, item)
        return self._renumbered(items)

    def _renumbered(self, items: Iterable[object]) -> Self:
        self._items = {}
        return self.extend(items)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self._items.values())[index])
        return self._items[self._key(index)]

    def __setitem__(self, index: int, item: object) -> None:
        self._put(self._key(index), item)

    def __delitem__(self, index: int) -> None:
        del self._items[self._key(index)]
        self._renumbered(list(self._items.values()))


class ModuleList(List):
    """A list of modules.

    Examples
    --------
    >>> from nn import Tanh
    >>> layers = ModuleList([Tanh(), Tanh()])
    >>> len(layers)
    2
    """


class ParameterList(List):
    """A list of parameters; arrays and Tensors become parameters.

    Examples
    --------
    >>> scales = ParameterList([Parameter([1.0]), np.zeros(2)])
    >>> [name for name, _ in scales.named_parameters()]
    ['0', '1']
    """

    _kinds = (Parameter, Value, np.ndarray)  # the array is one of Values

    def _put(self, name: str, item: object) -> None:
        if isinstance(item, (np.ndarray, Tensor)) and not is_parameter(item):
            item = Parameter(item)
        super()._put(name, item)


class ModuleDict(Container, MutableMapping[str, Any]):
    """A dict of modules, with the methods of a dict.

    Examples
    --------
    >>> from nn import ReLU, Tanh
    >>> choices = ModuleDict({"relu": ReLU(), "tanh": Tanh()})
    >>> list(choices)
    ['relu', 'tanh']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"a module name must be a non-empty string without dots, got {name!r}")
        self._put(name, module)

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __delitem__(self, name: str) -> None:
        del self._items[name]
        self._changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:  # modules are compared and hashed by identity
        return self is other

    __hash__ = object.__hash__


class Sequential(List):
    """A chain of modules: ``y = f_n(... f_2(f_1(x)))``.

    Parameters
    ----------
    *modules : Module
        The modules in order, or one mapping from names to modules.

    Examples
    --------
    >>> from nn import Linear, Tanh
    >>> model = Sequential(Linear(2, 3, rng=0), Tanh(), Linear(3, 1, rng=1))
    >>> list(model.state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    >>> model(np.zeros((4, 2))).shape
    (4, 1)
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            super().__init__()
            for name, module in modules[0].items():
                self._put(name, module)
        else:
            super().__init__(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(*list(self._items.values())[index])
        return super().__getitem__(index)

    def forward(self, input: Operand) -> Operand:
        """Apply the modules one after another."""
        for module in self._items.values():
            input = module(input)
        return input


class Residual(Module):
    """Skip connection ``x + block(x)`` (He et al. 2016, eq. 1).

    Parameters
    ----------
    block : Module or several
        A module that preserves the shape; several modules form a `Sequential`.

    Raises
    ------
    ValueError
        If the block changes the shape.

    Examples
    --------
    >>> from nn import Tanh
    >>> Residual(Tanh())(np.array([0.0, 100.0]))
    array([  0., 101.])
    """

    def __init__(self, *block: Module) -> None:
        super().__init__()
        self.block: Module | Sequential = block[0] if len(block) == 1 else Sequential(*block)

    def forward(self, input: Operand) -> Operand:
        """Return ``input + block(input)``."""
        output = self.block(input)
        if output.shape != input.shape:
            raise ValueError(f"Residual: a block must preserve the shape, but changed {input.shape} to {output.shape}")
        return input + output
