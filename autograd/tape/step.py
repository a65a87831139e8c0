"""`compile`, and whole training steps: loss, gradients and the optimizer's update in one call."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from autograd.graph import Node
from autograd.recording import settled_mode
from autograd.transforms.functional import hessian_product
from autograd.transforms.nested import flatten, mapped
from autograd.typing import Array, Function, Tree

from .compiled import Compiled, Programs, detached
from .executor import has_numba
from .recording import RecordingError
from .signature import Arguments
from .step_call import StepCall, Transform

LONGEST_IN_NUMPY = 1 << 16  # parameters, from which NumPy is faster when the optimizer updates them block by block
LONGEST = 0.1  # seconds after which `CompiledStep.many` looks whether Ctrl-C was pressed


class CompiledStep(Programs):
    """A training step with its recorded programs; see `compile`.

    Parameters
    ----------
    function, optimizer, transform
        As for `compile`.

    Attributes
    ----------
    updated : set
        The parameters that have been updated.

    Raises
    ------
    TypeError
        If the optimizer needs residuals.
    """

    def __init__(self, function: Function, optimizer: Any, transform: Transform | None = None) -> None:
        if not hasattr(optimizer, "step") or not hasattr(optimizer, "param_groups"):
            raise TypeError(f"optimizer must be one of optim, such as Adam(model.parameters()), got {optimizer!r:.60}")
        if getattr(optimizer, "needs_product", "") == "jacobian":
            raise TypeError(
                f"{type(optimizer).__name__} needs residuals in place of a loss: write compile(residuals), and pass "
                "optimizer.step() a closure that calls it"
            )
        super().__init__(function)
        self.optimizer = optimizer
        self._transform = transform
        self._gradients = Compiled(function)
        self.updated: set[Node] = set()
        self._layout: int = -1
        self._is_recordable = False
        self._at_once = 16  # steps in one call of the machine

    def __call__(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Take one step, and return the result of the function, before the step and without a gradient."""
        mode = settled_mode()
        if not mode:
            raise RuntimeError("a training step needs gradients: call it outside of no_grad()")
        if mode is not True or not self._has_rule():
            return self._eagerly(args, kwargs)
        return self._replayed(args, kwargs, True)

    def _has_rule(self) -> bool:
        """Return whether the optimizer's rule can be recorded; drop programs of other vectors of parameters."""
        layout: int = getattr(self.optimizer, "layout", 0)
        if layout != self._layout:
            self._programs.clear()
            self._layout = layout
            self._is_recordable = getattr(self.optimizer, "is_recordable", False) and (
                has_numba() or sum([p.data.size for p in self.optimizer.parameters]) <= LONGEST_IN_NUMPY
            )
        return self._is_recordable

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Let the optimizer step, with compiled gradients unless it needs their graph, and restore `.grad`."""
        parameters: list[Any] = [p for group in self.optimizer.param_groups for p in group["params"]]
        held, results = [p.grad for p in parameters], list[Tree]()

        def closure() -> Any:
            self.optimizer.zero_grad()
            needs_product = getattr(self.optimizer, "needs_product", "")
            result = (self._gradients.computed if needs_product else self._gradients)(*args, **kwargs)
            results.append(mapped(detached, result, dataclasses=True))
            if self._transform is not None:
                given = {p: p.grad for p in parameters if p.grad is not None}
                for p, g in dict[Any, Any](self._transform(given)).items():
                    p.grad = g
            self.updated.update([p for p in parameters if p.grad is not None])
            loss = _loss_of(result)
            return (loss, hessian_product(loss, self.optimizer.parameters)) if needs_product else loss

        try:
            if getattr(self.optimizer, "needs_closure", False):
                self.optimizer.step(closure)
            else:
                closure()
                self.optimizer.step()
        finally:
            for p, g in zip(parameters, held, strict=True):
                p.grad = g
        return results[0]

    def _recorded(self, arguments: Arguments) -> StepCall:
        program = StepCall(self.function, arguments, self.optimizer, self._transform)
        self.updated.update(program.members)
        if self.optimizer.layout != self._layout:  # vectors are split if only some of their parameters have a gradient
            self._programs.clear()
            self._layout = self.optimizer.layout
        return program

    def many(self, *data_and_rows: Array, scheduler: Any = None) -> Array:
        """Take a step for each row of a matrix of row indices, and return the losses.

        Parameters
        ----------
        *data_and_rows : ndarray
            The data sets, such as ``x, y``, and a matrix of integers: step k is called with ``x[rows[k]], y[rows[k]]``.
        scheduler : scheduler, optional
            Called after each step, as ``scheduler.step()``.

        Returns
        -------
        ndarray
            The loss of each step.

        Notes
        -----
        Ctrl-C takes effect between two steps.

        Examples
        --------
        >>> import optim
        >>> from autograd import Tensor
        >>> w = Tensor([0.0], requires_grad=True)
        >>> step = compile(lambda x, y: ((w * x - y) ** 2).mean(), optimizer=optim.SGD([w], lr=0.25))
        >>> x, rows = np.array([1.0, 2.0]), np.array([[0, 1], [1, 0], [0, 1]])
        >>> step.many(x, 3 * x, rows)
        array([22.5   ,  1.40625...,  0.0878...])
        """
        *data, rows = data_and_rows
        arrays = [x._value if isinstance(x, Node) else np.asarray(x) for x in data]
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.dtype.kind not in "iu":
            raise TypeError(f"rows must be a matrix of integers, (steps, batch), got shape {rows.shape} {rows.dtype}")
        losses = np.empty(len(rows))
        with deferred_interrupt() as interrupted:
            done, is_stopped = 0, False
            while done < len(rows):
                begin, count = time.perf_counter(), self._at_once
                try:
                    found, is_stopped = self._some(arrays, rows[done : done + count], scheduler, is_stopped)
                except RecordingError as error:
                    error.losses = losses[:done]
                    raise
                losses[done : done + len(found)] = found
                done += len(found)
                fitting = int(len(found) * LONGEST / (time.perf_counter() - begin))
                self._at_once = min(max(fitting, 1), 2 * count)
                if interrupted():
                    raise KeyboardInterrupt
        return losses

    def _some(self, arrays: Sequence[Array], rows: Array, scheduler: Any, is_stopped: bool) -> tuple[Array, bool]:
        """Take at least one step; return the losses, and whether the next step raised an error in a replay.

        That step is taken eagerly, which raises the error again: another replay would repeat its side effects.
        """
        if not is_stopped and settled_mode() is True and not self._lock._is_owned() and self._has_rule():
            key = True, *[((rows.shape[1], *x.shape[1:]), x.dtype) for x in arrays]  # as `signature_of` makes it
            with self._lock:
                for program in self._programs.get(key, ()):
                    losses, is_stopped = program.many(arrays, rows, scheduler)
                    if len(losses):
                        return losses, is_stopped
                    if is_stopped:
                        break
        args = tuple([x[rows[0]] for x in arrays])
        if is_stopped:
            with self._lock:
                result = self._eagerly(args, {})
        else:
            result = self(*args)
        if scheduler is not None:
            scheduler.step()
        return np.array([float(_loss_of(result))]), False

    def source(self) -> str:
        """Return the source code of the program recorded last, of the gradients if the optimizer updates by itself."""
        return super().source() if self._programs else self._gradients.source()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.function, self.optimizer, self._transform)


def _loss_of(result: Tree) -> Any:
    """Return the first leaf of a result."""
    return flatten(result, dataclasses=True)[0][0]


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C was pressed, which raises no exception inside the block."""
    pressed: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@overload
