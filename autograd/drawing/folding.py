"""Choose the boxes of a drawing: nodes, closed groups, and one instance of each repetition.

Groups of nodes, such as the layers of a network, are drawn as frames.  The functions registered with
`autograd.extend.drawn_by` mark where a group begins and ends.  A graph is divided into levels: one for each group, and
one for the nodes outside of all groups.  The elements of a level are its nodes and the groups in it, in order.  If the
same few elements, connected in the same way, follow each other several times, only the first instance is drawn.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autograd.explaining.formula import Names, full_term, last_operation
from autograd.explaining.steps import Step, backward_steps
from autograd.explaining.typeset import cut, flattened, format_array
from autograd.extend import DRAWN_BY, Watch, watching
from autograd.graph import Node, Primitive, topological_order
from autograd.messages import not_a_node
from autograd.reverse import reverse_pass
from autograd.typing import Cotangent, Data, Function, Operand, Operands


@dataclass(eq=False, slots=True)
class Group:
    """One call of a part, whose nodes are drawn in one frame.

    Attributes
    ----------
    path : str
        The path of the part, such as ``encoder.0``; empty for the whole.
    title, detail : str
        Its name and its arguments.
    around : tuple of Group
        The groups of the callers, the outermost first.
    call : int
        Counts the calls of the part, from 1.
    """

    path: str
    title: str
    detail: str = ""
    around: tuple[Group, ...] = ()
    call: int = 1


class Recorder(Watch):
    """Records the group of every node.

    Attributes
    ----------
    group_of : dict of Node to Group
        Without the nodes outside of all groups.
    stands_for : dict of int to tuple of Node
        By the id of an outer node, the nodes that replace it in this run.
    inputs : list of Node
        The inputs, which are drawn as data even if they need gradients.
    """

    def __init__(self) -> None:
        self.group_of: dict[Node, Group] = {}
        self.stands_for: dict[int, tuple[Node, ...]] = {}
        self.inputs: list[Node] = []
        self._open: list[Group] = []
        self._calls: dict[str, int] = {}

    def with_grad(self, enabled: bool) -> Recorder:
        """Return a recorder of the same groups with or without gradients."""
        twin = copy.copy(self)
        twin.grad_enabled = enabled
        return twin

    def on_record(self, op: Primitive, args: Operands, raw: tuple[Data, ...], node: Node) -> None:
        """Store the group of a new node."""
        if self._open:
            self.group_of[node] = self._open[-1]

    def renamed(self, names: Mapping[int, str]) -> dict[int, str]:
        """Return names by the identity of the node, those of outer nodes for the nodes that replace them."""
        copies = {key: id(nodes[0]) for key, nodes in self.stands_for.items() if len(nodes) == 1}
        return {copies.get(key, key): name for key, name in names.items()}

    def enter(self, path: str, title: str, detail: str = "", leaves: Sequence[Node] = ()) -> None:
        """Open a group; `leaves` belong to it unless they belong to an earlier group."""
        self._calls[path] = self._calls.get(path, 0) + 1
        group = Group(path, title, detail, tuple(self._open), self._calls[path])
        self._open.append(group)
        for leaf in leaves:
            self.group_of.setdefault(leaf, group)

    def leave(self) -> None:
        """Close the group opened last."""
        self._open.pop()


def results_of(
    caller: str, root: object, inputs: Sequence[Operand], zoom: str | None, loss: Function | None
) -> tuple[list[Node], Recorder]:
    """Return the results to show, and the groups in which their nodes were created if a model was called.

    Parameters
    ----------
    caller : str
        The function to name in errors.
    root : Node, sequence of Node, or model
        The results, or an instance of a registered class.
    inputs, zoom, loss
        Arguments for a model.
    """
    roots: list[Any] = list(root) if isinstance(root, (list, tuple)) else [root]
    recorder = Recorder()
    if roots and all(isinstance(node, Node) for node in roots):
        if inputs or zoom or loss is not None:
            raise TypeError(
                f"inputs, zoom= and loss= are for {caller}(model, x), not {caller}(result); see path= for files"
            )
        return roots, recorder
    run = next((DRAWN_BY[kind] for kind in type(root).__mro__ if kind in DRAWN_BY), None)
    if run is None:
        raise not_a_node(caller, root)
    with watching(recorder):
        roots = list(run(root, inputs, recorder, scalars=zoom == "scalars", loss=loss))
    if not roots or not all(isinstance(node, Node) for node in roots):
        raise TypeError(f"{type(root).__name__} did not return a Value or Tensor for these inputs; nothing to draw")
    return roots, recorder


# ---------------------------------------------------------------------------------------------------------- repetitions

FEWEST = 3  # repetitions that are folded
LONGEST_FORMULA = 36  # characters in a box; a longer one is replaced by the last operation
LONGEST = 400  # elements of one repetition, such as one example in a loop over scalar networks
DEEPEST = 24  # operations along a path that are shown of a large graph
CANDIDATES = 64  # lengths of a repetition that are tried at each position
Element = int | Group
Parents = Callable[[int], Iterable[int]]


class Snapshot:
    """The nodes and edges of a graph at one moment, by position: arguments before users.

    Attributes
    ----------
    nodes : list of Node
        Arguments before users.
    parents : list of list of int
        For each node the positions of its arguments, in order.
    uses : Counter
        How often each node is an argument.
    given : dict of int to str
        Names by the identity of the node.

    Notes
    -----
    Derivatives and formulas are computed on first use; no `.grad` is read or written.
    """

    def __init__(self, roots: Sequence[Node], given: Mapping[int, str] | None = None) -> None:
        self.given: dict[int, str] = dict(given or {})
        self.nodes: list[Node] = topological_order(*roots)
        self.position: dict[int, int] = {id(node): k for k, node in enumerate(self.nodes)}
        self.args: list[Operands] = [node.args for node in self.nodes]  # unaffected by later assignments
        self.roots: set[int] = {self.position[id(node)] for node in roots}
        self.parents: list[list[int]] = [
            [self.position.get(id(a), -1) for a in args if isinstance(a, Node)] for args in self.args
        ]
        self.uses: Counter[int] = Counter(p for parents in self.parents for p in parents)
        for k, parents in enumerate(self.parents):
            if parents and not -1 < min(parents) <= max(parents) < k:
                raise ValueError(
                    f"the graph of {len(self.nodes):,} nodes has a cycle through {self.nodes[k].op}, or "
                    "changed while it was drawn; a result cannot be its own argument"
                )

    @cached_property
    def names(self) -> Names:
        """Unique names of the nodes."""
        return Names(self.nodes, self.given)

    @cached_property
    def seeds(self) -> dict[Node, Cotangent]:
        """The results that require a gradient, each with its cotangent in the sum of all."""
        roots = [root for k in sorted(self.roots) if (root := self.nodes[k]).requires_grad]
        return {r: np.ones_like(r._value) if isinstance(r._value, np.ndarray) else 1.0 for r in roots}

    @cached_property
    def steps(self) -> dict[tuple[Node, int], Step]:
        """The edges of the backward pass from the sum of the results, by node and position of the argument."""
        steps = (s for root, one in self.seeds.items() for s in backward_steps(root, one, names=self.names))
        return {(step.node, step.position): step for step in steps}

    @cached_property
    def gradients(self) -> dict[Node, Cotangent]:
        """The derivative of the sum of the results with respect to each variable."""
        order = [node for node in self.nodes if node.requires_grad]
        return reverse_pass(order, dict(self.seeds), keep=frozenset(order))

    @cached_property
    def largest(self) -> float:
        """The largest finite magnitude of a derivative."""
        sizes = [size for g in self.gradients.values() if np.isfinite(size := abs(extreme(g)))]
        return max(sizes, default=0.0)

    def partial(self, node: Node, position: int, formulas: bool) -> str:
        """Return the local derivative of a node by one of its arguments as text; empty if there is none."""
        step = self.steps.get((node, position))
        if step is None:
            return ""
        rule = step.rule_formula.term
        formula = cut(flattened(rule), LONGEST_FORMULA) if rule is not None else ""
        if step.local is None:
            return formula
        value = format_array(step.local)
        return f"{formula} = {value}" if formulas and formula and formula != value else value

    def formula(self, node: Node) -> str:
        """Return a computed node in terms of the leaves if that is short, else its last operation; empty for a leaf."""
        if node.op is None:
            return ""
        text = flattened(full_term(node, self.names, LONGEST_FORMULA))
        if len(text) > LONGEST_FORMULA:
            text = flattened(last_operation(node, self.names))
        return cut(text, LONGEST_FORMULA)


def extreme(g: Cotangent) -> float:
    """Return the element of a derivative with the largest magnitude.

    Examples
    --------
    >>> extreme(-2.0), extreme(np.array([0.5, -3.0])), extreme(np.zeros(0))
    (-2.0, -3.0, 0.0)
    """
    flat = np.ravel(g)
    return float(flat[np.argmax(np.abs(flat))]) if flat.size else 0.0


def distances(order: Sequence[int], parents: Parents) -> dict[int, int]:
    """Return how far each element of `order` is from the results, along the longest path."""
    distance = dict.fromkeys(order, 0)
    for k in reversed(order):
        for parent in parents(k):
            distance[parent] = max(distance[parent], distance[k] + 1)
    return distance


def nearest(order: Sequence[int], parents: Parents, limit: int | None, depth: int | None) -> set[int]:
    """Return the elements of `order` nearest to the results, measured along the longest path.

    Along the longest path an argument is always farther than its user, so that no argument is shown of which a user
    is hidden.  If there are more than `limit`, those farther than `DEEPEST` are left out.
    """
    distance = distances(order, parents)
    near = [k for k in order if depth is None or distance[k] <= depth]
    if limit is not None and len(near) > limit:
        near = sorted((k for k in reversed(near) if distance[k] <= DEEPEST), key=distance.__getitem__)[:limit]
    return set(near)


def hidden_behind(k: int, parents: Parents, shown: set[int], counted: set[int]) -> set[int]:
    """Return the hidden ancestors of `k` that are not in `counted`, and add them to it."""
    found: set[int] = set()
    stack = [k]
    while stack:
        for parent in parents(stack.pop()):
            if parent not in shown and parent not in counted:
                counted.add(parent)
                found.add(parent)
                stack.append(parent)
    return found


@dataclass(frozen=True, eq=False)
class Run:
    """A repetition."""

    times: int


class Folding:
    """The boxes of a drawing, and the nodes that each of them represents.

    Parameters
    ----------
    graph : Snapshot
        The graph.
    group_of : mapping of Node to Group
        The group in which each node was created; nodes outside of all groups are missing.
    opened : set of Group
        The groups that are drawn as a frame around their contents, rather than as one box.
    repeats : bool
        Whether repetitions are drawn once.

    Attributes
    ----------
    item : list of int
        For each node the position of the node that represents its box.
    order : list of int
        The boxes, arguments before users.
    closed : dict of int to Group
        The boxes that represent a whole group.
    weight : Counter
        The number of nodes that each box represents.
    """

    def __init__(self, graph: Snapshot, group_of: Mapping[Node, Group], opened: set[Group], repeats: bool) -> None:
        self.graph = graph
        self.group: list[Group | None] = [group_of.get(node) for node in graph.nodes]
        self._runs: dict[Element, tuple[Run, ...]] = {}  # the runs around an element, outer ones first
        self.item: list[int] = list(range(len(graph.nodes)))
        if repeats:
            self._fold(Levels(self))
        self.closed: dict[int, Group] = {}
        self._inside: dict[int, list[int]] = {}
        if any(self.group):
            self._close(opened)
        self.order: list[int] = self._ordered()
        self.weight: Counter[int] = Counter(self.item)

    def chain(self, element: Element) -> tuple[Group, ...]:
        """Return the groups around a node or a group, the outermost first."""
        if isinstance(element, Group):
            return element.around
        group = self.group[element]
        return (*group.around, group) if group else ()

    def path(self, k: int) -> list[Element]:
        """Return the groups around a node, the outermost first, then the node."""
        return [*self.chain(k), k]

    def parents(self, item: int) -> list[int]:
        """Return the boxes whose arrows point to this one, in order."""
        if item not in self.closed:
            return [box for p in self.graph.parents[item] if (box := self.item[p]) != item]
        found = (self.item[p] for k in self._inside[item] for p in self.graph.parents[k])
        return list(dict.fromkeys(p for p in found if p != item))

    def inside(self, item: int) -> list[int]:
        """Return the positions of the nodes in a box, without those of its repetitions."""
        return self._inside.get(item, [item])

    def frames(self, item: int) -> tuple[Group | Run, ...]:
        """Return the groups and repetitions around a box, the outermost first."""
        element: Element = self.closed.get(item, item)
        path: tuple[Group | Run, ...] = self._runs.get(element, ())
        for level in reversed(self.chain(element)):
            path = (*self._runs.get(level, ()), level, *path)
        return path

    def _fold(self, levels: Levels) -> None:
        """Represent equal runs of elements by the first."""
        roots = {element for k in self.graph.roots for element in self.path(k)}
        for elements in levels.elements.values():
            self._fold_row(levels, elements, roots, ())
        for k, representative in enumerate(self.item):  # which may itself be folded, inside its group
            while self.item[representative] != representative:
                representative = self.item[representative]
            self.item[k] = representative

    def _fold_row(self, levels: Levels, elements: list[Element], roots: set[Element], around: tuple[Run, ...]) -> None:
        """Fold the repetitions among some elements, then those within the first instance."""
        for start, length, times in runs([levels.sign[e] for e in elements]):
            last = elements[start + (times - 1) * length : start + times * length]
            if not roots.isdisjoint(last):  # a result is always drawn
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

    def _close(self, opened: set[Group]) -> None:
        """Represent each group that is not open by one node."""
        outermost: dict[Group | None, Group | None] = {}
        boxes: dict[Group, int] = {}
        for k, group in enumerate(self.group):
            if group not in outermost:
                outermost[group] = next((g for g in self.chain(k) if g not in opened), None)
            if (closed := outermost[group]) is not None and self.item[k] == k:
                box = boxes.setdefault(closed, k)
                self.closed[box] = closed
                self._inside.setdefault(box, []).append(k)
                self.item[k] = box
        self.item = [self.item[k] for k in self.item]

    def _ordered(self) -> list[int]:
        """Return the boxes in a depth-first postorder from the results."""
        order: list[int] = []
        seen: set[int] = set()
        stack = [(self.item[k], False) for k in sorted(self.graph.roots, reverse=True)]
        while stack:
            item, complete = stack.pop()
            if complete:
                order.append(item)
            elif item not in seen:
                seen.add(item)
                stack.append((item, True))
                stack += [(parent, False) for parent in reversed(self.parents(item))]
        return order


class Levels:
    """The elements of each level, each with an integer that is equal for elements that look the same."""

    def __init__(self, folding: Folding) -> None:
        self.folding = folding
        self.elements: dict[Element | None, list[Element]] = {}
        self.place: dict[Element, int] = {}
        self._wires: dict[Element, set[int]] = {}
        self._signatures: dict[Hashable, int] = {}
        for k in self._sequence():
            level: Element | None = None
            for element in folding.path(k):
                row = self.elements.setdefault(level, [])
                if element not in self.place:
                    self.place[element] = len(row)
                    row.append(element)
                level = element
        for k in [element for element in self.place if isinstance(element, int)]:
            for parent in folding.graph.parents[k]:
                # The distance between the ends of an edge, at the level where they are in different elements.
                paths = zip(folding.path(parent), folding.path(k), strict=False)
                tail, head = next((x, y) for x, y in paths if x != y)
                # 0: leaves used in many places, and the outputs of a group, each of which may go to another operation
                known = tail in self.place and not (isinstance(tail, Group) and isinstance(head, int))
                far = self.place[head] - self.place[tail] if known else 0
                self._wires.setdefault(head, set()).add(min(far, LONGEST + 1))
        self.sign: dict[Element, int] = {}
        # Inner levels were added after their outer ones: in reverse order the parts of a group come before the group.
        for level in reversed(self.elements):
            for element in self.elements[level]:
                self.sign[element] = self._signature(element)

    def _sequence(self) -> Iterator[int]:
        """Yield positions in order, a leaf before its only user; leaves with several users are left out."""
        graph = self.folding.graph
        for k, node in enumerate(graph.nodes):
            if node.op is not None:
                yield from (p for p in graph.parents[k] if graph.nodes[p].op is None and graph.uses[p] == 1)
                yield k

    def _signature(self, element: Element) -> int:
        wires = tuple(sorted(self._wires.get(element, ())))
        if isinstance(element, Group):
            parts = tuple(self.sign[e] for e in self.elements[element])
            # The first of several layers has its input from outside, the others from the layer before.
            key: tuple[Hashable, ...] = (element.title, element.detail, parts, *(far for far in wires if far != 1))
        else:
            node = self.folding.graph.nodes[element]
            shape = getattr(node._value, "shape", None)
            exactly = node.op is not None and node.op.symbol == "**"  # a square is not a cube
            others = [a for a in self.folding.graph.args[element] if not isinstance(a, Node)]
            # Numbers may differ: they may be the data of a loop.
            fixed = (str, slice, tuple, type(None), type(...))
            constants: list[Any] = [str(a) if exactly or isinstance(a, fixed) else type(a) for a in others]
            params = str(node.params) if node.params else ""
            key = (node.op and node.op.name, node.requires_grad, shape, wires, params, *constants)
        return self._signatures.setdefault(key, len(self._signatures))

    def members(self, element: Element) -> list[int]:
        """Return the positions of all nodes of an element."""
        if isinstance(element, int):
            return [element]
        return [k for part in self.elements[element] for k in self.members(part)]


def runs(signs: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (start, length, times) of each sequence that repeats at least three times, from left to right.

    Examples
    --------
    >>> list(runs([7, 1, 2, 1, 2, 1, 2, 9]))
    [(1, 2, 3)]
    """
    start, count = 0, len(signs)
    following = [count] * count  # position of the next equal sign
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
            if signs[at - 1] == signs[at + p - 1] and signs[at + p // 2] == signs[start + p // 2]:
                once = signs[start:at]
                while signs[start + t * p : start + (t + 1) * p] == once:
                    t += 1
            if t >= FEWEST and t * p > best:
                best, length, times = t * p, p, t
            at = following[at]
        if best:
            yield start, length, times
        start += best or 1
