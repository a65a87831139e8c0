"""`play`: a self-contained interactive page of the forward and backward pass through one graph."""

import os
from collections.abc import Collection, Mapping

import numpy as np

from autograd.explaining.formula import names_by_identity
from autograd.explaining.quiz import DIAGNOSES
from autograd.graph import topological_order
from autograd.typing import Function, Operand

from .groups import results_of
from .offline import Page, offline_page
from .player_program import page_data

LIMIT = 5000  # nodes; the file of a graph of this size has about 250 KB
SCRIPTS = (
    "engine", "parser", "layout", "terms", "network", "answers", "elements", "graph_view", "panels", "player",
)  # fmt: skip


def play(
    root: object,
    *inputs: Operand,
    path: str | os.PathLike[str] | None = None,
    names: Mapping[str, object] | None = None,
    fixed: Collection[str] = (),
    zoom: str | None = None,
    loss: Function | None = None,
) -> Page:
    """Create an interactive page of the forward and the backward pass of a graph.

    Buttons, a slider and the arrow keys step through the operations of the forward pass and the edges of the backward
    pass; the page shows *upstream times local equals contribution* for each edge, or asks for it.  A graph of scalars
    is computed by the page: its formula and its leaves can be changed, and a button takes steps of gradient descent.
    Neurons and layers are frames that open and close; arrays are shown as heat maps.

    Parameters
    ----------
    root : Node or model
        The result, of one element; or a model, which is called on the inputs.
    *inputs
        Arguments of the model.
    path : str or path, optional
        The file to write; none by default.
    names : mapping of str to object, optional
        Names for nodes without a name, for instance ``locals()``; lists of nodes and modules give names to the nodes
        in them.
    fixed : collection of str
        Names of inputs and targets, which gradient descent does not change; each leaf also has a lock in the page.
    zoom : {'scalars'}, optional
        Show a model as operations on scalars rather than on arrays.
    loss : callable, optional
        Applied to the output of a model.

    Returns
    -------
    Page
        With `.html`; notebooks display it.

    Raises
    ------
    TypeError
        If `root` is neither a node nor a model.
    RuntimeError
        If `root` has several elements or does not depend on a variable, as in `backward`.
    ValueError
        If the graph has more than 5,000 nodes, a name in `fixed` is unknown, or the file does not end in ``.html``.
    OSError
        If the folder does not exist or cannot be written to; an existing file is then unchanged.

    Notes
    -----
    The page is one file without external resources; its content security policy blocks all requests.  It computes
    derivatives with programs recorded from the rules of the table.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> play((a * b).tanh())
    <page of 4 nodes>
    """
    if zoom not in (None, "scalars"):
        raise ValueError(f"zoom must be None or 'scalars', got {zoom!r}")
    roots, recorder = results_of("play", root, inputs, zoom, loss)
    given = recorder.renamed(names_by_identity({**(names or {}), **({"model": root} if inputs else {})}))
    count = sum(np.size(node._value) for node in roots)
    if len(roots) > 1 or (inputs and count != 1):
        raise ValueError(
            f"play needs a result of one element, got {count} outputs; pass loss=, as in loss=lambda y: ..."
        )
    root = roots[0]
    order = topological_order(root)
    if len(order) > LIMIT:
        raise ValueError(
            f"the graph has {len(order):,} nodes, and a page can show {LIMIT:,} at most; play a part of it, or use "
            "draw()"
        )
    used = {node.op.name for node in order if node.op is not None}
    data = page_data(root, given, fixed, recorder) | {"diagnoses": DIAGNOSES}
    return offline_page("player", SCRIPTS, data, used, path=path, content=f"{len(order):,} nodes")
