"""JAX with optax: the whole step, update included, is one jitted function that reuses its buffers."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from workloads import BETAS, EPSILON, LEARNING_RATE, network_data

AT_ONCE = 20  # steps of a scan


def version() -> str:
    """Return JAX's and optax's versions."""
    return f"JAX {jax.__version__}, optax {optax.__version__}"


def losses(parameters: list[Any], x: Any, y: Any, name: str) -> Any:
    """Return the mean loss of a perceptron with ReLU."""
    a, last = x, len(parameters) // 2 - 1
    for layer, (w, b) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        a = a @ w.T + b
        if layer < last:
            a = jax.nn.relu(a)
    if name == "bce":
        return optax.sigmoid_binary_cross_entropy(a, y).mean()
    return optax.softmax_cross_entropy_with_integer_labels(a, y).mean()


class Network:
    """Data and parameters are on the device before the clock starts."""

    def __init__(self, workload: dict[str, Any], variant: str) -> None:
        x, y, numbers = network_data(workload)
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        self.parameters = [jnp.asarray(p) for p in numbers]
        optimizer = optax.adam(LEARNING_RATE, *BETAS, eps=EPSILON)
        self.state = optimizer.init(self.parameters)
        self.gradient = jax.jit(jax.value_and_grad(partial(losses, name=workload["loss"])))

        @partial(jax.jit, donate_argnums=(0, 1))
        def train(parameters: Any, state: Any, x: Any, y: Any) -> Any:
            loss, gradients = jax.value_and_grad(losses)(parameters, x, y, workload["loss"])
            updates, state = optimizer.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state, loss

        self.train = train
        if variant == "scan":
            self.at_once = AT_ONCE

            @partial(jax.jit, donate_argnums=(0, 1))
            def train_many(parameters: Any, state: Any, x: Any, y: Any) -> Any:
                def one(carried: Any, _: Any) -> Any:
                    parameters, state, loss = train(*carried, x, y)
                    return (parameters, state), loss

                return jax.lax.scan(one, (parameters, state), None, AT_ONCE)

            self.train_many = train_many

    def steps(self) -> float:
        """Return the last loss of many steps in one call."""
        (self.parameters, self.state), losses = self.train_many(self.parameters, self.state, self.x, self.y)
        return float(losses[-1])

    def step(self) -> float:
        """Return the loss before the update."""
        self.parameters, self.state, loss = self.train(self.parameters, self.state, self.x, self.y)
        return float(loss)

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        loss, gradients = self.gradient(self.parameters, self.x, self.y)
        return float(loss), gradients


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    if workload["kind"] != "network":
        return "made for arrays: it traces and compiles 65,000 single numbers for minutes"
    jax.config.update("jax_enable_x64", workload["dtype"] == "float64")
    if variant == "synchronous":
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    return Network(workload, variant)
