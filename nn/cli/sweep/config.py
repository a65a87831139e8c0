"""Read the configuration of a sweep, a JSON file, as a list of trials."""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import json
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.cli.options import train_parser
from nn.files import existing_file
from nn.typing import Settings
from nn.validation import similar

PARTS = ("table", "base", "grid", "random", "list", "seeds", "metric")
NOT_SETTINGS = ("help", "table", "seed", "out", "resume", "quiet", "json", "columns")  # set by the sweep itself
MOST_TRIALS = 100_000
RANGES: dict[str, Callable[..., float]] = {  # few digits, for readable tables
    "uniform": lambda rng, low, high: float(f"{rng.uniform(low, high):.4g}"),
    "log": lambda rng, low, high: float(f"{math.exp(rng.uniform(math.log(float(low)), math.log(float(high)))):.4g}"),
    "integers": lambda rng, low, high: int(rng.integers(operator.index(low), operator.index(high), endpoint=True)),
}

Options = Mapping[str, argparse.Action]


@dataclass(frozen=True)
class Trial:
    """One training: its settings, and the same as arguments of ``python -m nn train``."""

    number: int
    settings: Settings
    seed: int
    words: tuple[str, ...]
    key: str  # the same for the same settings on the same data, whatever else is in the sweep


@dataclass(frozen=True)
class Sweep:
    """All trials, the names of the settings that vary, and the metric to compare."""

    trials: list[Trial]
    varied: list[str]
    metric: str | None


def read_sweep(path: Path, seed: int = 0) -> Sweep:
    """Read a configuration, and check every setting of every trial.

    Parameters
    ----------
    path : Path
        A JSON file: ``table``, ``base`` settings of ``python -m nn train``, and lists that vary them: ``grid``,
        ``random``, ``list``, ``seeds``, whose choices are all combined.
    seed : int
        The seed of random settings, and the first seed if ``seeds`` is a count.

    Returns
    -------
    Sweep
        Trials in the order of the file, without duplicates.

    Raises
    ------
    ValueError
        If the file is not JSON, contains unknown parts or settings, or `train` rejects the settings of a trial.
    """
    config = _parsed(path)
    options = {a.dest: a for a in train_parser()._actions if a.dest not in NOT_SETTINGS}
    try:
        _only(config, PARTS, "part of a sweep")
        table, metric = config.get("table"), config.get("metric")
        if not isinstance(table, str):
            raise ValueError('"table" must name the file to learn from, as in "table": "iris.csv"')
        if not isinstance(metric, str | None):
            raise ValueError(f'"metric" must be a name, such as "validation accuracy", not {json.dumps(metric)}')
        base, axes = _settings(config.get("base", {}), "base", options), _axes(config, options, seed)
        seeds = _seeds(config.get("seeds", 1), seed)
        count = math.prod(map(len, axes)) * len(seeds)
        if count > MOST_TRIALS:
            raise ValueError(f"this makes {count:,} trials; the limit is {MOST_TRIALS:,}")
        combined = [functools.reduce(operator.or_, choice, base) for choice in itertools.product(*axes)]
        trials = _trials(itertools.product(combined, seeds), table, options)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return Sweep(trials, list(dict.fromkeys(name for axis in axes for chosen in axis for name in chosen)), metric)


def _parsed(path: Path) -> Settings:
    """Return the contents of the file: one JSON object without duplicate names."""

    def once(pairs: list[tuple[str, object]]) -> Settings:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'duplicate name "{name}"')
        return dict(pairs)

    try:
        text = existing_file(path, "configuration").read_text(encoding="utf-8-sig")
        config = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f'{path} must hold an object, {{"table": ..., "base": {{...}}, "grid": {{...}}}}')
    return config


# ------------------------------------------------------------------------------------------- names and words


def _only(given: Mapping[str, object], known: Sequence[str], what: str) -> None:
    for name in given:
        if name not in known:
            hint = similar(name, known, f"; choose from {', '.join(known)}")
            raise ValueError(f"unknown {what} {name!r}{hint}")


