"""10. Your own operation: two lines, and everything else follows."""

# %% [markdown]
# # An operation of your own
#
# An operation defines its value and its partial derivatives.  This is the Gaussian bump, which the library does not
# contain: the line of the decorator is its derivative, given the output `y` and the input `x`.  Predict it first.

# %%
import math

import numpy as np
from charts import graph, lines, matrix

from autograd import GradcheckError, Tensor, Value, draw, exp, explain, gradcheck, gradients
from autograd.extend import elementwise, linear


@elementwise(lambda y, x: -2 * x * y)
def bump(x):
    """Gaussian bump ``exp(-x**2)``."""
    return exp(-x * x)


at = np.linspace(-3, 3, 121)
lines("10_bump", {"bump": (at, bump(at)), "its rule": (at, -2 * at * bump(at))}, "x", "")

# %% [markdown]
# ## One line for floats, arrays and nodes
#
# The same line serves a float, an array, a `Value` and a `Tensor`.  Predict the gradients at 0, 0.5 and 1.

# %%
print("float: ", bump(0.5))
print("array: ", bump(np.array([0.0, 0.5, 1.0])))
x = Value(0.5)
bump(x).backward()
print("Value: ", x.grad, "  by hand", -2 * 0.5 * math.exp(-0.25))
graph("10_node", draw(bump(x), partials=True))
assert math.isclose(x.grad, -math.exp(-0.25))

X = Tensor([0.0, 0.5, 1.0], requires_grad=True)
bump(X).sum().backward()
print("Tensor:", X.grad)
assert np.allclose(X.grad, -2 * X.data * np.exp(-(X.data**2)))

# %% [markdown]
# ## Every order
#
# The derivative is written in differentiable operations, so the second derivative needs no further code.  Predict its
# sign at 0.5; the slope of the bump is steepest at 0.71.

# %%
x = Value(0.5)
slope = gradients(bump(x), x, create_graph=True)
print("second derivative:", gradients(slope, x), "  by hand", (4 * 0.25 - 2) * math.exp(-0.25))
assert math.isclose(gradients(slope, x), (4 * 0.25 - 2) * math.exp(-0.25))
X = Tensor(at, requires_grad=True)
slopes = gradients(bump(X).sum(), X, create_graph=True)
lines("10_orders", {"slope": (at, slopes.data), "slope of the slope": (at, gradients(slopes.sum(), X))}, "x", "")

# %% [markdown]
# ## A linear operation gives its adjoint
#
# An output that depends on many inputs does not have a single partial derivative.  A linear operation defines its
# adjoint instead: the product of its transposed matrix with a gradient.  The difference of neighbours is such an
# operation; its adjoint is a difference as well, the other way round.  Predict the transposed matrix.


# %%
@linear(lambda g, y, x: np.concatenate([g[:1] * -1, g[:-1] - g[1:], g[-1:]]))
def differences(x):
    """Differences of neighbours, ``x[1:] - x[:-1]``."""
    return x[1:] - x[:-1]


X = Tensor([1.0, 4.0, 9.0, 16.0], requires_grad=True)
(differences(X) ** 2).sum().backward()
print("gradient of the sum of squared differences:", X.grad)
D = np.array([differences(row) for row in np.eye(4)]).T
matrix("10_differences", D, title="Differences of 4 neighbours")
matrix("10_adjoint", D.T, title="The adjoint: the transposed matrix")
assert np.allclose(X.grad, D.T @ (2 * D @ X.data))

# %% [markdown]
# ## Check it, and read it
#
# Compare every derivative with finite differences: `gradcheck` raises an error with the worst entry if one is wrong.
# Since the rule is an ordinary expression, the library can also print it as a formula.  Predict the error of a rule
# that forgets the factor 2.

# %%
assert gradcheck(bump, np.array([0.3, -1.2]))
assert gradcheck(differences, np.array([1.0, 4.0, 9.0]))
print("both derivatives agree with finite differences")


@elementwise(lambda y, x: -x * y)
def wrong_bump(x):
    return exp(-x * x)


try:
    gradcheck(wrong_bump, np.array([0.3, -1.2]))
    raise AssertionError("the wrong rule was not found")
except GradcheckError as error:
    print("the wrong rule:", str(error).splitlines()[0])
nudged = [(wrong_bump(a + 1e-6) - wrong_bump(a - 1e-6)) / 2e-6 for a in at]
lines("10_wrong", {"wrong rule": (at, -at * bump(at)), "finite differences": (at, nudged)}, "x", "slope")
print()
print(explain(bump(Value(0.5, name="x"))))
