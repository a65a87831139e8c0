"""9. Higher derivatives: a gradient is a graph too, so it can be differentiated again."""

# %% [markdown]
# # Differentiating a derivative
#
# The rules are written in the library's own operations.  Given nodes instead of arrays, the same rules record a
# graph of the gradient, which `backward` can differentiate again.  Predict the sign of the second derivative of `tanh`
# at 0.5: does the slope grow or shrink there?

# %%
import math

import numpy as np
from charts import graph, lines

from autograd import Tensor, Value, draw, gradients

x = Value(0.5, name="x")
y = x.tanh()
first = gradients(y, x, create_graph=True)
second = gradients(first, x, create_graph=True)
third = gradients(second, x)

t = math.tanh(0.5)
print(f"tanh    {y.data:+.12f}   by hand {t:+.12f}")
print(f"tanh'   {first.data:+.12f}   by hand {1 - t * t:+.12f}")
print(f"tanh''  {second.data:+.12f}   by hand {-2 * t * (1 - t * t):+.12f}")
print(f"tanh''' {third:+.12f}   by hand {(1 - t * t) * (6 * t * t - 2):+.12f}")
assert math.isclose(first.data, 1 - t * t)
assert math.isclose(second.data, -2 * t * (1 - t * t))
assert math.isclose(third, (1 - t * t) * (6 * t * t - 2))

X = Tensor(np.linspace(-3, 3, 121), requires_grad=True)
slopes = gradients(X.tanh().sum(), X, create_graph=True)
curves = {"tanh": np.tanh(X.data), "slope": slopes.data, "slope of the slope": gradients(slopes.sum(), X)}
lines("09_tanh", {name: (X.data, curve) for name, curve in curves.items()}, "x", "")

# %% [markdown]
# ## The graph of a derivative
#
# The rule for `tanh` is `1 - y * y`.  The recorded graph is that rule times 1, the derivative of the result with
# respect to itself, with which every backward pass starts.  Predict its ovals.

# %%
first.name = "dy/dx"
picture = draw(first, gradients=False)
graph("09_higher_derivatives", picture)

# %% [markdown]
# ## Newton's method
#
# Newton's method uses two derivatives to find where the slope is zero: `x - f'(x) / f''(x)`.  The minimum of `x**4 -
# 3 x` is at the cube root of 3/4; each step doubles the number of correct digits.  Predict the number of steps to 15
# digits, and of gradient descent at a rate of 0.05.

# %%
x, errors, descent = Value(1.0), [], [1.0]
for step in range(6):
    slope = gradients(x**4 - 3 * x, x, create_graph=True)
    curvature = gradients(slope, x)
    x = Value(x.data - slope.data / curvature)
    errors.append(abs(x.data - 0.75 ** (1 / 3)))
    print(f"step {step + 1}: x = {x.data:.15f}")
assert math.isclose(x.data, 0.75 ** (1 / 3), rel_tol=1e-14)
for _ in range(40):
    descent.append(descent[-1] - 0.05 * (4 * descent[-1] ** 3 - 3))
errors = {"Newton": errors, "gradient descent": np.abs(np.array(descent) - 0.75 ** (1 / 3))}
lines("09_newton", errors, "step", "error", log=True)

# %% [markdown]
# ## A Hessian times a vector
#
# For a function of many variables the full matrix of second derivatives is large, but its product with a vector
# costs two passes: differentiate the gradient's product with the vector.  It is the rate at which the gradient changes
# when `w` moves along the vector.  Predict the product by hand.

# %%
A = np.array([[2.0, 1.0], [1.0, 3.0]])
w = Tensor([1.0, -1.0], requires_grad=True)
v = np.array([1.0, 2.0])
loss = 0.5 * (w @ A @ w)
gradient = gradients(loss, w, create_graph=True)
product = gradients((gradient * v).sum(), w)
print("Hessian times v:", product, "  by hand:", A @ v)
assert np.allclose(product, A @ v)
t = np.linspace(0, 1, 11)
along = np.array([gradients(0.5 * (u @ A @ u), u) for u in (Tensor(w.data + s * v, requires_grad=True) for s in t)])
curves = {f"dL/dw{i}, slope {product[i]:g}": (t, along[:, i]) for i in (0, 1)}
lines("09_hessian", curves, "distance along v", "gradient")
