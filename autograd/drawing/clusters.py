"""Which boxes a picture has: nodes, groups drawn as one box, and one instance of what is repeated.

A graph is divided into levels, one for each group and one for what is outside of all.  The elements of a level are
its nodes and the groups inside it, in order; where the same few elements, wired in the same way, follow each other
several times, the first time stands for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autograd.graph import Node
from autograd.groups import Group

from .snapshot import Snapshot

__all__ = ["Frame", "Plan"]

FEWEST = 3  # repetitions that are folded
LONGEST = 400  # elements of what is repeated, such as one example in a loop over scalar networks
CANDIDATES = 64  # lengths that are tried at each place
Element = int | Group


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame around boxes: a group, or what is repeated `times`."""

    parent: Frame | None
    group: Group | None = None
    times: int = 0


@dataclass(frozen=True, eq=False)
class Run:
    """What is repeated."""

    times: int


class Plan:
    """What is drawn of a graph.

    Parameters
    ----------
    graph : Snapshot
        The graph.
    group_of : mapping of Node to Group
        Where each node was made; nodes outside of all groups are missing.
    is_open : callable
        Whether a group is drawn as a frame with what is in it, and not as one box.
    repeats : bool
        Whether what is repeated is drawn once.

    Attributes
    ----------
    item : list of int
        For each node the position of the node that stands for its box.
    order : list of int
        The boxes, arguments before users.
    closed : dict of int to Group
        The boxes that stand for a whole group.
    weight : Counter
        How many nodes each box stands for.
    """

    def __init__(
        self, graph: Snapshot, group_of: Mapping[Node, Group], is_open: Callable[[Group], bool], repeats: bool
    ) -> None:
        self.graph = graph
        self.group: list[Group | None] = [group_of.get(node) for node in graph.nodes]
        self._chains: dict[Group | None, list[Group | None]] = {}
        self._frames: dict[Group, Frame] = {}
        self._runs: dict[Element, tuple[Run, ...]] = {}  # those an element is in, outer ones first
        self._run_frames: dict[Run, Frame] = {}
        self.item: list[int] = list(range(len(graph.nodes)))
        if repeats:
            self._fold(_Levels(self))
        self.closed: dict[int, Group] = {}
        self._inside: dict[int, list[int]] = {}
        if any(self.group):
            self._close(is_open)
        self.order: list[int] = self._ordered()
        self.weight: Counter[int] = Counter(self.item)  # how many nodes a box stands for

    def chain(self, group: Group | None) -> list[Group | None]:
        """Return the levels of a group from the outermost, which is None, to itself."""
        if group not in self._chains:
            self._chains[group] = [None] if group is None else [*self.chain(group.parent), group]
        return self._chains[group]

    def parents(self, item: int) -> list[int]:
        """Return the boxes from which arrows lead to this one, in order."""
        if item not in self.closed:
            return [box for p in self.graph.parents(item) if (box := self.item[p]) != item]
        found = (self.item[p] for k in self._inside[item] for p in self.graph.parents(k))
        return list(dict.fromkeys(p for p in found if p != item))

    def inside(self, item: int) -> list[int]:
        """Return the positions of the nodes of a box, without those of its repetitions."""
        return self._inside.get(item, [item])

    def frame(self, item: int) -> Frame | None:
        """Return the innermost frame around a box."""
        if item in self.closed:
            return self._around(self.closed[item], self.closed[item].parent)
        return self._around(item, self.group[item])

    def _around(self, element: Element, level: Group | None) -> Frame | None:
        outer = None if level is None else self._frame_of(level)
        for run in self._runs.get(element, ()):
            outer = self._run_frames.setdefault(run, Frame(outer, None, run.times))
        return outer

    def _frame_of(self, group: Group) -> Frame:
        if group not in self._frames:
            self._frames[group] = Frame(self._around(group, group.parent), group)
        return self._frames[group]

    def _fold(self, levels: _Levels) -> None:
        """Let the first of equal runs of elements stand for the others."""
        roots = {element for k in self.graph.roots for element in (k, *self.chain(self.group[k]))}
        for elements in levels.elements.values():
            self._fold_row(levels, elements, roots, ())
        for k, stands in enumerate(self.item):  # what stands for others may be folded itself, inside its group
            while self.item[stands] != stands:
                stands = self.item[stands]
            self.item[k] = stands

    def _fold_row(
        self, levels: _Levels, elements: list[Element], roots: set[Element | None], around: tuple[Run, ...]
    ) -> None:
        """Fold what is repeated among some elements, and then what is repeated within the first time."""
        for start, length, times in runs([levels.sign[e] for e in elements]):
            last = elements[start + (times - 1) * length : start + times * length]
            if not roots.isdisjoint(last):  # a result is drawn itself
                times -= 1
            if times < FEWEST:
                continue
            once, inside = elements[start : start + length], (*around, Run(times))
            for i, first in enumerate(once):
                self._runs[first] = inside
                for again in elements[start + length + i : start + times * length : length]:
                    for representative, k in zip(levels.members(first), levels.members(again), strict=True):
                        self.item[k] = representative
            self._fold_row(levels, once, roots, inside)

    def _close(self, is_open: Callable[[Group], bool]) -> None:
        """Let one node stand for all of a group that is not open."""
        outermost: dict[Group | None, Group | None] = {}
        stands: dict[Group, int] = {}
        for k, group in enumerate(self.group):
            if group not in outermost:
                outermost[group] = next((g for g in self.chain(group) if g is not None and not is_open(g)), None)
            if (closed := outermost[group]) is not None and self.item[k] == k:
                box = stands.setdefault(closed, k)
                self.closed[box] = closed
                self._inside.setdefault(box, []).append(k)
                self.item[k] = box
        self.item = [self.item[k] for k in self.item]

    def _ordered(self) -> list[int]:
        """Return the boxes in a depth-first postorder from the results."""
        order: list[int] = []
        seen: set[int] = set()
        path: list[int] = []
        remaining: list[Iterator[int]] = [iter(dict.fromkeys(self.item[k] for k in sorted(self.graph.roots)))]
        while remaining:
            for item in remaining[-1]:
                if item not in seen:
                    seen.add(item)
                    path.append(item)
                    remaining.append(iter(self.parents(item)))
                    break
            else:
                remaining.pop()
                if path:
                    order.append(path.pop())
        return order


