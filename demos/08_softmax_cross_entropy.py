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

# %% [markdown]
# Look closely: the gradient is `p`, with 1 taken away at the true class.  All those exponentials, divisions and
# logarithms cancel.  By hand: `L = log(sum_k exp(z_k)) - z_true`, and the derivative of the first term is just
# the softmax.

# %%
y = np.array([0.0, 1.0, 0.0])
assert np.allclose([zj.grad for zj in z], [pj.data for pj in p] - y)

# %% [markdown]
# The gradient of each logit is exactly the error of its probability.  It vanishes when the classifier is right and
# certain, but never saturates while it is wrong, unlike that of a squared error behind a sigmoid.
#
# ## The same on a batch
#
# `CrossEntropyLoss` takes logits and class indices, and averages over the batch: `(p - y) / n`.

# %%
rng = np.random.default_rng(0)
logits = Tensor(rng.normal(size=(4, 3)), requires_grad=True)
classes = np.array([0, 2, 1, 1])
nn.CrossEntropyLoss()(logits, classes).backward()
probabilities = np.exp(logits.data) / np.exp(logits.data).sum(axis=1, keepdims=True)
assert np.allclose(logits.grad, (probabilities - np.eye(3)[classes]) / 4)
print("batch gradient equals (p - y) / n")

# %% [markdown]
# ## Overflow in the direct formula
#
# `exp(1000)` is more than a float can hold.  The built-in loss never computes it: it subtracts the largest logit
# first, which is mathematically equivalent and does not overflow.

# %%
huge = Tensor([[1000.0, 0.0, -1000.0]], requires_grad=True)
loss = nn.CrossEntropyLoss()(huge, np.array([1]))
loss.backward()
print(f"at logits of 1000: loss {loss.item()}, gradient {huge.grad[0]}")
assert loss.item() == 1000.0
assert huge.grad[0].tolist() == [1.0, -1.0, 0.0]
with np.errstate(over="ignore"):
    print("the direct formula: log of", Value(1000.0).exp().data)
