"""The public door for operations of your own: the same four decorators that make the built-in ones.

Examples
--------
>>> from autograd import Value
>>> from autograd.extend import elementwise
>>> @elementwise(lambda y, x: 3 * x * x)
... def cubed(x):
...     return x * x * x
>>> x = Value(2.0)
>>> cubed(x).backward()
>>> x.grad
12.0
"""

from .graph import apply
from .rules import PRIMITIVES, elementwise, linear, nondifferentiable, primitive, shape_of, xp

__all__ = ["PRIMITIVES", "apply", "elementwise", "linear", "nondifferentiable", "primitive", "shape_of", "xp"]
