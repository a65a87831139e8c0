"""Groups of nodes, which drawings show as frames, such as the layers of a network.

The functions registered with `autograd.extend.drawn_by` mark where a group begins and ends.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograd.extend import DRAWN_BY
from autograd.graph import Node, Primitive
from autograd.messages import not_a_node
from autograd.recording import Watch, watching
from autograd.typing import Data, Function, Operand, Operands


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

    @contextlib.contextmanager
    def group(self, path: str, title: str, detail: str = "", leaves: Sequence[Node] = ()) -> Iterator[None]:
        """Open a group for a block."""
        self.enter(path, title, detail, leaves)
        try:
            yield
        finally:
            self.leave()


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
