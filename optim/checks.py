"""Validation of what an optimizer is given: parameters, groups and state dictionaries."""

import math
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

import numpy as np

from optim.typing import Data, Group, Parameter, StateDict

from .flat_params import label, raw_gradient
from .options import suggestion

BESIDE = ("param_names", "initial_lr")
"""Keys of a group for named parameters and schedules, besides the options."""

DIVERGED = 1e15
"""Parameters of this size end in overflow."""


def check_step(optimizer: Any, flats: Sequence[Any], is_first: bool) -> None:
    """Warn of a first step without gradients, and of diverging parameters."""
    if flats:
        # The last parameter of the output layer, which diverges with all others.
        data = flats[-1].members[-1].data if flats[-1].current is None else flats[-1].current.flat
        check_divergence(optimizer, data, is_first)
    elif is_first:
        reason = f"{type(optimizer).__name__}.step() found no gradient, so no parameter changes"
        cure = "call loss.backward() before step(), and make the optimizer from parameters that the loss depends on"
        warn(f"{reason}: {cure}")


def warn(message: str) -> None:
    """Issue a `RuntimeWarning` at the user's line, which is several calls away if the step is compiled."""
    frame: FrameType | None = sys._getframe(1)
    level = 2  # of this frame
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in ("optim", "autograd", "nn"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, RuntimeWarning, stacklevel=level)


def check_divergence(optimizer: Any, data: Data, is_first: bool) -> None:
    """Note in `diverged` whether the last value of a parameter is very large, and warn when it becomes so."""
    value = (data.item(-1) if data.size else 0.0) if isinstance(data, np.ndarray) else data
    known, optimizer.diverged = optimizer.diverged, not abs(value) < DIVERGED
    if known or not optimizer.diverged or np.geterr()["over"] == "ignore":  # then the caller warns, as `fit` does
        return
    cure = f"lower the learning rate of {optimizer.param_groups[-1].get('lr', math.nan):g}, or clip gradients"
    if is_first and value != value:
        cure = "check that inputs and targets are finite, as by np.isfinite(X).all()"
    reason = f"a parameter is {value:.3g} after step {optimizer.step_count} of {type(optimizer).__name__}"
    warn(f"{reason}: {cure}")


CLOSURES = {
    "": "clears the gradients, calls backward(), returns the loss",
    "hessian": "clears the gradients, calls backward(), returns loss, autograd.hessian_product(loss, parameters)",
    "jacobian": "returns residuals, lambda u: autograd.gradients(residuals, parameters, u)",
}
"""What a closure does, by `Optimizer.needs_product`."""


def require_closure(optimizer: Any, closure: Any) -> Any:
    """Return the closure; raise TypeError if there is none."""
    if not callable(closure):
        raise TypeError(
            f"{type(optimizer).__name__}.step needs a closure that {CLOSURES[optimizer.needs_product]}, got {closure!r}"
        )
    return closure


def closure_pair(optimizer: Any, found: Any) -> tuple[Any, Any]:
    """Return the loss or the residuals, and the function of products, that a closure returned."""
    if not isinstance(found, tuple) or len(found) != 2 or not callable(found[1]):
        raise TypeError(
            f"the closure given to {type(optimizer).__name__}.step returned {type(found).__name__}; write one that "
            f"{CLOSURES[optimizer.needs_product]}"
        )
    return found


def loss_of(optimizer: Any, loss: Any) -> float:
    """Return the loss that a closure returned as a float."""
    if loss is None:
        raise ValueError(f"the closure given to {type(optimizer).__name__}.step returned None; it must return the loss")
    return float(loss.item() if hasattr(loss, "item") else loss)


def is_parameter(thing: object) -> bool:
    """Return whether an object has the two attributes that optimizers use."""
    is_computed = getattr(thing, "op", None) is not None  # reading its gradient would warn
    return hasattr(thing, "data") and (is_computed or hasattr(thing, "grad"))


