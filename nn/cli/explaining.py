"""``python -m nn explain``: which columns a prediction depends on, by gradients of the network."""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd
from autograd import Tensor, gradients
from nn.layers.container import Sequential as Layers
from nn.mlp import ColumnEmbedding
from nn.typing import Array, Operand, Print

from .folder import Trained, as_json, cells_to_predict, load_run

STEPS = 64  # of the path of integrated gradients


def attributions(model: Callable[[Operand], Operand], x: Array, output: int = 0) -> tuple[Array, Array]:
    r"""Return input times gradient of each feature, and integrated gradients from a row of zeros.

    .. math:: a_i = x_i \frac{\partial f}{\partial x_i}(x), \qquad
        b_i = x_i \int_0^1 \frac{\partial f}{\partial x_i}(t x)\, dt, \qquad \sum_i b_i = f(x) - f(0)

    Parameters
    ----------
    model : callable
        Returns outputs of shape (n, outputs) for features of shape (n, features).
    x : ndarray, shape (features,)
        The row; zeros stand for an average row, as after `nn.data.RobustScaler`.
    output : int
        The output f.

    Returns
    -------
    a, b : ndarray, shape (features,)
        Of a linear model both are the same.

    Notes
    -----
    Simonyan et al. 2014; Sundararajan, Taly & Yan 2017, equation 1, with the midpoint rule of 64 steps.

    Examples
    --------
    >>> a, b = attributions(lambda x: x**2, np.array([3.0]))
    >>> a, b.round(2)
    (array([18.]), array([9.]))
    """
    path = Tensor(np.append((np.arange(STEPS) + 0.5) / STEPS, 1.0)[:, None] * x, requires_grad=True)
    slopes = np.asarray(gradients(model(path)[:, output].sum(), path))
    return x * slopes[-1], x * slopes[:-1].mean(axis=0)


def explained(run: Trained, row: Array, chosen: int) -> list[tuple[Callable[[Operand], Operand], Array]]:
    """Return each network after its embedding, with one output in units of the target, and the row it receives."""
    everything: Any = run.model
    everything.eval()
    found: list[tuple[Callable[[Operand], Operand], Array]] = []
    for member in getattr(everything, "members", [everything]):
        x, layers = row, list(member)
        if isinstance(layers[0], ColumnEmbedding):
            x, layers = np.asarray(layers[0](x).data), layers[1:]

        def output(x: Operand, model: Layers = Layers(*layers)) -> Operand:  # noqa: B008 - one per member
            raw = model(x)
            if run.classes is None:
                return raw * run.target_scale[1]
            return raw[:, chosen : chosen + 1] - raw.mean(axis=1, keepdims=True)  # softmax ignores a common shift

        found.append((output, x[0]))
    return found


def explain(args: argparse.Namespace, out: Print) -> int:
    """Print the contribution of each column to the prediction of a row."""
    run = load_run(args.run)
    table = cells_to_predict(args, run)
    if not 1 <= args.row <= len(table.lines):
        raise ValueError(f"--row {args.row} is not in {args.table}, which has {len(table.lines)} rows")
    features = run.encoder(table)[args.row - 1 : args.row]
    predicted = run.outputs(features)[0]
    chosen = 0 if run.classes is None else int(np.argmax(predicted))
    members = explained(run, features, chosen)
    product, integrated = np.mean([attributions(function, x) for function, x in members], axis=0)
    function, x = members[0]
    width = 1 + (len(x) - features.shape[1]) // max(len(run.encoder.levels), 1)
    groups = run.encoder.groups(width)
    cells = {column.name: contents[args.row - 1] for column, contents in run.encoder.matched(table)}
    rows = [(name, str(cells[name]), product[of].sum(), integrated[of].sum()) for name, of in groups.items()]
    rows.sort(key=lambda row: -abs(row[3]))
    if args.json:
        keys = ("column", "value", "input x gradient", "contribution")
        out(as_json([dict(zip(keys, row, strict=True)) for row in rows]))
        return 0
    result = (
        f"{predicted:.6g}" if run.classes is None else f"{run.classes[chosen]} (probability {predicted[chosen]:.3f})"
    )
    unit = run.target if run.classes is None else "the logit of this class minus the mean logit"
    out(f"row {args.row} of {args.table}: {run.target} = {result}")
    wide = max(6, *(len(name) for name, *_ in rows)), max(5, *(len(cell) for _, cell, *_ in rows))
    out(f"{'column':{wide[0]}}  {'value':>{wide[1]}}  contribution  input x gradient")
    for name, cell, slope, share in rows:
        out(f"{name:{wide[0]}}  {cell:>{wide[1]}}  {share:+12.4g}  {slope:+16.4g}")
    out(f"{'sum':{wide[0]}}  {'':>{wide[1]}}  {integrated.sum():+12.4g}  in units of {unit}, from a median row")
    if args.steps:  # of the first network
        node = Tensor(x[None], requires_grad=True, name="x")
        out(str(autograd.explain(function(node)[0, 0], wrt=node)))
    else:
        out("--steps prints the chain rule through the network, step by step")
    return 0
