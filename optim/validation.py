"""What an optimizer is given, checked before it is used: parameters, groups, state dictionaries."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .flat_params import label
from .options import near

SCHEDULE_KEYS = (
    "param_names", "initial_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum", "initial_momentum",
)  # fmt: skip
"""What schedules and named parameters keep in a group beside its options."""


def is_parameter(thing: Any) -> bool:
    """Whether something has the two attributes an optimizer speaks to."""
    return hasattr(thing, "data") and hasattr(thing, "grad")


def as_groups(params: Any, who: str) -> list[dict[str, Any]]:
    """Return the constructor's `params` as a list of groups."""
    if is_parameter(params):
        raise TypeError(f"{who} needs a list of parameters; put the one parameter in a list: {who}([parameter])")
    if isinstance(params, (set, frozenset)):
        raise TypeError(
            f"{who} needs parameters in a fixed order, which a set does not keep: give a list, or sorted(...)"
        )
    if isinstance(params, (str, bytes, Mapping)) or not isinstance(params, Iterable):
        cure = "; call it: model.parameters()" if callable(params) else ""
        raise TypeError(
            f"{who} needs a list of parameters or of dicts such as {{'params': [...], 'lr': 0.1}}, "
            f"got {type(params).__name__}{cure}"
        )
    entries = list(params)
    if not entries:
        raise ValueError(
            f"{who} got an empty list of parameters; if it was a generator, it was used up before: give list(...)"
        )
    groups = [isinstance(entry, Mapping) for entry in entries]
    if any(groups) and not all(groups):
        raise TypeError(f"{who} got dicts and parameters mixed: give a list of parameters or a list of dicts")
    return entries if all(groups) else [{"params": entries}]