def as_groups(params: object, owner: str) -> list[Group]:
    """Return the constructor's `params` as a list of groups."""
    if is_parameter(params):
        raise TypeError(f"{owner} needs a list of parameters; put the one parameter in a list: {owner}([parameter])")
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{owner} needs parameters in a fixed order, got a set: pass a list, or sorted(...)")
    if isinstance(params, (str, bytes, Mapping)) or not isinstance(params, Iterable):
        cure = "; call it: model.parameters()" if callable(params) else ""
        raise TypeError(
            f"{owner} needs a list of parameters or of dicts such as {{'params': [...], 'lr': 0.1}}, "
            f"got {type(params).__name__}{cure}"
        )
    entries = list(params)
    if not entries:
        raise ValueError(f"{owner} got an empty list of parameters; pass list(...) if a generator was exhausted before")
    return entries if all(isinstance(entry, Mapping) for entry in entries) else [{"params": entries}]


def checked_entries(optimizer: Any, group: Mapping[str, Any]) -> Group:
    """Return a complete group: a list of checked parameters, and options with defaults filled in."""
    place = len(optimizer.param_groups)
    owner = f"{type(optimizer).__name__}, group {place}"
    if not isinstance(group, Mapping):
        raise TypeError(f"{owner} must be a dict such as {{'params': [...], 'lr': 0.1}}, got {type(group).__name__}")
    if "params" not in group:
        raise ValueError(f"{owner} has no 'params'; its keys are {', '.join(map(repr, group)) or 'none'}")
    options = checked_options(optimizer, {name: value for name, value in group.items() if name != "params"}, owner)
    given = group["params"]
    members = as_groups([given] if is_parameter(given) else given, owner)[0]["params"]
    if all(isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str) for entry in members):
        options["param_names"], members = [name for name, _ in members], [p for _, p in members]
    owners = {id(p): i for i, other in enumerate(optimizer.param_groups) for p in other["params"]}
    for i, p in enumerate(members):
        if not is_parameter(p):
            cure = "pass model.parameters()" if hasattr(p, "parameters") else "it needs .data and .grad"
            raise TypeError(f"{owner}: entry {i} must be a parameter, got {type(p).__name__}; {cure}")
        if (op := getattr(p, "op", None)) is not None:
            raise ValueError(
                f"{owner}: {label(p, i)} is not a leaf but the result of {getattr(op, 'name', op)}, so an update "
                "would have no effect. Pass the leaf it is computed from, or make it one: Parameter(x.data)"
            )
        if isinstance(p.data, np.ndarray) and p.data.dtype.kind != "f":
            raise TypeError(f"{owner}: {label(p, i)} has dtype {p.data.dtype}; parameters must be floating-point")
        if id(p) in owners:
            raise ValueError(f"{owner}: {label(p, i)} is in group {owners[id(p)]} already; list it once")
        owners[id(p)] = place
    entries = {"params": members, **optimizer.defaults, **optimizer.shared, **options}
    optimizer.check_group(entries)
    return entries


def checked_options(optimizer: Any, given: Mapping[str, Any], owner: str) -> Group:
    """Return the checked options of one group; raise ValueError for an unknown name."""
    beside = {name: value for name, value in given.items() if name in (*BESIDE, *optimizer.shared)}
    known = [name for name in optimizer.options if name != "skip_nonfinite"]
    if unknown := [name for name in given if name not in known and name not in beside]:
        raise ValueError(f"{owner} has an unknown key {unknown[0]!r}: {suggestion(unknown[0], [*known, 'params'])}")
    own = {name: value for name, value in given.items() if name in known}
    return {**optimizer.checked_options(own, owner), **beside}


def loaded_options(optimizer: Any, given: Mapping[str, Any], owner: str) -> Group:
    """Return the checked options in a state dictionary, whose wrong types are ValueErrors: they are not arguments."""
    try:
        return checked_options(optimizer, given, owner)
    except TypeError as error:
        raise ValueError(str(error)) from error


