"""Exercises of the course: three per chapter, with checks that give hints instead of the answer.

    python demos/exercises.py 3        ask the questions of chapter 3

In a notebook: `check("3.1", answer)`.
"""

from __future__ import annotations

import ast
import math
import sys
from typing import NamedTuple

import numpy as np


class Exercise(NamedTuple):
    """A question, the number or list of numbers that answers it, its solution, and hints for wrong answers."""

    question: str
    answer: float | list[float]
    solution: str
    hints: dict[float, str] = {}  # noqa: RUF012 (a named tuple has no mutable state of a class)


EXPRESSIONS = {  # of each chapter, to step through with `python -m autograd play` and `quiz`
    "0": '"(a*b + a) * (a*b)" a=2 b=-3',
    "1": '"3*x**2 - 4*x + 5" x=3',
    "2": '"exp(sin(x**2))" x=3',
    "3": '"a*b + a" a=2 b=-3',
    "4": '"(x + x) + (x + x)" x=1',
    "5": '"(tanh(w1*x1 + w2*x2 + b) - 1)**2" w1=-3 w2=1 x1=2 x2=0 b=6.88',
    "6": '"relu(1 - (w*relu(v*x + b) + c))" w=0.5 v=1 x=2 b=-1 c=0.1',
    "7": '"log(1 + exp(-(w1*tanh(v1*x) + w2*tanh(v2*x))))" w1=0.5 v1=1 w2=-0.3 v2=2 x=0.7',
    "8": '"log(exp(z0) + exp(z1) + exp(z2)) - z1" z0=2 z1=1 z2=-1',
    "9": '"x**4 - 3*x" x=1',
    "10": '"exp(-x**2)" x=0.5',
    "11": '"tanh(v*v + v)" v=2',
    "12": '"(w2*tanh(w1*x + b1) + b2 - t)**2" w2=0.5 w1=1 x=2 b1=-1 b2=0.1 t=1',
    "13": '"(x**2 + 50*y**2) / 2" x=10 y=1',
    "14": '"lr0 / (1 + decay*t)" lr0=0.5 decay=0.05 t=20',
    "15": '"sigmoid(w3*sigmoid(w2*sigmoid(w1*x)))" w3=1 w2=1 w1=1 x=1',
    "16": '"(v*tanh(w*x + b) - t)**2" v=1 w=20 x=0.5 b=0 t=0',
    "17": '"(v0*exp(q*k0) + v1*exp(q*k1)) / (exp(q*k0) + exp(q*k1))" v0=1 v1=-1 q=0.5 k0=2 k1=1',
}
EXERCISES = {
    "0.1": Exercise(
        "What are the partial derivatives of `a / b` at `a = 6`, `b = 2`, as a list?", [0.5, -1.5],
        "`1 / b` and `-a / b**2`.",
    ),
    "0.2": Exercise(
        "What is the gradient of `a` in `a * a * a` at 2?", 12.0, "`a` is used three times, and each use gives 4.",
        {4.0: "this is the share of one use; how often is a used?"},
    ),
    "0.3": Exercise(
        "`e = d * c`, `d = c + a`, `c = a * b` at `a = 2`, `b = -3`. What is the gradient of `a`?", 24.0,
        "`c = -6`, `d = -4`; `c` gets `d + c = -10`, `d` gets `c = -6`, and `a` gets `-6 * 1 + -10 * -3 = 24`.",
        {30.0: "this is the path through c only", -6.0: "this is the path through d only"},
    ),
    "1.1": Exercise(
        "What is the derivative of `x**3` at 2?", 12.0, "`3 x**2 = 12`.", {8.0: "this is the value, not the slope"}
    ),
    "1.2": Exercise(
        "The central difference of `x**3` at 2 with `h = 0.1` is larger than the derivative. By how much?", 0.01,
        "`((2.1)**3 - (1.9)**3) / 0.2 = 12 + h**2 = 12.01`.",
    ),
    "1.3": Exercise(
        "`f'(2) = 12`. By about how much does `f` change if `x` moves from 2 to 1.99?", -0.12,
        "The slope times the step: `12 * (-0.01)`.",
    ),
    "2.1": Exercise(
        "`y = sin(x**2)`. What is `dy/dx` at `x = 0`?", 0.0, "The factor `2 x` is 0.",
        {1.0: "you forgot the inner factor"},
    ),
    "2.2": Exercise(
        "Ten links in a row have the slope 0.5. What is the product?", 0.5**10, "`0.5 ** 10`, about a thousandth."
    ),
    "2.3": Exercise(
        "`y = exp(3 x)`. What is `dy/dx` divided by `y`?", 3.0, "`dy/dx = 3 exp(3 x) = 3 y`."
    ),
    "3.1": Exercise(
        "`y = a * b + a` at `a = 5`, `b = 2`. What is the gradient of `a`?", 3.0, "`b + 1`.",
        {2.0: "this is the path through the product only", 1.0: "this is the direct path only"},
    ),
    "3.2": Exercise("What is the gradient of `a` in `a + a + a`?", 3.0, "Three paths of slope 1."),
    "3.3": Exercise(
        "`a.grad` is 7. You call `backward()` on `a * 10` without `zero_grad()`. What is `a.grad` now?", 17.0,
        "Leaves accumulate: `7 + 10`.", {10.0: "the old gradient is still there"},
    ),
    "4.1": Exercise(
        "How many paths lead from `x` to the result of `x = x + x`, repeated 5 times?", 32.0,
        "Each doubles them: `2**5`.",
    ),
    "4.2": Exercise("How many nodes does this graph have?", 6.0, "One leaf and five results."),
    "4.3": Exercise(
        "`b` uses `a`; `c` uses `a` and `b`; `d` uses `b` and `c`. In which place of the backward pass is `b`, "
        "from 1?", 3.0, "The order is d, c, b, a: `b` comes after both of its users.",
    ),
    "5.1": Exercise(
        "A neuron `tanh(w x + b)` with `w = 0`, `b = 0`, `x = 3`. What is the derivative by `w`?", 3.0,
        "`(1 - tanh(0)**2) * x = 3`.", {0.0: "w is 0, but its slope is not"},
    ),
    "5.2": Exercise(
        "The output is 0.9, the target 1, the loss `(a - t)**2`. What is `dL/da`?", -0.2, "`2 (a - t)`.",
        {0.2: "check the sign: should a grow or shrink?"},
    ),
    "5.3": Exercise(
        "`w = 1`, its gradient is 4, the learning rate 0.1. What is `w` after the step?", 0.6, "`1 - 0.1 * 4`.",
        {1.4: "descend, do not climb"},
    ),
    "6.1": Exercise("How many parameters has `MLP(2, [8, 8, 1])`?", 105.0, "`2*8 + 8 + 8*8 + 8 + 8 + 1`."),
    "6.2": Exercise(
        "The max-margin loss is `relu(1 - sign * score)`. What is it for sign -1 and score 0.5?", 1.5, "`1 + 0.5`."
    ),
    "6.3": Exercise(
        "What is its derivative by the score, for sign 1 and score 2?", 0.0, "The margin is satisfied: relu is flat."
    ),
    "7.1": Exercise(
        "`z = a @ W.T` with `a` of shape (400, 16) and one output. How many elements has the gradient of `W`?", 16.0,
        "A gradient has the shape of its parameter, (1, 16).", {400.0: "the gradient is summed over the rows"},
    ),
    "7.2": Exercise(
        "A bias is added to 400 rows, and `dL/dz` is 0.01 in each. What is its gradient?", 4.0, "It is used 400 times.",
        {0.01: "in how many rows is the bias used?"},
    ),
    "7.3": Exercise(
        "What is the derivative of BCE by a logit of 0, if the target is 1 and there is one row?", -0.5,
        "`sigmoid(0) - 1`.", {0.5: "check the sign", 0.0: "sigmoid(0) is not 0"},
    ),
    "8.1": Exercise(
        "Three logits are equal. What is the gradient of cross-entropy by the logit of the true class?", -2 / 3,
        "`p - 1 = 1/3 - 1`.", {1 / 3: "this is the gradient of the other classes"},
    ),
    "8.2": Exercise(
        "What do the gradients of all logits of a row add up to?", 0.0, "Probabilities and targets sum to 1."
    ),
    "8.3": Exercise(
        "10 classes, an untrained network that guesses: what is its loss?", math.log(10), "`-log(1/10) = log(10)`.",
        {0.1: "this is the probability; the loss is its negative logarithm"},
    ),
    "9.1": Exercise(
        "What is the second derivative of `x**4` at 1?", 12.0, "`12 x**2`.", {4.0: "this is the first one"}
    ),
    "9.2": Exercise(
        "One step of Newton's method for the minimum of `(x - 3)**2`, from 10. Where does it lead?", 3.0,
        "To the minimum: the function is quadratic.",
    ),
    "9.3": Exercise(
        "The Hessian of `x*x + 3*x*y` times the vector (1, 1), as a list?", [5.0, 3.0],
        "The Hessian is `[[2, 3], [3, 0]]`.",
    ),
    "10.1": Exercise(
        "`y = 1 / x`. By what is `y * y` multiplied to give the derivative?", -1.0, "`-1 / x**2 = -y * y`.",
        {1.0: "check the sign"},
    ),
    "10.2": Exercise(
        "The sigmoid is `y`. What is its derivative at `y = 0.25`?", 0.1875, "`y (1 - y)`.", {0.25: "y (1 - y), not y"}
    ),
    "10.3": Exercise(
        "The adjoint of `sum` repeats the gradient. The adjoint of `mean` of 4 elements gives each what share of it?",
        0.25, "A quarter.",
    ),
    "11.1": Exercise(
        "`scaled = compile(lambda x: x * k)` was recorded with `k = 2`. Now `k = 5`. What is `scaled(3.0)`?", 6.0,
        "`k` was recorded as a constant; pass it as an argument.", {15.0: "what does a replay read anew?"},
    ),
    "11.2": Exercise(
        "A leaf `v = 2` of the program is changed to 3. What does the replay of `v * v` return?", 9.0,
        "Leaves are inputs.", {4.0: "leaves are read in every replay"},
    ),
    "11.3": Exercise(
        "`where(x > 0, x, -x)` was recorded at `x = 1`. What does the replay return at -5?", 5.0,
        "The mask is computed again.", {-5.0: "the comparison is an operation, too"},
    ),
    "12.1": Exercise("Data of 1000 rows, batches of 50: how many steps has an epoch?", 20.0, "`1000 / 50`."),
    "12.2": Exercise(
        "`many(x, y, rows)` gets a matrix of shape (100, 16). How many losses does it return?", 100.0, "One per step."
    ),
    "12.3": Exercise(
        "In Adam's first step with `lr = 0.001` and a gradient of 5, how far does a parameter move?", 0.001,
        "`m_hat / sqrt(v_hat)` is 1.", {0.005: "Adam divides by the size of the gradient"},
    ),
    "13.1": Exercise(
        "The loss is `5 * w**2`. Above which learning rate does gradient descent diverge?", 0.2,
        "The curvature `h` is 10, the limit `2 / h`.",
        {0.4: "the curvature is the second derivative", 0.1: "here the first step already reaches the minimum"},
    ),
    "13.2": Exercise(
        "Momentum 0.8, a constant gradient of 1: what does the velocity approach?", 5.0, "`1 / (1 - 0.8)`.",
        {10.0: "this is for momentum 0.9"},
    ),
    "13.3": Exercise(
        "Adam with `b1 = 0.9`: what is `m` after the first gradient, 3?", 0.3, "`0.9 * 0 + 0.1 * 3`.",
        {3.0: "this is m_hat, after the correction"},
    ),
    "14.1": Exercise(
        "StepLR with `lr = 0.8`, `step_size = 10`, `gamma = 0.5`. What is the rate in step 25 (from 0)?", 0.2,
        "`0.8 * 0.5 ** (25 // 10)`.", {0.4: "how many drops have there been?"},
    ),
    "14.2": Exercise(
        "Cosine annealing from 1 to 0 in 100 steps. What is the rate in step 50?", 0.5, "`(1 + cos(pi / 2)) / 2`."
    ),
    "14.3": Exercise(
        "Inverse time decay `1 / (1 + 0.1 t)`. In which step has the rate fallen to a quarter?", 30.0,
        "`1 + 0.1 t = 4`.", {40.0: "start from 1 / (1 + 0.1 t) = 1 / 4"},
    ),
    "15.1": Exercise(
        "A layer has 100 inputs and ReLU. Which variance should its weights have (He)?", 0.02, "`2 / n`.",
        {0.01: "ReLU sets half of the activations to 0"},
    ),
    "15.2": Exercise(
        "A sigmoid's slope is at most 1/4. At most what power of ten remains of a gradient after 10 of them, with "
        "weights of 1? Give the exponent, rounded.", -6.0, "`0.25 ** 10 = 9.5e-7`, about `10 ** -6`.",
        {6.0: "the gradient shrinks"},
    ),
    "15.3": Exercise(
        "All weights of a layer of 16 neurons are equal. How many different gradients do its neurons get?", 1.0,
        "They stay equal for ever.", {16.0: "compute the gradients of two equal neurons"},
    ),
    "16.1": Exercise(
        "A weight matrix has the norm 20, its update 0.02. What is the ratio?", 0.001, "A healthy one."
    ),
    "16.2": Exercise(
        "ReLU gives 0 for every row in 12 of 16 units. What share is dead?", 0.75, "`12 / 16`."
    ),
    "16.3": Exercise(
        "The gradient of the first layer is 1e-9, of the last 1e-2. By what factor does a layer shrink it, if there "
        "are seven steps between them?", 0.1, "`(1e-9 / 1e-2) ** (1/7)`.",
    ),
    "17.1": Exercise(
        "A vocabulary of 7 letters, an untrained model: what is the loss of a letter?", math.log(7), "`log(7)`."
    ),
    "17.2": Exercise(
        "Four letters with a causal mask: how many of the 16 attention weights are not 0?", 10.0, "`1 + 2 + 3 + 4`.",
        {16.0: "a letter does not see those after it", 6.0: "a letter sees itself"},
    ),
    "17.3": Exercise(
        "Query times key is 0 for all letters. Which weight does the third letter give to the first?", 1 / 3,
        "The softmax of three equal scores.",
    ),
}  # fmt: skip


