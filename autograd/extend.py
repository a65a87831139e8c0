r"""Define operations of your own, with the same four decorators that define the built-in ones.

`drawn_by` registers a class with `draw`.  `callback`, `guard` and `observe` are for Python code that a compiled
function must repeat in each replay.  A `Watch` is notified of every operation inside ``with watching(watch)``, for
example to translate a computation into another format.

An operation is a forward function of floats and arrays and, on the line above, its derivatives:

============================ =================================================== ====================================
decorator                    the operation                                       a rule per argument
============================ =================================================== ====================================
``@elementwise(*partials)``  works on each element by itself                     the partial ``(y, *inputs)``, or a
                                                                                 number where it is constant
``@linear(*adjoints)``       is linear in each argument                          the adjoint ``(g, y, *inputs)``
``@primitive(*pullbacks)``   anything else                                       the pullback ``(g, y, *inputs)``
``@nondifferentiable()``     has no derivative (a rank, a comparison)            none
============================ =================================================== ====================================

`y` is the result and `g` the cotangent, the gradient of the loss with respect to `y`.  Write rules with functions of
`autograd`, not of NumPy: the same line is then evaluated on floats and arrays, and on nodes for second derivatives.  A
rule of None means that no gradient passes to that argument.  Arguments with a default are parameters: they are passed
to the rules by keyword and are not differentiated.  The engine undoes broadcasting.  Rules must not modify their
arguments or `g` in place.  The forward function gets floats and arrays; ``xp(x)`` is NumPy for an array and a namespace
of the same functions, by NumPy's names, for a float, so that one expression is valid for both.

Everything else that the library can use of an operation is an option of its decorator:

* ``scalar``: the value for floats as an expression of the argument names, operators, `abs`, `maximum`, `minimum`,
  ``where(condition, x, y)`` and functions of `math`.  Compiled programs of floats and the interactive page use it, so
  it must be valid in Python and in JavaScript.
* ``into``: the function that writes the result into an existing array; `writes_into` declares it separately.
* ``onnx``: the name of the ONNX operator.
* ``composition``: the same function composed of other operations, for ONNX; by default the forward function.
* ``sample``: the interval from which tests draw the arguments, or one interval for each argument.

Examples
--------
The Gaussian bump :math:`y = e^{-x^2/2}` has the derivative :math:`-x\,y`:

>>> import numpy as np
>>> import autograd as ag
>>> from autograd.extend import elementwise, primitive, xp
>>> @elementwise(lambda y, x: -x * y, symbol="bump")
... def bump(x):
...     return xp(x).exp(-0.5 * x * x)

It accepts floats, arrays, `Value`s and `Tensor`s, broadcasts like the built-in operations, and is in the table:

>>> bump(0.0), bump(np.zeros(2))
(1.0, array([1., 1.]))
>>> x = ag.Tensor([0.5, 1.0], requires_grad=True, name="x")
>>> (bump(x) * ag.Tensor([[1.0], [2.0]])).sum().backward()
>>> x.grad.round(4)
array([-1.3237, -1.8196])
>>> PRIMITIVES["bump"]
<primitive bump>

The same line gives derivatives of any order, in both modes:

>>> ag.grad(ag.grad(bump))(0.0)
-1.0
>>> ag.jvp(bump, (1.0,), (1.0,))[1] == ag.grad(bump)(1.0)
True
>>> ag.hessian(lambda x: bump(x).sum())(np.zeros(2))
array([[-1.,  0.],
       [ 0., -1.]])

Check the rule against finite differences:

>>> bool(ag.gradcheck(bump, np.linspace(-2.0, 2.0, 5))), bool(ag.gradgradcheck(bump, np.linspace(-2.0, 2.0, 5)))
(True, True)
>>> @elementwise(lambda y, x: x * y)
... def wrong_bump(x):
...     return xp(x).exp(-0.5 * x * x)
>>> ag.gradcheck(wrong_bump, 1.0)
Traceback (most recent call last):
autograd.checking.GradcheckError: gradcheck: 1 of 1 derivatives disagree; ... likely cause: a sign

It can be drawn:

>>> print(ag.draw(bump(x)).source)
digraph computation {
...label=bump...

An operation with a parameter, and one that is not elementwise:

>>> @elementwise(lambda y, x, slope: slope * (1 - y * y))
... def steep_tanh(x, slope=1.0):
...     return xp(x).tanh(slope * x)
>>> ag.grad(steep_tanh)(0.0, slope=3.0)
3.0
>>> @primitive(lambda g, y, x: g * x / y)
... def length(x):
...     return float(np.sqrt(np.sum(x * x)))
>>> ag.grad(length)(np.array([3.0, 4.0]))
array([0.6, 0.8])
"""

from collections.abc import Callable, Sequence

from .graph import Node, apply
from .operands import regular_array
from .recording import NotReplayable, Watch, add_guards, callback, guard, observe, raw_data, watching
from .rules import PRIMITIVES, elementwise, linear, nondifferentiable, primitive, shape_of, xp
from .typing import Decorator, Operation

__all__ = [
    "PRIMITIVES", "NotReplayable", "Watch", "add_guards", "apply", "callback", "drawn_by", "elementwise", "guard",
    "linear", "nondifferentiable", "observe", "primitive", "raw_data", "regular_array", "shape_of",
    "watching", "writes_into", "xp",
]  # fmt: skip

DRAWN_BY: dict[type, Callable[..., Sequence[Node]]] = {}


def drawn_by(kind: type) -> Callable[[Callable[..., Sequence[Node]]], Callable[..., Sequence[Node]]]:
    """Register a function that runs an instance of a class for `draw`.

    It is called as ``function(thing, inputs, recorder, scalars=..., loss=...)`` and returns the results.

    Parameters
    ----------
    kind : type
        The class; subclasses are included.

    Examples
    --------
    >>> from autograd import Value, draw
    >>> class Twice:
    ...     pass
    >>> @drawn_by(Twice)
    ... def run(thing, inputs, recorder, **options):
    ...     recorder.enter("", "Twice")
    ...     result = inputs[0] * 2
    ...     recorder.leave()
    ...     return [result]
    >>> draw(Twice(), Value(1.0))
    <drawing of 2 nodes>
    """

    def register(function: Callable[..., Sequence[Node]]) -> Callable[..., Sequence[Node]]:
        DRAWN_BY[kind] = function
        return function

    return register


def writes_into(operation: Operation) -> Decorator:
    """Declare how an operation writes its result into an existing array, which compiled programs do.

    The decorated function takes ``(*inputs, out, **params)`` and returns bit for bit the result of the operation.  No
    input shares memory with `out`, unless the operation is elementwise.

    Examples
    --------
    >>> from autograd.extend import elementwise
    >>> @elementwise(lambda y, x: 2 * x)
    ... def squared(x):
    ...     return x * x
    >>> @writes_into(squared)
    ... def squared_into(x, out):
    ...     return np.multiply(x, x, out=out)
    """

    def register(function: Operation) -> Operation:
        operation.primitive.forms["into"] = function  # type: ignore[attr-defined]
        return function

    return register
