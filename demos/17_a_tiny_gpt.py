"""17. A tiny GPT: the same lines on `Value`s, on `Tensor`s and as compiled programs."""

# %% [markdown]
# # A tiny GPT
#
# A language model predicts the next letter from the letters before it.  This one has the parts of GPT, each once:
# embeddings of letter and position, an attention block, an MLP, and a score per letter.  The names are made up.
# Predict which letter most often ends a name.

# %%
import time

import numpy as np
from charts import bars, lines, matrix

import autograd
import optim
from autograd import Tensor, Value, exp, log, no_grad, relu, topological_order

NAMES = ["milan", "nilam", "lomin", "monil", "alimo", "ilona", "olina", "namil"]
LETTERS = "." + "".join(sorted(set("".join(NAMES))))  # the dot begins and ends a name
ENCODED = [np.array([LETTERS.index(letter) for letter in f".{name}."]) for name in NAMES]
LENGTH, WIDTH = 6, 8
print(f"{len(NAMES)} names in {len(LETTERS)} letters:", ENCODED[0], "is .milan.")
pairs = np.zeros((len(LETTERS), len(LETTERS)))
for name in ENCODED:
    np.add.at(pairs, (name[:-1], name[1:]), 1)
matrix("17_pairs", pairs, list(LETTERS), list(LETTERS), "How often each letter (row) is followed by another (column)")

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
# Each block adds its result to `x`, so that gradients also flow around it (chapter 2 shows why this matters).  Predict
# the weights of an untrained attention.


# %%
def normalized(x):  # RMS norm
    return x / ((x * x).mean(axis=-1, keepdims=True) + 1e-5) ** 0.5


def softmax(x):
    powers = exp(x)  # the scores are small, so exp does not overflow (chapter 8)
    return powers / powers.sum(axis=-1, keepdims=True)


def embedded(w, letters):
    return w["letter"][letters] + w["position"][: len(letters)]


def attention(w, y):
    query, key = y @ w["query"], y @ w["key"]
    mask = np.where(np.tri(y.shape[0]), 0.0, -1e9)
    return softmax(query @ key.T / WIDTH**0.5 + mask)


def probabilities(w, letters):
    x = embedded(w, letters)
    y = normalized(x)
    x = x + attention(w, y) @ (y @ w["value"]) @ w["project"]
    hidden = relu(normalized(x) @ w["expand"])
    x = x + hidden * hidden @ w["contract"]  # the squared rectifier
    return softmax(x @ w["score"])


def loss_of(w, letters, following):  # the cross-entropy
    return -log(probabilities(w, letters)[np.arange(len(letters)), following]).mean()


def draw_attention(name, w, word):
    """Draw the weights; plain arrays will do, since the operations accept them."""
    letters = np.array([LETTERS.index(letter) for letter in word])
    weights = attention(w, normalized(embedded(w, letters)))
    matrix(name, weights, list(word), list(word), "Weight that each letter (row) gives to the others")


draw_attention("17_untrained_attention", START, ".milan")

# %% [markdown]
# ## Four ways to run it
#
# An array of `Value`s has NumPy's operators, so these lines run with one node per scalar.  With `Tensor`s, a node is a
# whole array.  `compile` records the nodes, their backward pass and Adam's update once, and replays them, in either
# form; since letters select `Value`s in Python, each name then has a program of its own.  Predict the nodes of each
# graph and the times of a step.


# %%
def values():
    return {n: np.array([Value(x) for x in data.flat], object).reshape(data.shape) for n, data in START.items()}


def tensors():
    return {name: Tensor(data.copy(), requires_grad=True) for name, data in START.items()}


def adam(w):
    return optim.Adam([p for x in w.values() for p in (x.flat if isinstance(x, np.ndarray) else [x])], lr=0.02)


def eager(w):
    optimizer = adam(w)

    def step(name):
        optimizer.zero_grad()
        loss = loss_of(w, name[:-1], name[1:])
        loss.backward()
        optimizer.step()
        return loss

    return step


def replayed(w):
    optimizer, programs = adam(w), {}

    def step(name):
        program = autograd.compile(lambda: loss_of(w, name[:-1], name[1:]), optimizer=optimizer)
        return programs.setdefault(name.tobytes(), program)()

    return step


def compiled(w):
    program = autograd.compile(lambda x, y: loss_of(w, x, y), optimizer=adam(w))
    return lambda name: program(name[:-1], name[1:])


def train(step, names, epochs):
    """Return the losses, and the milliseconds of a step in the fastest epoch."""
    losses, times = [], []
    for _ in range(epochs):
        start = time.perf_counter()
        losses += [float(step(name)) for name in names]
        times.append(time.perf_counter() - start)
    return losses, 1e3 * min(times) / len(names)


W = tensors()
STEPS = {
    "Values": eager(values()),
    "Values, replayed": replayed(values()),
    "Tensors": eager(tensors()),
    "Tensors, compiled": compiled(W),
}
nodes = [len(topological_order(loss_of(w, ENCODED[0][:-1], ENCODED[0][1:]))) for w in (values(), tensors())]
print(f"{nodes[0]:,} nodes of Values, {nodes[1]} of Tensors")
expected, times = None, {}
for way, step in STEPS.items():
    losses, milliseconds = train(step, ENCODED[:2], 3)
    times[way] = milliseconds
    expected = expected or losses
    assert np.allclose(losses, expected, rtol=1e-12, atol=0)
    print(f"{way:17}  loss {losses[0]:.6f} -> {losses[-1]:.6f}   {milliseconds:8.3f} ms a step")
bars("17_times", list(times), {"time": list(times.values())}, "milliseconds per step", log=True)

# %% [markdown]
# ## The trained model
#
# A guess costs log(7) = 1.95 a letter.  The eight names begin with six different letters, so no model is certain of the
# first one.  Predict the loss that remains if everything else is learned.

# %%
losses, _ = train(STEPS["Tensors, compiled"], ENCODED, 100)
passes = np.reshape(losses, (-1, len(NAMES))).mean(axis=1)
lines("17_loss", {"mean loss of a letter": passes}, "passes over the names", "loss")
print(f"mean loss {np.mean(losses[-8:]):.3f}; to choose one of 8 names costs log(8) / 6 = {np.log(8) / 6:.3f} a letter")
assert np.mean(losses[-8:]) < 0.4
with no_grad():
    draw_attention("17_trained_attention", {name: w.numpy() for name, w in W.items()}, ".milan")
    for _ in range(5):
        name = [0]
        while len(name) <= LENGTH and (len(name) == 1 or name[-1]):
            name.append(rng.choice(len(LETTERS), p=probabilities(W, np.array(name)).numpy()[-1]))
        print("".join(LETTERS[i] for i in name).strip("."), end="  ")
print()