def _settings(given: object, part: str, options: Options) -> Settings:
    """Return settings under their Python names, ``batch_size`` for ``batch-size``."""
    if not isinstance(given, dict):
        raise ValueError(f'"{part}" must be an object of settings, as in {{"hidden": "16,16"}}, not {given!r:.40}')
    named = {name.lstrip("-").replace("-", "_"): value for name, value in given.items()}
    if "seed" in named:
        raise ValueError(f'"{part}" has a seed; use "seeds": [0, 1, 2], or a count')
    _only(named, list(options), f'setting of python -m nn train (in "{part}")')
    return named


def _words(settings: Settings, options: Options) -> Iterator[str]:
    """Yield the command-line options for settings; `train` checks their values."""
    for name, value in settings.items():
        option, *negative = options[name].option_strings
        if options[name].nargs == 0:
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false, not {value!r:.40}")
            yield from [option] if value else negative
        elif name == "drop":
            yield from (f"{option}={column}" for column in (value if isinstance(value, list) else [value]))
        elif isinstance(value, dict):
            yield f"{option}={json.dumps(value)}"
        elif value is not None:
            yield f"{option}={','.join(map(str, value)) if isinstance(value, list) else value}"


# ------------------------------------------------------------------------------------------------ the choices


def _axes(config: Settings, options: Options, seed: int) -> list[list[Settings]]:
    """Return lists of settings, of which every trial has one each: ``list``, each name of ``grid``, and ``random``."""
    grid = _settings(config.get("grid", {}), "grid", options)
    axes = [[_settings(entry, "list", options) for entry in _values(config.get("list", [{}]), '"list": it')]]
    axes += [[{name: value} for value in _values(values, f'"grid": {name}')] for name, values in grid.items()]
    given = config.get("random", {"trials": 1})
    trials: Any = given.get("trials") if isinstance(given, dict) else None
    if not _whole(trials, 1, MOST_TRIALS):
        example = '{"trials": 20, "lr": {"log": [0.0001, 0.1]}}'
        raise ValueError(f'"random" must contain the number of trials, as in {example}')
    ranges = _settings({name: value for name, value in given.items() if name != "trials"}, "random", options)
    if twice := set(ranges) & set(grid):
        raise ValueError(f'{min(twice)} is in "grid" and in "random"; remove it from one')
    rng = np.random.default_rng(seed)
    return [*axes, [{name: _drawn(name, values, rng) for name, values in ranges.items()} for _ in range(trials)]]


def _values(values: Any, where: str) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise ValueError(f"{where} must be a list of values to try, as in [0.01, 0.001], not {values!r:.40}")
    return values


def _drawn(name: str, values: Any, rng: np.random.Generator) -> Any:
    """Draw from a list or from a uniform, log-uniform or integer range."""
    try:
        if isinstance(values, list):
            return values[int(rng.integers(len(values)))]
        ((kind, (low, high)),) = values.items()
        return RANGES[kind](rng, low, high)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        ranges = '{"uniform": [0, 1]}, {"log": [0.001, 1]} or {"integers": [1, 9]}'
        given = f"{json.dumps(values):.60}"
        raise ValueError(f'"random": {name} must be a list, or a range such as {ranges}, not {given}') from None


def _whole(value: object, least: int, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _seeds(given: Any, first: int) -> list[int]:
    if _whole(given, 1, MOST_TRIALS):
        return list(range(first, first + given))
    if not isinstance(given, list) or not given or not all(_whole(n, 0) for n in given):
        raise ValueError(f'"seeds" must be a count or a list of integers, as in [0, 1, 2], not {given!r:.40}')
    return given


def _trials(chosen: Any, table: str, options: Options) -> list[Trial]:
    parser, digest = train_parser(), functools.cache(_digest)
    trials: dict[str, Trial] = {}
    for settings, seed in chosen:
        words = (table, *_words(settings, options), f"--seed={seed}")
        whole = {k: v for k, v in vars(parser.parse_args(words)).items() if k not in ("out", "resume", "quiet", "json")}
        text = json.dumps([whole, digest(table), digest(str(whole["target"]))], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        trials.setdefault(key, Trial(len(trials) + 1, settings, seed, words, key))
    return list(trials.values())


def _digest(name: str) -> str:
    """Return a digest of a file, "" if it does not exist: other data make another trial."""
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