def compile(function: Function) -> Compiled: ...
@overload
def compile(function: Function, *, optimizer: Any, transform: Transform | None = None) -> CompiledStep: ...
def compile(
    function: Function, *, optimizer: Any = None, transform: Transform | None = None
) -> Compiled | CompiledStep:
    r"""Return a function that records the operations of `function` once and replays them at the speed of plain NumPy.

    Parameters
    ----------
    function : callable
        Takes arrays, floats, nodes, nests of them, and anything hashable.  Returns a loss, a tuple that begins with a
        loss, or any other nest of nodes.
    optimizer : Optimizer, optional
        Compile a whole training step: loss, gradients, and the update of the optimizer's parameters.
    transform : callable, optional
        Changes the gradients of a step: takes and returns a dict from parameters to gradients, such as
        ``nn.utils.clipped_by_norm(1.0)``.

    Returns
    -------
    Compiled or CompiledStep
        Called like `function`.  If the first result depends on variables (the parameters of a model), it must be a
        scalar loss, and its gradients are accumulated in their `.grad`, as ``loss.backward()`` would do.  Otherwise,
        and inside `no_grad`, results are computed without gradients.

    Raises
    ------
    RecordingError
        While recording, if Python code reads data (``if loss < 1``, ``float(loss)``, ``loss.data``), draws from
        `random` or `np.random`, or uses a node that was computed outside.

    Notes
    -----
    A program is recorded for each combination of shapes and dtypes, of arguments that are not floats or arrays, and of
    guarded state such as a module's training mode.  Variables are read in each call, so an optimizer can update them in
    between.  Layers draw new random values and update running statistics in each call.  Other Python state that the
    function reads while it is recorded, such as an attribute, a `.grad`, a plain array or a random generator, keeps the
    value it had then: use `autograd.extend.callback` and `autograd.extend.guard` for it.

    The gradient needs no derivatives of its own: the backward pass is recorded as operations on nodes.

    Optimizers whose rule is not elementwise, and without numba those of more than 65,536 parameters, update outside of
    the program.  Those that take a closure (`optim.LBFGS`, `optim.SAM`, `optim.NewtonCG`, `optim.AdaHessian`) get one
    that replays programs of the gradients and of products with the Hessian; for products of a function with callbacks,
    such as the draws of dropout, all is computed eagerly.

    If numba is installed (``pip install chainrule[fast]``), programs that have run for half a second continue as
    machine code: an interpreter that calls NumPy's own loops, so that results have the same bits; it does not warn of
    overflow.  It is compiled once per installation, in another process while this one continues with NumPy, or ahead
    by ``python -m autograd doctor --compile``.  The machine code is cached beside the package, or in the folder
    ``NUMBA_CACHE_DIR``.  The environment variable ``CHAINRULE_NUMBA=0`` disables numba; ``1`` uses it at once.  Large
    graphs of `Value`s are run many operations at a time, with numba or without.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> step = compile(lambda x: ((x * w) ** 2).sum())
    >>> step(np.array([1.0, 1.0])), w.grad
    (Tensor(5.), array([2., 4.]))
    >>> w.zero_grad()
    >>> step(np.array([2.0, 0.0])), w.grad
    (Tensor(4.), array([8., 0.]))
    """
    return Compiled(function) if optimizer is None else CompiledStep(function, optimizer, transform)
