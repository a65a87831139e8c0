"""9. Higher derivatives: a gradient is a graph too, so it can be differentiated again."""

# %% [markdown]
# # Differentiating a derivative
#
# The rules are written in the library's own operations.  Given nodes instead of arrays, the same rules record a
# graph of the gradient, which `backward` can differentiate again.

# %%
import math
from pathlib import Path

import numpy as np

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

# %% [markdown]
# The rule for `tanh` is `1 - y * y`.  The recorded graph is that rule times 1, the derivative of the result with
# respect to itself, with which every backward pass starts.

# %%
first.name = "dy/dx"
out = Path("out")
out.mkdir(exist_ok=True)
picture = draw(first, gradients=False)
print(f"the graph of the derivative: {picture.save(out / '09_higher_derivatives.svg')}")

# %% [markdown]
# ## Newton's method
#
# Newton's method uses two derivatives to find where the slope is zero: `x - f'(x) / f''(x)`.  The minimum of `x**4 -
# 3 x` is at the cube root of 3/4; each step doubles the number of correct digits.

# %%
x = Value(1.0)
for step in range(6):
    slope = gradients(x**4 - 3 * x, x, create_graph=True)
    curvature = gradients(slope, x)
    x = Value(x.data - slope.data / curvature)
    print(f"step {step + 1}: x = {x.data:.15f}")
assert math.isclose(x.data, 0.75 ** (1 / 3), rel_tol=1e-14)

# %% [markdown]
# ## A Hessian times a vector
#
# For a function of many variables the full matrix of second derivatives is large, but its product with a vector
# costs two passes: differentiate the gradient's product with the vector.  Predict the product by hand.

# %%
A = np.array([[2.0, 1.0], [1.0, 3.0]])
w = Tensor([1.0, -1.0], requires_grad=True)
v = np.array([1.0, 2.0])
loss = 0.5 * (w @ A @ w)
gradient = gradients(loss, w, create_graph=True)
product = gradients((gradient * v).sum(), w)
print("Hessian times v:", product, "  by hand:", A @ v)
assert np.allclose(product, A @ v)