def diagnosis(name: str, answer: object) -> str:
    """Return what is wrong with an answer, or that it is right."""
    exercise = EXERCISES[name]
    if answer is ... or answer is None:
        return "not answered yet"
    try:
        given, expected = np.asarray(answer, float), np.asarray(exercise.answer)
    except (TypeError, ValueError):
        return f"expected a number or a list of numbers, got {answer!r}"
    if given.shape != expected.shape:
        wanted = f"a list of {expected.size} numbers" if expected.ndim else "one number"
        return f"expected {wanted}"
    if np.allclose(given, expected, rtol=0.01, atol=1e-9):
        return "right"
    hints = [text for wrong, text in exercise.hints.items() if np.allclose(given, wrong, rtol=0.01)]
    if hints:
        return f"not yet: {hints[0]}"
    if np.allclose(given, -expected, rtol=0.01):
        return "not yet: the size is right, check the sign"
    if expected.ndim:
        return f"not yet: {int(np.isclose(given, expected, rtol=0.01).sum())} of {expected.size} are right"
    if expected and given * expected <= 0:
        return "not yet: check the sign"
    return f"not yet: too {'large' if abs(given) > abs(expected) else 'small'}"


def check(name: str, answer: object) -> None:
    """Print whether an answer is right, and if not, a hint."""
    print(f"{name}: {diagnosis(name, answer)}")


def asked(question: str) -> str:
    """Return what a reader types; Ctrl-D is quit."""
    try:
        return input(f"{question}\n(hint, show, quit) > ").strip()
    except EOFError:
        return "quit"


def reply(name: str, typed: str) -> str:
    """Return the reply to an answer, or to the words hint and show."""
    if typed == "show":
        return "solution"
    if typed == "hint":
        return "; ".join(EXERCISES[name].hints.values()) or "no hint, type show for the solution"
    try:
        return diagnosis(name, ast.literal_eval(typed))
    except (SyntaxError, ValueError):
        return diagnosis(name, None)


def main(arguments: list[str]) -> int:
    """Ask each question of a chapter until the answer is right; return the exit code."""
    chosen = {name: each for name, each in EXERCISES.items() if [name.split(".")[0]] == arguments}
    if not chosen:
        print("usage: exercises.py 0..17", file=sys.stderr)
        return 2
    for name, exercise in chosen.items():
        text = ""
        while text not in ("right", "solution"):
            if (typed := asked(f"{name}. {exercise.question}")) == "quit":
                return 0
            text = reply(name, typed)
            print(f"{text}: {exercise.solution}" if text in ("right", "solution") else text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
