"""10. Your own operation: two lines, and everything else follows."""

# %% [markdown]
# # An operation of your own
#
# An operation defines its value and its partial derivatives.  This is the Gaussian bump, which the library does not
# contain: the line of the decorator is its derivative, given the output `y` and the input `x`.  Derive it first.

# %%
import math

import numpy as np

from autograd import Tensor, Value, exp, explain, gradcheck, gradients
from autograd.extend import elementwise, linear


@elementwise(lambda y, x: -2 * x * y)
def bump(x):
    """Gaussian bump ``exp(-x**2)``."""
    return exp(-x * x)


# %% [markdown]
# ## One line for floats, arrays and nodes
#
# The same line serves a float, an array, a `Value` and a `Tensor`.

# %%
print("float: ", bump(0.5))
print("array: ", bump(np.array([0.0, 0.5, 1.0])))
x = Value(0.5)
bump(x).backward()
print("Value: ", x.grad, "  by hand", -2 * 0.5 * math.exp(-0.25))
assert math.isclose(x.grad, -math.exp(-0.25))

X = Tensor([0.0, 0.5, 1.0], requires_grad=True)
bump(X).sum().backward()
print("Tensor:", X.grad)
assert np.allclose(X.grad, -2 * X.data * np.exp(-(X.data**2)))

# %% [markdown]
# ## Every order
#
# The derivative is written in differentiable operations, so the second derivative needs no further code.

# %%
x = Value(0.5)
slope = gradients(bump(x), x, create_graph=True)
print("second derivative:", gradients(slope, x), "  by hand", (4 * 0.25 - 2) * math.exp(-0.25))
assert math.isclose(gradients(slope, x), (4 * 0.25 - 2) * math.exp(-0.25))

# %% [markdown]
# ## A linear operation gives its adjoint
#
# An output that depends on many inputs does not have a single partial derivative.  A linear operation defines its
# adjoint instead: the product of its transposed matrix with a gradient.  The difference of neighbours is such an
# operation; its adjoint is a difference as well, the other way round.


# %%
@linear(lambda g, y, x: np.concatenate([g[:1] * -1, g[:-1] - g[1:], g[-1:]]))
def differences(x):
    """Differences of neighbours, ``x[1:] - x[:-1]``."""
    return x[1:] - x[:-1]


X = Tensor([1.0, 4.0, 9.0, 16.0], requires_grad=True)
(differences(X) ** 2).sum().backward()
print("gradient of the sum of squared differences:", X.grad)

# %% [markdown]
# ## Check it, and read it
#
# Compare every derivative with finite differences: `gradcheck` raises an error with the worst entry if one is wrong.
# Since the rule is an ordinary expression, the library can also print it as a formula.

# %%
assert gradcheck(bump, np.array([0.3, -1.2]))
assert gradcheck(differences, np.array([1.0, 4.0, 9.0]))
print("both derivatives agree with finite differences")
print()
print(explain(bump(Value(0.5, name="x"))))
