"""Hooks: functions that a module calls before and after `forward`, and in the backward pass."""

from __future__ import annotations

import functools
from typing import Any

from autograd import Node
from autograd.extend import elementwise, guard, observe
from nn.typing import Hook, Operand


@elementwise(1, onnx="Identity")
def passed_through(x: Operand) -> Operand:
    """Return `x` as a new node, whose hooks receive only the gradient that passes through this place."""
    return x


class Handle:
    """Removes a hook.

    Examples
    --------
    >>> import nn
    >>> layer = nn.Identity()
    >>> handle = layer.register_forward_hook(lambda module, inputs, output: -output)
    >>> layer(1.0)
    -1.0
    >>> handle.remove()
    >>> layer(1.0)
    1.0
    """

    def __init__(self, hooks: list[Hook], hook: Hook) -> None:
        self._hooks = hooks
        self._hook = hook

    def remove(self) -> None:
        """Remove the hook; a second call does nothing."""
        self._hooks[:] = [hook for hook in self._hooks if hook is not self._hook]


class Hooks:
    """The hooks of one module."""

    def __init__(self) -> None:
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self.backward: list[Hook] = []

    def add(self, when: str, hook: Hook) -> Handle:
        """Add a hook to the list `when`: before, after or backward."""
        if not callable(hook):
            raise TypeError(f"a hook must be callable, not {hook!r:.60}")
        hooks: list[Hook] = getattr(self, when)
        entry: Hook = lambda *args: hook(*args)  # noqa: E731  (a fresh object: one hook may be added twice)
        hooks.append(entry)
        return Handle(hooks, entry)

    def around(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run `module.forward` with all hooks."""
        if guard(bool, self.before):
            args = observe(self.call, "before", module, args) or args
        backward = guard(tuple, self.backward)
        watch = _Watch(module, backward) if backward else None
        if watch is not None:
            args = watch.inputs(args)
        output = module.forward(*args, **kwargs)
        if guard(bool, self.after):
            changed = observe(self.call, "after", module, args, output)
            output = output if changed is None else changed
        return output if watch is None else watch.outputs(output)

    def call(self, when: str, module: Any, *values: Any) -> Any:
        """Return what the hooks put in place of the first value, or of the output after a forward pass; or None."""
        return _called(tuple(getattr(self, when)), module, list(values), int(when == "after"))


def _called(hooks: tuple[Hook, ...], module: Any, values: list[Any], place: int) -> Any:
    """Return the last value that hooks put in place of one of their arguments; values at place 0 are tuples."""
    result = None
    for hook in hooks:
        changed = hook(module, *values)
        if changed is not None:
            result = values[place] = changed if place or isinstance(changed, tuple) else (changed,)
    return result


class _Watch:
    """Collects the gradients of the output and the inputs of one call, for backward hooks."""

    def __init__(self, module: Any, hooks: tuple[Hook, ...]) -> None:
        self.module = module
        self.hooks = hooks
        self.grad_output: list[Any] = []
        self.grad_input: list[Any] = []
        self.awaited: int = 0

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.awaited = sum(isinstance(arg, Node) and arg.requires_grad for arg in args)
        return self.passed(args, self.grad_input, self.on_grad_input)

    def outputs(self, output: Any) -> Any:
        parts = self.passed(output if isinstance(output, tuple) else (output,), self.grad_output, self.on_grad_output)
        return parts if isinstance(output, tuple) else parts[0]

    def passed(self, values: tuple[Any, ...], gradients: list[Any], on_grad: Hook) -> tuple[Any, ...]:
        """Return values as new nodes, of whose gradients ``on_grad(i, g)`` is notified."""
        gradients[:] = [None] * len(values)
        parts = list(values)
        for i, part in enumerate(parts):
            if isinstance(part, Node) and part.requires_grad:
                parts[i] = passed_through(part)
                parts[i].register_hook(functools.partial(on_grad, i))
        return tuple(parts)

    def on_grad_output(self, i: int, g: Any) -> None:
        self.grad_output[i] = g
        if not self.awaited:  # no input needs a gradient
            self.call()

    def on_grad_input(self, i: int, g: Any) -> Any:
        self.grad_input[i] = g
        if sum(found is not None for found in self.grad_input) < self.awaited:
            return None
        changed = self.call()
        self.grad_input = [None] * len(self.grad_input)
        if changed is None:
            return None
        if self.awaited > 1:
            raise RuntimeError(
                f"a backward hook of {type(self.module).__name__} returned new gradients, but {self.awaited} inputs "
                "need one: call register_hook on each input instead"
            )
        return changed[i] if len(changed) > 1 else changed[0]

    def call(self) -> Any:
        return _called(self.hooks, self.module, [tuple(self.grad_input), tuple(self.grad_output)], 0)
