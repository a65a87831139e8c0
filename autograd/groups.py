"""Which part of a program made which node, for pictures in which the parts are frames.

A class that computes in nested parts, as a neural network does, says once how it is run and where its parts begin
and end: it registers with `drawn_by`, and `draw` takes its instances.  Nothing here draws.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .graph import Node
from .recording import Watch, watching

__all__ = ["Group", "Recorder", "drawn_by", "recorded"]

VIEWS: dict[type, Callable[..., Sequence[Node]]] = {}


class Group:
    """One call of a part: what was made in it stands in one frame.

    Attributes
    ----------
    path : str
        Where the part is found, such as ``encoder.0``; of the whole it is empty.
    title, detail : str
        What it is, and with which settings.
    parent : Group or None
        The call in which it was called.
    """

    __slots__ = ("call", "detail", "parent", "path", "title")

    def __init__(self, path: str, title: str, detail: str = "", parent: Group | None = None, call: int = 1) -> None:
        self.path: str = path
        self.title: str = title
        self.detail: str = detail
        self.parent: Group | None = parent
        self.call: int = call

    def __repr__(self) -> str:
        return f"<group {self.path or 'whole'}: {self.title}>"


class Recorder(Watch):
    """Notes for every node in which group it was made.

    Attributes
    ----------
    group_of : dict of Node to Group
        Nodes made outside of all groups are missing.
    stands_for : dict of int to tuple of Node
        By the identity of a node outside, those that stand for it in this run.
    inputs : list of Node
        What the thing was called on: drawn as data, also where gradients flow to it.
    """

    def __init__(self, other: Recorder | None = None) -> None:
        self.group_of: dict[Node, Group] = {} if other is None else other.group_of
        self.stands_for: dict[int, tuple[Node, ...]] = {} if other is None else other.stands_for
        self.inputs: list[Node] = [] if other is None else other.inputs
        self._open: list[Group] = [] if other is None else other._open
        self._calls: dict[str, int] = {} if other is None else other._calls

    def with_grad(self, recording: bool) -> Recorder:
        """Return what goes on noting while operations are, or are not, recorded."""
        twin = Recorder(self)
        twin.grad_enabled = recording
        return twin

    def on_record(self, op: Any, args: tuple[Any, ...], raw: tuple[Any, ...], node: Any) -> None:
        """Note the group of a new node."""
        if self._open:
            self.group_of[node] = self._open[-1]

    def enter(self, path: str, title: str, detail: str = "", leaves: Sequence[Node] = ()) -> None:
        """Open a group; `leaves` are its own, unless an earlier group had them."""
        self._calls[path] = self._calls.get(path, 0) + 1
        group = Group(path, title, detail, self._open[-1] if self._open else None, self._calls[path])
        self._open.append(group)
        for leaf in leaves:
            self.group_of.setdefault(leaf, group)

    def leave(self) -> None:
        """Close the group opened last."""
        self._open.pop()

    @contextlib.contextmanager
    def group(self, path: str, title: str, detail: str = "", leaves: Sequence[Node] = ()) -> Iterator[None]:
        """Open a group for a block."""
        self.enter(path, title, detail, leaves)
        try:
            yield
        finally:
            self.leave()


def drawn_by(kind: type) -> Callable[[Callable[..., Sequence[Node]]], Callable[..., Sequence[Node]]]:
    """Teach `draw` a class: ``function(thing, inputs, recorder, scalars=..., loss=...)`` runs it, returns the results.

    Parameters
    ----------
    kind : type
        The class; its subclasses are drawn too.

    Examples
    --------
    >>> from autograd import Value, draw
    >>> class Twice:
    ...     pass
    >>> @drawn_by(Twice)
    ... def run(thing, inputs, recorder, **options):
    ...     with recorder.group("", "Twice"):
    ...         return [inputs[0] * 2]
    >>> draw(Twice(), Value(1.0))
    <drawing of 2 nodes>
    """

    def register(function: Callable[..., Sequence[Node]]) -> Callable[..., Sequence[Node]]:
        VIEWS[kind] = function
        return function

    return register


def recorded(thing: Any, inputs: Sequence[Any], *, scalars: bool, loss: Any) -> tuple[list[Node], Recorder] | None:
    """Run a thing whose class is registered; return its results and who made what, or None for other things."""
    for kind in type(thing).__mro__:
        if kind in VIEWS:
            recorder = Recorder()
            with watching(recorder):
                return list(VIEWS[kind](thing, inputs, recorder, scalars=scalars, loss=loss)), recorder
    return None
