"""The smallest scalar engine in use: a node is its value, its gradient, its children and its local derivatives."""

from __future__ import annotations

import math
from typing import Any

from .scalar import GPT

__all__ = ["Value", "build", "version"]


class Value:
    """A float that keeps the derivative with respect to each child from the forward pass."""

    __slots__ = ("children", "data", "grad", "local")

    def __init__(self, data: float, children: tuple[Value, ...] = (), local: tuple[float, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.children = children
        self.local = local

    def __add__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, power: float) -> Value:
        return Value(self.data**power, (self,), (power * self.data ** (power - 1),))

    def log(self) -> Value:
        """Return the natural logarithm."""
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def exp(self) -> Value:
        """Return the exponential."""
        y = math.exp(self.data)
        return Value(y, (self,), (y,))

    def relu(self) -> Value:
        """Return the value where it is positive and 0 elsewhere."""
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self) -> Value:
        return self * -1.0

    def __radd__(self, other: Any) -> Value:
        return self + other

    def __sub__(self, other: Any) -> Value:
        return self + (-other)

    def __rsub__(self, other: Any) -> Value:
        return other + (-self)

    def __rmul__(self, other: Any) -> Value:
        return self * other

    def __truediv__(self, other: Any) -> Value:
        return self * other**-1

    def __rtruediv__(self, other: Any) -> Value:
        return other * self**-1

    def backward(self) -> None:
        """Apply the chain rule from this node to the leaves, depth first."""
        order: list[Value] = []
        visited: set[Value] = set()

        def visit(node: Value) -> None:
            if node not in visited:
                visited.add(node)
                for child in node.children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for child, derivative in zip(node.children, node.local, strict=True):
                child.grad += derivative * node.grad


def version() -> str:
    """Return a name; the class is this file's own."""
    return "minimal class"


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload."""
    return GPT(workload, Value)
