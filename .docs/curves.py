"""Draw a function of one variable and its derivative as SVG."""

import inspect
import warnings

import numpy as np

from autograd import Tensor, gradients

LIMIT, SCALE = 3.0, 40  # both axes show -3 to 3, at 40 pixels a unit
SIZE = 2 * LIMIT * SCALE
COLOURS = ("#2f6fb5", "#d1790f")


def function_of(thing):
    """Return an object as a function of one array, or None."""
    try:
        if inspect.isclass(thing):
            return thing() if thing.__module__ == "nn.layers.activation" else None
        parameters = list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.name == "training" for p in parameters):
        return None  # the function is random
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return thing if len(required) == 1 and required[0].name in ("x", "input") else None


def values_and_slopes(function, x):
    """Return an elementwise function and its derivative at all elements, or None if it is not elementwise."""
    node = Tensor(x[None], requires_grad=True)  # a row, of which flatten and transpose change the shape
    y = function(node)
    if getattr(y, "shape", None) != node.shape or not getattr(y, "requires_grad", False):
        return None
    backwards = function(Tensor(node.data[:, ::-1])).numpy()[:, ::-1]  # sort and cumsum depend on the order
    slopes = gradients(y, node, np.ones_like(node.data))
    return (y.numpy()[0], slopes[0]) if np.array_equal(y.numpy(), backwards, equal_nan=True) else None


def polyline(x, y, colour):
    """Return the visible parts of a curve."""
    parts, points = [], []
    for a, b in zip(x, y, strict=True):
        if np.isfinite(b) and abs(b) <= LIMIT:
            points.append(f"{(a + LIMIT) * SCALE:.1f},{(LIMIT - b) * SCALE:.1f}")
        elif points:
            parts, points = [*parts, points], []
    lines = (" ".join(points) for points in [*parts, points] if len(points) > 1)
    return "".join(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>' for line in lines)


def curve(thing):
    """Return the picture of an elementwise function and its derivative, or None."""
    function = function_of(thing)
    if function is None:
        return None
    x = np.linspace(-LIMIT, LIMIT, 241)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = values_and_slopes(function, x)
    except Exception:  # a function that does not accept such an array has no picture
        return None
    if found is None:
        return None
    axes = f'<path d="M0 {SIZE / 2}H{SIZE}M{SIZE / 2} 0V{SIZE}" stroke="#8a929c" stroke-width="0.8"/>'
    lines = "".join(polyline(x, y, colour) for y, colour in zip(found, COLOURS, strict=True))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE:g} {SIZE:g}">{axes}{lines}</svg>'
