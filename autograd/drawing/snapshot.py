"""A graph at one moment, as pictures need it: positions instead of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autograd.graph import Node, topological_order

__all__ = ["Snapshot", "behind", "nearest"]


class Snapshot:
    """The nodes and edges of a graph at one moment: positions, arguments before users."""

    def __init__(self, roots: Sequence[Node]) -> None:
        self.nodes: list[Node] = topological_order(*roots)
        self.position: dict[int, int] = {id(node): k for k, node in enumerate(self.nodes)}
        self.args: list[tuple[Any, ...]] = [
            node.args for node in self.nodes
        ]  # tuples: what is assigned later does not reach them
        self.roots: set[int] = {self.position[id(node)] for node in roots}
        position = self.position
        self._parents = [[position.get(id(a), -1) for a in args if isinstance(a, Node)] for args in self.args]
        for k, parents in enumerate(self._parents):
            if parents and not -1 < min(parents) <= max(parents) < k:
                raise ValueError(
                    f"the graph of {len(self.nodes):,} nodes has a cycle through {self.nodes[k].op}, or "
                    "changed while it was being drawn; a result cannot be its own argument"
                )

    def parents(self, k: int) -> list[int]:
        """Return the positions of the nodes that node `k` was made from, in order."""
        return self._parents[k]

    def below(self, starts: Iterable[int]) -> set[int]:
        """Return the positions of all nodes that depend on one of `starts`, these included."""
        reached = set(starts)
        for k in range(len(self.nodes)):
            if k not in reached and not reached.isdisjoint(self.parents(k)):
                reached.add(k)
        return reached


def nearest(
    order: Sequence[int], parents: Callable[[int], Iterable[int]], limit: int | None, depth: int | None, deepest: int
) -> set[int]:
    """Return those of `order` nearest to the results, by the longest way that leads there.

    Along the longest way an argument is always farther than its user, so that nothing hidden was made from
    anything shown.  If there are more than `limit`, none farther than `deepest` is taken.
    """
    far = dict.fromkeys(order, 0)
    for k in reversed(order):
        for parent in parents(k):
            far[parent] = max(far[parent], far[k] + 1)
    near = [k for k in order if depth is None or far[k] <= depth]
    if limit is None or len(near) <= limit:
        return set(near)
    place = {k: i for i, k in enumerate(order)}
    near = [k for k in near if far[k] <= deepest]
    return set(sorted(near, key=lambda k: (far[k], -place[k]))[:limit])


def behind(k: int, parents: Callable[[int], Iterable[int]], shown: set[int], counted: set[int]) -> set[int]:
    """Return what hidden stands behind `k` and was not counted before, and count it."""
    found: set[int] = set()
    stack = [k]
    while stack:
        for parent in parents(stack.pop()):
            if parent not in shown and parent not in counted:
                counted.add(parent)
                found.add(parent)
                stack.append(parent)
    return found
