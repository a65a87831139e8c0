"""The folder of a run, and the commands that use it: ``python -m nn predict``, ``explain`` and ``report``."""

import argparse
import csv
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import autograd
from autograd import Tensor, gradients, no_grad
from autograd.files import write_atomically
from nn import checkpoint
from nn.data.cells import Cells, read_cells
from nn.data.columns import TableEncoder
from nn.functional import softmax
from nn.layers.container import Sequential as Layers
from nn.mlp import ColumnEmbedding, table_network
from nn.module import Module
from nn.training.history import format_numbers
from nn.training.solvers import Ensemble
from nn.typing import Array, Operand, Print, Settings

STEPS = 64  # of the path of integrated gradients


@dataclass
class Trained:
    """A model with the encoding of its inputs and the scale of its outputs."""

    model: Module
    encoder: TableEncoder
    target: str
    classes: list[str] | None
    target_scale: tuple[float, float]
    settings: Settings
    temperature: float = 1.0
    result: Settings = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: Array) -> Array:
        """Return the outputs of the network for scaled inputs."""
        self.model.eval()
        with no_grad():
            return np.asarray(self.model(X).data)

    def outputs(self, X: Array) -> Array:
        """Return probabilities of classes, or values of the target, for scaled inputs."""
        raw = self.raw(X)
        if self.classes is None:
            return np.asarray(raw[:, 0] * self.target_scale[1] + self.target_scale[0])
        return np.asarray(softmax(raw / self.temperature, 1))

    def save(self, path: Path) -> None:
        """Write everything to one checkpoint."""
        checkpoint.save(
            path, self.model, encoder=self.encoder.state_dict(), target=self.target, classes=self.classes,
            target_scale=list(self.target_scale), settings=self.settings, result=self.result, history=self.history,
            temperature=self.temperature,
        )  # fmt: skip


def built(encoder: TableEncoder, classes: Sequence[str] | None, settings: Settings) -> Module:
    """Return the untrained model of a run."""
    outputs = 1 if classes is None else len(classes)
    given = encoder.width, encoder.levels, [*settings["hidden"], outputs], settings["activation"]
    options = {"dropout": settings["dropout"], "rng": np.random.default_rng(int(settings["seed"]))}
    members = [table_network(*given, **options) for _ in range(settings["folds"])]
    return members[0] if len(members) == 1 else Ensemble(members, classes is not None)


def diverged(result: Settings) -> bool:
    """Return whether the loss of a run became nan or infinite."""
    return str(result.get("stopped", "")).startswith("the loss is")


def as_json(value: object, indent: int | None = 2) -> str:
    """Return data as strict JSON, which has null for nan and infinity."""
    finite = json.loads(json.dumps(value), parse_constant=lambda constant: None)
    return json.dumps(finite, indent=indent, allow_nan=False)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as the text of a CSV file."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def load_run(folder: Path) -> Trained:
    """Read the folder that `train` wrote.

    Raises
    ------
    ValueError
        If it is not the folder of a run, or its files are damaged.
    """
    path = folder / "model.npz"
    if not path.is_file():
        command = f"python -m nn train ... --out {folder}"
        raise ValueError(f"{folder} is not the folder of a run: model.npz is missing; run {command}")
    saved = checkpoint.load(path)
    try:
        encoder, classes = TableEncoder.from_state_dict(saved["encoder"]), saved["classes"]
        settings, weights = saved["settings"], saved["model"]
        widths = itertools.pairwise([encoder.width, *settings["hidden"]])
        claimed = settings["folds"] * max(1, sum(a * b for a, b in widths))
        found = sum(array.size for array in weights.values())
        if claimed > found:  # before a model of that size is built
            raise ValueError(f"{path} is damaged: its settings claim {claimed:,} weights, but it contains {found:,}")
        model = built(encoder, classes, settings)
        model.load_state_dict(weights, allow_nan=True)
        shift, factor = saved["target_scale"]
        temperature = float(saved["temperature"])
    except (KeyError, TypeError) as error:
        other = "of another version of chainrule, or a checkpoint, but not one of python -m nn train"
        raise ValueError(f"{path} is {other} ({error}); train again") from None
    return Trained(
        model, encoder, saved["target"], classes, (shift, factor), settings, temperature, saved["result"],
        saved["history"],
    )  # fmt: skip


