"""Read the configuration of a sweep, a JSON file, as a list of trials."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.cli.options import train_parser
from nn.typing import Settings
from nn.validation import similar

PARTS = ("table", "base", "grid", "random", "list", "seeds", "metric")
NOT_SETTINGS = ("help", "table", "seed", "out", "resume", "quiet", "json", "columns")  # set by the sweep itself
RANGES = ("uniform", "log", "integers")
MOST_TRIALS = 100_000
LARGEST = 1e300  # bound of a range, so that its width is finite


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
    try:
        _only(config, PARTS, "part of a sweep")
        table = config.get("table")
        if not isinstance(table, str):
            raise ValueError('"table" must name the file to learn from, as in "table": "iris.csv"')
        metric = config.get("metric")
        if not (metric is None or isinstance(metric, str)):
            raise ValueError(f'"metric" must be a name, such as "validation accuracy", not {json.dumps(metric)}')
        options = _options()
        base = _settings(config.get("base", {}), "base", options)
        choices = [_list(config, options), _grid(config, options), _random(config, options, seed)]
        seeds = _seeds(config.get("seeds", 1), seed)
        count = math.prod(map(len, choices)) * len(seeds)
        if count > MOST_TRIALS:
            raise ValueError(f"this makes {count:,} trials; the limit is {MOST_TRIALS:,}")
        varied = list(dict.fromkeys(key for part in choices for chosen in part for key in chosen))
        settings = (base | a | b | c for a, b, c in itertools.product(*choices))
        trials = _trials(((s, n) for s in settings for n in seeds), table, options)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return Sweep(trials, varied, metric)


def _parsed(path: Path) -> Settings:
    """Return the contents of the file: one JSON object without duplicate names."""

    def once(pairs: list[tuple[str, object]]) -> Settings:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f'duplicate name "{next(n for n in names if names.count(n) > 1)}"')
        return found

    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=once)
    except FileNotFoundError:
        raise ValueError(f"file {path} does not exist") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f'{path} must hold an object, {{"table": ..., "base": {{...}}, "grid": {{...}}}}')
    return config


# ------------------------------------------------------------------------------------------- names and words


def _options() -> dict[str, argparse.Action]:
    return {a.dest: a for a in train_parser()._actions if a.dest not in NOT_SETTINGS}


def _only(given: Mapping[str, object], known: Sequence[str], what: str) -> None:
    for name in given:
        if name not in known:
            hint = similar(name, known, f"; choose from {', '.join(known)}")
            raise ValueError(f"unknown {what} {name!r}{hint}")


def _settings(given: object, part: str, options: Mapping[str, argparse.Action]) -> Settings:
    """Return settings under their Python names, ``batch_size`` for ``batch-size``."""
    if not isinstance(given, dict):
        raise ValueError(f'"{part}" must be an object of settings, as in {{"hidden": "16,16"}}, not {given!r:.40}')
    named = {name.lstrip("-").replace("-", "_"): value for name, value in given.items()}
    if "seed" in named:
        raise ValueError(f'"{part}" has a seed; use "seeds": [0, 1, 2], or a count')
    _only(named, list(options), f'setting of python -m nn train (in "{part}")')
    return named


def _words(settings: Settings, options: Mapping[str, argparse.Action]) -> Iterator[str]:
    """Yield the command-line options for settings."""
    for name, value in settings.items():
        option = options[name].option_strings[0]
        if options[name].nargs == 0:
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false, not {value!r:.40}")
            negative = options[name].option_strings[1:]  # of --header
            yield from [option] if value else negative
        elif isinstance(value, dict) and name == "kinds":
            yield f"{option}={json.dumps(value)}"
        elif name == "drop":
            yield from (f"{option}={column}" for column in (value if isinstance(value, list) else [value]))
        elif isinstance(value, list) and name in ("hidden", "missing"):
            yield f"{option}={','.join(map(str, value))}"
        elif isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise ValueError(f"{name} must be a number or a text, not {value!r:.40}")
        elif value is not None:
            yield f"{option}={value}"


# ------------------------------------------------------------------------------------------------ the choices


def _choices(values: Any, part: str, name: str) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise ValueError(f'"{part}": {name} must be a list of values to try, as in [0.01, 0.001], not {values!r:.40}')
    return values


def _list(config: Settings, options: Mapping[str, argparse.Action]) -> list[Settings]:
    return [_settings(entry, "list", options) for entry in _choices(config.get("list", [{}]), "list", "it")]


def _grid(config: Settings, options: Mapping[str, argparse.Action]) -> list[Settings]:
    grid = _settings(config.get("grid", {}), "grid", options)
    lists = [_choices(values, "grid", name) for name, values in grid.items()]
    if math.prod(map(len, lists)) > MOST_TRIALS:
        raise ValueError(f'"grid" makes {math.prod(map(len, lists)):,} combinations; the limit is {MOST_TRIALS:,}')
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*lists)]


def _random(config: Settings, options: Mapping[str, argparse.Action], seed: int) -> list[Settings]:
    """Draw settings from a list or from a uniform, log-uniform or integer range."""
    given = config.get("random")
    if given is None:
        return [{}]
    if not isinstance(given, dict) or not _whole(given.get("trials"), 1, MOST_TRIALS):
        raise ValueError(
            '"random" must contain the number of trials, as in {"trials": 20, "lr": {"log": [0.0001, 0.1]}}'
        )
    ranges = _settings({name: value for name, value in given.items() if name != "trials"}, "random", options)
    if twice := set(ranges) & set(_settings(config.get("grid", {}), "grid", options)):
        raise ValueError(f'{min(twice)} is in "grid" and in "random"; remove it from one')
    rng = np.random.default_rng(seed)
    return [{name: _drawn(name, values, rng) for name, values in ranges.items()} for _ in range(given["trials"])]


def _drawn(name: str, values: Any, rng: np.random.Generator) -> Any:
    if isinstance(values, list):
        return values[int(rng.integers(len(_choices(values, "random", name))))]
    kind, bounds = next(iter(values.items())) if isinstance(values, dict) and len(values) == 1 else (None, None)
    if kind not in RANGES or not (isinstance(bounds, list) and len(bounds) == 2 and all(map(_number, bounds))):
        raise ValueError(
            f'"random": {name} must be a list, or one of {{"uniform": [0, 1]}}, {{"log": [0.001, 1]}}, '
            f'{{"integers": [1, 9]}}, not {json.dumps(values):.60}'
        )
    low, high = bounds
    if not low <= high or (kind == "log" and low <= 0) or (kind == "integers" and not all(map(_whole, bounds))):
        raise ValueError(f'"random": {name} cannot be drawn from {json.dumps(values)}')
    if kind == "integers":
        return int(rng.integers(low, high + 1))
    drawn = rng.uniform(low, high) if kind == "uniform" else math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(f"{drawn:.4g}")  # few digits, for readable tables


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _whole(value: object, least: int = -(2**62), most: int = 2**62) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _seeds(given: Any, first: int) -> list[int]:
    if _whole(given, 1, MOST_TRIALS):
        return list(range(first, first + given))
    if not isinstance(given, list) or not given or not all(_whole(n, 0) for n in given):
        raise ValueError(f'"seeds" must be a count or a list of integers, as in [0, 1, 2], not {given!r:.40}')
    return given


def _trials(chosen: Any, table: str, options: Mapping[str, argparse.Action]) -> list[Trial]:
    parser, contents = train_parser(), _contents(table)
    digests: dict[str, str] = {}
    trials: dict[str, Trial] = {}
    for settings, seed in chosen:
        words = (table, *_words(settings, options), f"--seed={seed}")
        whole = {k: v for k, v in vars(parser.parse_args(words)).items() if k not in ("out", "resume", "quiet", "json")}
        target = str(whole["target"])
        if target not in digests:
            digests[target] = _contents(target)
        text = json.dumps([whole, contents, digests[target]], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        trials.setdefault(key, Trial(len(trials) + 1, settings, seed, words, key))
    return list(trials.values())


def _contents(name: str) -> str:
    """Return a digest of a file, "" if it does not exist: other data make another trial."""
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
