"""17. A tiny GPT: the same lines on `Value`s, on `Tensor`s and as a compiled program."""

# %% [markdown]
# # A tiny GPT
#
# A language model predicts the next letter from the letters before it.  This one has the parts of GPT, each once:
# embeddings of letter and position, an attention block, an MLP, and a score per letter.  The names are made up.

# %%
import functools
import time

import numpy as np

import autograd
import optim
from autograd import Tensor, Value, exp, log, no_grad, relu, topological_order

NAMES = ["milan", "nilam", "lomin", "monil", "alimo", "ilona", "olina", "namil"]
LETTERS = "." + "".join(sorted(set("".join(NAMES))))  # the dot begins and ends a name
ENCODED = [np.array([LETTERS.index(letter) for letter in f".{name}."]) for name in NAMES]
LENGTH, WIDTH = 6, 8
print(f"{len(NAMES)} names in {len(LETTERS)} letters:", ENCODED[0], "is .milan.")

rng = np.random.default_rng(0)
SHAPES = {"letter": (len(LETTERS), WIDTH), "position": (LENGTH, WIDTH), "score": (WIDTH, len(LETTERS))}
SHAPES |= dict.fromkeys(("query", "key", "value", "project"), (WIDTH, WIDTH))
SHAPES |= {"expand": (WIDTH, 4 * WIDTH), "contract": (4 * WIDTH, WIDTH)}
START = {name: rng.normal(0.0, 0.3, shape) for name, shape in SHAPES.items()}

# %% [markdown]
# ## The architecture
#
# Row `i` of `x` belongs to letter `i`.  In the attention, each letter takes a weighted mean of the values of the
# letters up to itself: the weights are the softmax of query times key, and the mask hides the letters that follow.
# Each block adds its result to `x`, so that gradients also flow around it (step 2 shows why this matters).


# %%
def normalized(x):  # RMS norm
    return x / ((x * x).mean(axis=-1, keepdims=True) + 1e-5) ** 0.5


def softmax(x):
    powers = exp(x)  # the scores are small, so exp does not overflow (step 8)
    return powers / powers.sum(axis=-1, keepdims=True)


def probabilities(w, letters):
    x = w["letter"][letters] + w["position"][: len(letters)]
    y = normalized(x)
    query, key, value = y @ w["query"], y @ w["key"], y @ w["value"]
    mask = np.where(np.tri(len(letters)), 0.0, -1e9)
    x = x + softmax(query @ key.T / WIDTH**0.5 + mask) @ value @ w["project"]
    hidden = relu(normalized(x) @ w["expand"])
    x = x + hidden * hidden @ w["contract"]  # the squared rectifier
    return softmax(x @ w["score"])


def loss_of(w, letters, following):  # the cross-entropy
    return -log(probabilities(w, letters)[np.arange(len(letters)), following]).mean()


# %% [markdown]
# ## Three ways to run it
#
# An array of `Value`s has NumPy's operators, so these lines run with one node per scalar.  With `Tensor`s, a node is a
# whole array.  `compile` records the nodes, their backward pass and Adam's update once, and replays them.
# Predict the nodes of each graph and the times of a step.  A guess costs log(7): can training bring the loss to 0?

# %%
VALUES = {n: np.array([Value(x) for x in data.flat], object).reshape(data.shape) for n, data in START.items()}
TENSORS, COMPILED = ({n: Tensor(x.copy(), requires_grad=True) for n, x in START.items()} for _ in range(2))
adam = functools.partial(optim.Adam, lr=0.02)


def eager(w, optimizer):
    def step(letters, following):
        optimizer.zero_grad()
        loss = loss_of(w, letters, following)
        loss.backward()
        optimizer.step()
        return loss

    return step


def train(step, epochs):
    losses = []
    for _ in range(epochs):
        start = time.perf_counter()
        losses += [float(step(name[:-1], name[1:])) for name in ENCODED]
    return losses, 1e3 * (time.perf_counter() - start) / len(NAMES)  # milliseconds per step in the last epoch


STEPS = {
    "Values": eager(VALUES, adam([v for array in VALUES.values() for v in array.flat])),
    "Tensors": eager(TENSORS, adam(TENSORS.values())),
    "compiled": autograd.compile(lambda x, y: loss_of(COMPILED, x, y), optimizer=adam(COMPILED.values())),
}
nodes = [len(topological_order(loss_of(w, ENCODED[0][:-1], ENCODED[0][1:]))) for w in (VALUES, TENSORS)]
print(f"{nodes[0]:,} nodes of Values, {nodes[1]} of Tensors")
expected = None
for way, step in STEPS.items():
    losses, milliseconds = train(step, 3)
    expected = expected or losses
    assert np.allclose(losses, expected, rtol=1e-12, atol=0)
    print(f"{way:8}  loss {losses[0]:.6f} -> {losses[-1]:.6f}   {milliseconds:8.3f} ms a step")

losses, _ = train(STEPS["compiled"], 100)
print(f"mean loss {np.mean(losses[-8:]):.3f}; to choose one of 8 names costs log(8) / 6 = {np.log(8) / 6:.3f} a letter")
assert np.mean(losses[-8:]) < 0.4
with no_grad():
    for _ in range(5):
        name = [0]
        while len(name) <= LENGTH and (len(name) == 1 or name[-1]):
            name.append(rng.choice(len(LETTERS), p=probabilities(COMPILED, np.array(name)).numpy()[-1]))
        print("".join(LETTERS[i] for i in name).strip("."), end="  ")
print()