def cells_to_predict(args: argparse.Namespace, run: Trained, keep: Sequence[str] = ()) -> Cells:
    """Return the table that `predict` or `explain` reads, if the model is usable; report what is not as in training."""
    if diverged(run.result):
        reason = f"since {run.result['stopped']}"
        raise ValueError(f"the model in {args.run} cannot predict, {reason}; train again with a lower --lr")
    expected = [column.name for column in run.encoder.columns] if run.settings["header"] else []
    missing = run.settings["missing"]
    table = read_cells(args.table, args.delimiter, args.header, expected, encoding=args.encoding, missing=missing)
    if table.header and args.header is None and not run.settings["header"]:
        raise ValueError(
            f"the first line of {table.path} looks like a header, which the table of the model did not have; "
            "pass --no-header if it is a row, else delete it"
        )
    remarks = [*table.notes, *(column.remark(cells) for column, cells in run.encoder.matched(table))]
    used = {run.target, *run.settings["drop"], *keep, *(column.name for column in run.encoder.columns)}
    if ignored := [name for name in table.names if name not in used]:
        shown = ", ".join(ignored[:12]) + ", ..." * (len(ignored) > 12)
        count = "1 column is" if len(ignored) == 1 else f"{len(ignored)} columns are"
        remarks.append(f"{count} ignored, since the model does not use them: {shown}")
    for remark in filter(None, remarks):
        sys.stderr.write(f"{remark}\n")
    return table


def predict(args: argparse.Namespace, out: Print) -> int:
    """Write a prediction for every row of a table: the class and its probabilities, or the value."""
    run = load_run(args.run)
    table = cells_to_predict(args, run, args.keep)
    values = run.outputs(run.encoder(table))
    kept = {table.names[i]: table.columns[i] for i in map(table.position, args.keep)}
    if run.classes is None:
        predicted: dict[str, Sequence[Any]] = {run.target: values.tolist()}
    else:
        predicted = {run.target: [run.classes[i] for i in values.argmax(1)]}
        predicted |= {f"p({label})": values[:, i].tolist() for i, label in enumerate(run.classes)}
    names = [*kept, *predicted]
    rows = zip(*kept.values(), *predicted.values(), strict=True)
    if args.json:
        text = "".join(as_json(dict(zip(names, row, strict=True)), None) + "\n" for row in rows)
    else:
        text = csv_text([names, *rows])
    if args.output is None:
        out(text.rstrip("\n"))
    else:
        write_atomically(args.output, text)
        out(f"wrote {args.output}: {len(values)} predictions of {run.target}")
    return 0


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


def report(args: argparse.Namespace, out: Print) -> int:
    """Print data, model, result, diagnosis and files of a run."""
    run = load_run(args.run)
    result, settings = run.result, run.settings
    if args.json:
        out(as_json({"settings": settings, **result}))
        return 0
    lines = [
        f"{result['task']} of {run.target} from {result['table']}, {result['rows']} rows, "
        f"{len(run.encoder.columns)} columns",
        f"hidden layers {settings['hidden']}, {settings['activation']}; {settings['optimizer']} at {settings['lr']:g}, "
        f"{settings['schedule']} schedule, {result['epochs']} epochs in {result['seconds']:.1f} s",
        "test: " + format_numbers(result["test"]),
    ]
    lines += result.get("resumed", [])
    if result["stopped"]:
        lines.append(f"ended early: {result['stopped']}")
    lines.append("last epoch: " + format_numbers({key: values[-1] for key, values in run.history.items() if values}))
    lines.append(f"{'' if result['verdicts'] else 'No problems detected in '}{result['summary']}.")
    lines += result["verdicts"]
    files = sorted(path.name for path in args.run.iterdir() if path.is_file())
    lines.append(f"{args.run}/: " + ", ".join(files))
    out("\n".join(lines))
    return 0
