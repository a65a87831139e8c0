"""8. Softmax and cross-entropy: why the gradient is simply p - y."""

# %% [markdown]
# # Softmax and cross-entropy
#
# A classifier returns one score per class, the *logits* `z`.  Softmax turns them into probabilities, and
# cross-entropy measures how improbable the true class is:
#
#     p_j = exp(z_j) / sum_k exp(z_k)          L = -log p_true
#
# Predict the signs of the three gradients.

# %%
import numpy as np
from charts import bars, lines, matrix

import nn
from autograd import Tensor, Value

z = [Value(2.0, name="z0"), Value(1.0, name="z1"), Value(-1.0, name="z2")]
powers = [zj.exp() for zj in z]
total = sum(powers)
p = [power / total for power in powers]
loss = -p[1].log()  # class 1 is the true one
loss.backward()

print("p:        ", np.round([pj.data for pj in p], 4))
print("gradient: ", np.round([zj.grad for zj in z], 4))
bars("08_gradient", ["z0", "z1 (true)", "z2"], {"p": [pj.data for pj in p], "gradient": [zj.grad for zj in z]}, "")

# %% [markdown]
# Look closely: the gradient is `p`, with 1 taken away at the true class.  All those exponentials, divisions and
# logarithms cancel.  By hand: `L = log(sum_k exp(z_k)) - z_true`.  The derivative of the first term by `z_j` is
# `exp(z_j) / sum_k exp(z_k)`, which is just `p_j`; the second term subtracts 1 at the true class.
#
# ## The slope of a wrong answer
#
# The gradient of each logit is exactly the error of its probability.  It vanishes when the classifier is right and
# certain, but not while it is wrong.  Compare with the squared error `(1 - p)**2`.  Predict its slope where the
# logit of the true class is -8, far on the wrong side.

# %%
y = np.array([0.0, 1.0, 0.0])
assert np.allclose([zj.grad for zj in z], [pj.data for pj in p] - y)
at = np.linspace(-8, 8, 161)  # two classes: the difference of their logits
probability = 1 / (1 + np.exp(-at))
slopes = {
    "cross-entropy": (at, probability - 1),
    "squared error": (at, -2 * (1 - probability) * probability * (1 - probability)),
}
print("slopes at -8:", {name: round(float(slope[0]), 5) for name, (_, slope) in slopes.items()})
lines("08_slopes", slopes, "logit of the true class", "gradient")

# %% [markdown]
# ## The same on a batch
#
# `CrossEntropyLoss` takes logits and class indices, and averages over the batch: `(p - y) / n`.  Predict the sum of
# each row.

# %%
rng = np.random.default_rng(0)
logits = Tensor(rng.normal(size=(4, 3)), requires_grad=True)
classes = np.array([0, 2, 1, 1])
nn.CrossEntropyLoss()(logits, classes).backward()
probabilities = np.exp(logits.data) / np.exp(logits.data).sum(axis=1, keepdims=True)
assert np.allclose(logits.grad, (probabilities - np.eye(3)[classes]) / 4)
print("batch gradient equals (p - y) / n; sums of the rows:", logits.grad.sum(axis=1).round(12) + 0.0)
matrix("08_batch", logits.grad, [f"class {c}" for c in classes], ["z0", "z1", "z2"], "Gradient of a batch")

# %% [markdown]
# ## Overflow in the direct formula
#
# `exp(1000)` is more than a float can hold.  The built-in loss never computes it: it subtracts the largest logit
# first, which is mathematically equivalent and does not overflow.  Predict the loss, for logits of 1000, 0 and -1000
# and the second class.

# %%
huge = Tensor([[1000.0, 0.0, -1000.0]], requires_grad=True)
loss = nn.CrossEntropyLoss()(huge, np.array([1]))
loss.backward()
print(f"at logits of 1000: loss {loss.item()}, gradient {huge.grad[0]}")
assert loss.item() == 1000.0
assert huge.grad[0].tolist() == [1.0, -1.0, 0.0]
at = np.linspace(0, 1000, 201)
with np.errstate(over="ignore"):
    print("the direct formula: log of", Value(1000.0).exp().data)
    direct = np.log(np.exp(at) + 2)
built_in = [nn.CrossEntropyLoss()(Tensor([[a, 0.0, 0.0]]), np.array([1])).item() for a in at]
lines("08_overflow", {"built-in": (at, built_in), "direct formula": (at, direct)}, "largest logit", "loss")