def require_keys(state: Any, owner: str, *keys: str) -> None:
    """Raise ValueError unless the state dictionary of an optimizer or schedule belongs to `owner` and has all keys."""
    found = state if isinstance(state, Mapping) else {}
    if (name := found.get("optimizer", found.get("scheduler", owner))) != owner:
        raise ValueError(f"cannot load the state_dict of {name} into {owner}")
    if lacking := [key for key in keys if key not in found]:
        raise ValueError(f"not a state_dict of {owner}: it has no {' and no '.join(map(repr, lacking))}")


def checked_state_dict(optimizer: Any, found: Mapping[str, Any]) -> tuple[list[Group], list[StateDict]]:
    """Return copies of the groups and of the states in a state dictionary."""
    kind = type(optimizer).__name__
    require_keys(found, kind, "state", "param_groups")
    saved, mine = found["param_groups"], optimizer.param_groups
    if not isinstance(saved, (list, tuple)) or not isinstance(found["state"], Mapping):
        raise ValueError("not a state_dict of an optimizer: 'param_groups' must be a list and 'state' a dict")
    if len(saved) != len(mine):
        raise ValueError(f"the state_dict has {len(saved)} parameter groups, this {kind} has {len(mine)}")
    groups, states = [], []
    for i, (given, group) in enumerate(zip(saved, mine, strict=True)):
        where = f"group {i} of the state_dict"
        if not isinstance(given, Mapping) or not isinstance(given.get("params"), (list, tuple)):
            raise ValueError(f"{where} has no list 'params'")
        here = group["params"]
        if len(given["params"]) != len(here):
            raise ValueError(f"{where} has {len(given['params'])} parameters, this {kind} has {len(here)}")
        options = {name: value for name, value in given.items() if name != "params"}
        require_keys(options, f"{kind}, group {i}", *optimizer.defaults, *optimizer.shared)
        groups.append({"params": here, **loaded_options(optimizer, options, where)})
        optimizer.check_group(groups[-1])
        for place, p in zip(given["params"], here, strict=True):
            state = found["state"].get(place, found["state"].get(str(place), {"step": 0}))
            states.append(_checked_state(optimizer, state, p, label(p, place), groups[-1]))
    return groups, states


def _checked_state(optimizer: Any, given: Any, p: Any, owner: str, group: Group) -> dict[str, Any]:
    """Return a copy of one parameter's state, with arrays of the expected shapes and dtypes."""
    if not isinstance(given, Mapping) or not isinstance(given.get("step"), (int, float, np.number)):
        raise ValueError(f"the state of {owner} has no number 'step'")
    state: dict[str, Any] = {"step": int(given["step"])}
    if state["step"] == 0:
        return state
    names = optimizer.state_names
    if unknown := [name for name in given if name not in (*names, "step")]:
        raise ValueError(f"the state of {owner} has an unknown part {unknown[0]!r}: {suggestion(unknown[0], names)}")
    data = np.asarray(p.data)
    for name, initial in zip(names, optimizer.initial_state(data, group), strict=True):
        if name not in given:
            if initial is not None:
                raise ValueError(f"the state of {owner} lacks {name!r}")
        elif isinstance(initial, (int, float)) and not isinstance(initial, np.generic):
            state[name] = type(initial)(given[name])
        else:
            like = data if initial is None else np.asarray(initial)
            state[name] = checked_array(given[name], like, f"{name!r} of {owner}")
    return state


def checked_array(value: Any, like: Any, name: str) -> Any:
    """Return a copy of a saved array, with the dtype and the shape of `like`."""
    try:
        array = np.array(value, dtype=like.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of floats, got {value!r:.60}") from error
    if array.size == 0 == like.size:
        array = array.reshape(like.shape)
    if array.shape != like.shape:
        raise ValueError(f"{name} has shape {array.shape} in the state_dict, {like.shape} here")
    return array


def nonfinite(parameters: Iterable[Parameter], values: Mapping[int, Data] | None = None) -> list[str]:
    """Return the labels of the parameters whose gradients, or values by ``id(p)``, contain nan or inf."""
    found = [(i, p, p.grad if values is None else values[id(p)]) for i, p in enumerate(parameters)]
    return [label(p, i) for i, p, g in found if g is not None and not np.isfinite(raw_gradient(g)).all()]