class _Levels:
    """The elements of each level, each with a number that is the same for those that look alike."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.elements: dict[Group | None, list[Element]] = {}
        self.place: dict[Element, int] = {}
        self._wires: dict[Element, set[int]] = {}
        self._numbers: dict[Any, int] = {}
        for k in self._sequence():
            self._put(k)
        for k, place in [(e, p) for e, p in self.place.items() if isinstance(e, int)]:
            for parent in plan.graph.parents(k):
                self._wire(parent, k, place)
        self.sign: dict[Element, int] = {}
        # Inner levels were entered after their outer ones, so that backwards every group finds its parts signed.
        for level in reversed(self.elements):
            for element in self.elements[level]:
                self.sign[element] = self._number(element)

    def _sequence(self) -> Iterator[int]:
        """Yield positions in order, a leaf before the only operation that uses it; others are no elements."""
        graph = self.plan.graph
        uses = [0] * len(graph.nodes)
        for k in range(len(graph.nodes)):
            for parent in graph.parents(k):
                uses[parent] += 1
        for k, node in enumerate(graph.nodes):
            if node.op is not None:
                yield from (p for p in graph.parents(k) if graph.nodes[p].op is None and uses[p] == 1)
                yield k

    def _put(self, element: Element) -> None:
        level = self.plan.group[element] if isinstance(element, int) else element.parent
        if level is not None and level not in self.place:
            self._put(level)
        row = self.elements.setdefault(level, [])
        self.place[element] = len(row)
        row.append(element)
        if isinstance(element, Group):
            self.elements.setdefault(element, [])

    def _wire(self, parent: int, k: int, place: int) -> None:
        """Note how far apart the ends of an arrow are, at the level where they are in different elements."""
        if self.plan.group[parent] is self.plan.group[k]:
            ends: tuple[Element, Element] = (parent, k)
        else:
            a, b = self.plan.chain(self.plan.group[parent]), self.plan.chain(self.plan.group[k])
            depth = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x is not y), min(len(a), len(b)))
            ends = a[depth] if depth < len(a) else parent, b[depth] if depth < len(b) else k  # type: ignore[assignment]
        far = self.place[ends[1]] - self.place[ends[0]] if ends[0] in self.place else 0  # 0: used all over
        self._wires.setdefault(ends[1], set()).add(far if far <= LONGEST else LONGEST + 1)

    def _number(self, element: Element) -> int:
        wires = tuple(sorted(self._wires.get(element, ())))
        if isinstance(element, Group):
            parts = tuple(self.sign[e] for e in self.elements[element])
            # The first of a row of layers is fed from outside, the others by the one before.
            key: Any = (element.title, element.detail, parts, *(far for far in wires if far != 1))
        else:
            node = self.plan.graph.nodes[element]
            shape = getattr(node._data, "shape", None)
            exactly = node.op is not None and node.op.symbol == "**"  # a square is no cube
            others = [a for a in self.plan.graph.args[element] if not isinstance(a, Node)]
            constants = [str(a) if exactly else plain(a) for a in others]
            params = str(node.params) if node.params else ""
            key = (node.op and node.op.name, node.requires_grad, shape, wires, params, *constants)
        return self._numbers.setdefault(key, len(self._numbers))

    def members(self, element: Element) -> list[int]:
        """Return the positions of all nodes of an element."""
        if isinstance(element, int):
            return [element]
        return [k for part in self.elements[element] for k in self.members(part)]


def plain(constant: Any) -> Any:
    """Return what is to be compared of a constant: not a number, which may be of an example in a loop."""
    return str(constant) if isinstance(constant, (str, slice, tuple, type(None), type(...))) else type(constant)


def runs(signs: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (start, length, times) of what follows itself several times, the longest stretches first found.

    Examples
    --------
    >>> list(runs([7, 1, 2, 1, 2, 1, 2, 9]))
    [(1, 2, 3)]
    """
    start, count = 0, len(signs)
    following = [count] * count  # where the same sign comes next
    latest: dict[int, int] = {}
    for i in range(count - 1, -1, -1):
        following[i] = latest.get(signs[i], count)
        latest[signs[i]] = i
    while start < count:
        best, length, times = 0, 1, 1
        at = following[start]
        for _ in range(CANDIDATES):
            p = at - start
            if p > LONGEST or start + FEWEST * p > count:
                break
            t = 1
            if signs[at - 1] == signs[at + p - 1] and signs[at + p // 2] == signs[start + p // 2]:  # else not worth it
                once = signs[start:at]
                while signs[start + t * p : start + (t + 1) * p] == once:
                    t += 1
            if t >= FEWEST and t * p > best:
                best, length, times = t * p, p, t
            at = following[at]
        if best:
            yield start, length, times
        start += best or 1