def checked_entries(optimizer: Any, group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a complete group: parameters checked and listed, options filled in from the defaults."""
    who = f"{type(optimizer).__name__}, group {len(optimizer.param_groups)}"
    if not isinstance(group, Mapping):
        raise TypeError(f"{who} must be a dict such as {{'params': [...], 'lr': 0.1}}, got {type(group).__name__}")
    if "params" not in group:
        raise ValueError(f"{who} has no 'params'; its keys are {', '.join(map(repr, group)) or 'none'}")
    options = {name: value for name, value in group.items() if name != "params"}
    checked = checked_options(optimizer, options, who)
    names, parameters = _named(who, group["params"])
    _check_members(optimizer, who, parameters)
    unique = list({id(p): i for i, p in reversed(list(enumerate(parameters)))}.values())[::-1]
    if len(unique) < len(parameters):
        twice = sorted(set(range(len(parameters))) - set(unique))
        warnings.warn(
            f"{who} lists {', '.join(label(parameters[i], i) for i in twice)} twice; it is used once",
            stacklevel=4,
        )
    entries = {"params": [parameters[i] for i in unique], **optimizer.defaults, **optimizer.kept, **checked}
    if names:
        entries["param_names"] = [names[i] for i in unique]
    optimizer.check_group(entries)
    return entries


def checked_options(optimizer: Any, given: Mapping[str, Any], who: str) -> dict[str, Any]:
    """Options of one group; unknown names are refused with what was probably meant."""
    known = [name for name in optimizer.options if name != "skip_nonfinite"]
    beside = (*SCHEDULE_KEYS, *optimizer.kept)
    for name in given:
        if name not in known and name not in beside:
            raise ValueError(f"{who} has an unknown key {name!r}: {near(name, [*known, 'params'])}")
    own = optimizer.checked_options({n: v for n, v in given.items() if n in known}, who)
    return {**own, **{name: value for name, value in given.items() if name in beside}}


def _named(who: str, params: Any) -> tuple[list[str], list[Any]]:
    """Names, if (name, parameter) pairs were given, and parameters."""
    if is_parameter(params):
        params = [params]
    (group,) = as_groups(params, who)
    entries = group["params"]
    pairs = [isinstance(e, tuple) and len(e) == 2 and isinstance(e[0], str) for e in entries]
    if all(pairs):
        return [name for name, _ in entries], [p for _, p in entries]
    if any(pairs):
        raise ValueError(f"{who} mixes (name, parameter) pairs and bare parameters: name all of them or none")
    return [], entries


def _check_members(optimizer: Any, who: str, parameters: list[Any]) -> None:
    """Every parameter a float leaf, in no other group."""
    elsewhere = {id(p): i for i, group in enumerate(optimizer.param_groups) for p in group["params"]}
    for i, p in enumerate(parameters):
        if not is_parameter(p):
            cure = "give model.parameters()" if hasattr(p, "parameters") else "it needs .data and .grad"
            raise TypeError(f"{who}: entry {i} is no parameter but {type(p).__name__}; {cure}")
        if getattr(p, "op", None) is not None:
            raise ValueError(
                f"{who}: {label(p, i)} is not a leaf: it is computed by {getattr(p.op, 'name', p.op)}, and moving it "
                "would change nothing. Give the leaf it is computed from, or make it one: Parameter(x.data)"
            )
        if isinstance(p.data, np.ndarray) and p.data.dtype.kind != "f":
            raise TypeError(f"{who}: {label(p, i)} holds {p.data.dtype}; only floating-point numbers take small steps")
        if id(p) in elsewhere:
            raise ValueError(f"{who}: {label(p, i)} is in group {elsewhere[id(p)]} already; give it to one group only")


def checked_state_dict(optimizer: Any, found: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return groups and states of a state dictionary, ready to be used and sharing nothing with it."""
    who = f"this {type(optimizer).__name__}"
    lacking = [key for key in ("state", "param_groups") if not isinstance(found, Mapping) or key not in found]
    if lacking:
        raise ValueError(f"not a state_dict of an optimizer: it has no {' and no '.join(map(repr, lacking))}")
    name = found.get("optimizer", type(optimizer).__name__)
    if name != type(optimizer).__name__:
        raise ValueError(f"the state_dict is of {name}, {who} cannot continue it")
    saved, mine = found["param_groups"], optimizer.param_groups
    if not isinstance(saved, (list, tuple)) or not isinstance(found["state"], Mapping):
        raise ValueError("not a state_dict of an optimizer: 'param_groups' must be a list and 'state' a dict")
    if len(saved) != len(mine):
        raise ValueError(f"the state_dict has {len(saved)} parameter groups, {who} has {len(mine)}")
    groups, states = [], []
    for i, (given, group) in enumerate(zip(saved, mine, strict=True)):
        if not isinstance(given, Mapping) or not isinstance(given.get("params"), (list, tuple)):
            raise ValueError(f"group {i} of the state_dict has no list 'params'")
        if len(given["params"]) != len(group["params"]):
            raise ValueError(
                f"group {i} of the state_dict has {len(given['params'])} parameters, {who} has {len(group['params'])}"
            )
        options = _loaded_options(optimizer, {k: v for k, v in given.items() if k != "params"}, i)
        groups.append({"params": group["params"], **options})
        optimizer.check_group(groups[-1])
        for place, p in zip(given["params"], group["params"], strict=True):
            state = found["state"].get(place, found["state"].get(str(place), {"step": 0}))
            states.append(_checked_state(optimizer, state, p, label(p, place), groups[-1]))
    return groups, states


def _loaded_options(optimizer: Any, given: dict[str, Any], i: int) -> dict[str, Any]:
    who = f"group {i} of the state_dict"
    lacking = [name for name in (*optimizer.defaults, *optimizer.kept) if name not in given]
    if lacking:
        raise ValueError(f"{who} lacks {', '.join(map(repr, lacking))}")
    try:
        return checked_options(optimizer, given, who)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _checked_state(optimizer: Any, given: Any, p: Any, who: str, group: dict[str, Any]) -> dict[str, Any]:
    """One parameter's state as numbers and as arrays of the right shape and type, copied."""
    if not isinstance(given, Mapping) or not isinstance(given.get("step"), (int, float, np.number)):
        raise ValueError(f"the state of {who} has no number 'step'")
    state: dict[str, Any] = {"step": int(given["step"])}
    if state["step"] == 0:
        return state
    unknown = [name for name in given if name not in (*optimizer.state_names, "step")]
    if unknown:
        raise ValueError(
            f"the state of {who} has an unknown part {unknown[0]!r}: {near(unknown[0], optimizer.state_names)}"
        )
    data = np.asarray(p.data)
    expected = optimizer.first_state(data, group)
    for name, first in zip(optimizer.state_names, expected, strict=True):
        if name not in given:
            if first is not None:
                raise ValueError(f"the state of {who} lacks {name!r}")
        elif isinstance(first, (int, float)) and not isinstance(first, np.generic):
            state[name] = type(first)(given[name])
        else:
            state[name] = _array(given[name], data if first is None else np.asarray(first), f"{name!r} of {who}")
    return state


def _array(value: Any, like: Any, what: str) -> Any:
    try:
        array = np.array(value, dtype=like.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} is no array of numbers: {value!r:.60}") from error
    if array.size == 0 == like.size:
        array = array.reshape(like.shape)
    if array.shape != like.shape:
        raise ValueError(f"{what} has shape {array.shape} in the state_dict, {like.shape} here")
    return array
