"""10. Your own operation: two lines, and everything else follows."""

# %% [markdown]
# # An operation of your own
#
# An operation says what it computes and its partial derivatives.  Here is the Gaussian bump, which the library
# does not have: the decorator line is its derivative, from the output `y` and the input `x`.

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
# ## One line, three kinds of number
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
# The derivative is written in operations that know their own derivatives, so the second comes for free.

# %%
x = Value(0.5)
slope = gradients(bump(x), x, create_graph=True)
print("second derivative:", gradients(slope, x), "  by hand", (4 * 0.25 - 2) * math.exp(-0.25))
assert math.isclose(gradients(slope, x), (4 * 0.25 - 2) * math.exp(-0.25))

# %% [markdown]
# ## A linear operation gives its adjoint
#
# Where an output mixes many inputs there is no single partial derivative.  A linear operation states instead what
# its transposed matrix does to a gradient.  The difference of neighbours is such an operation; its adjoint is a
# difference as well, the other way round.


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
# Never trust a derivative that was not checked against a nudge: `gradcheck` raises with the worst entry if one is
# wrong. And since the rule is an expression like any other, the library can read it back to you.

# %%
assert gradcheck(bump, np.array([0.3, -1.2]))
assert gradcheck(differences, np.array([1.0, 4.0, 9.0]))
print("both derivatives agree with nudges")
print()
print(explain(bump(Value(0.5, name="x"))))
