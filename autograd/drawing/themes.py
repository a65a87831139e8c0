"""The colours of drawings: on a light or a dark screen, and in black and white for print."""

import math
from dataclasses import dataclass
from typing import Any

DECADES = 4.0  # powers of ten between the lightest and the strongest colour


@dataclass(frozen=True)
class Theme:
    """The colours of a drawing: (fill, border) for each kind of box, (from, to) for scales."""

    background: str
    ink: str
    faint: str
    parameter: tuple[str, str]
    data: tuple[str, str]
    inner: tuple[str, str]
    root: tuple[str, str]
    op: tuple[str, str]
    module: tuple[str, str]
    frames: tuple[str, str]  # fills of nested frames, alternating
    accent: str  # of highlights and the backward pass
    forward: str
    shades: tuple[str, str, str]  # of gradients: negative, zero, positive
    signs: tuple[str, str]  # of weights, negative and positive
    sides: tuple[tuple[str, str], tuple[str, str]]  # boxes that only one of two graphs contains
    changed: tuple[str, str]  # boxes whose values differ

    def shade(self, fraction: float) -> str:
        """Return the colour of a gradient, given as a fraction of the largest magnitude, with its sign.

        Each side of the diverging scale covers four powers of ten.

        Examples
        --------
        >>> [THEMES["print"].shade(fraction) for fraction in (-1.0, 0.0, 1.0)]
        ['#dddddd', '#ffffff', '#969696']
        """
        size = abs(fraction)
        if not size > 0:
            return self.shades[1]
        level = min(max(0.0, 1.0 + math.log10(size) / DECADES), 1.0) if size < math.inf else 1.0
        end = self.shades[2 if fraction > 0 else 0]
        pairs = ((int(self.shades[1][i : i + 2], 16), int(end[i : i + 2], 16)) for i in (1, 3, 5))
        return "#" + "".join(f"{round(low + (high - low) * level):02x}" for low, high in pairs)


# One row for each field of Theme: the values of the themes light, dark and print.
_COLOURS: dict[str, tuple[Any, ...]] = {
    "background": ("#ffffff", "#15191f", "#ffffff"),
    "ink": ("#1f2933", "#e6eaf0", "#000000"),
    "faint": ("#7b8794", "#8c98a8", "#444444"),
    "parameter": (("#dceafb", "#3b78c2"), ("#1d3a5f", "#6ea8ea"), ("#e4e4e4", "#000000")),
    "data": (("#eef1f4", "#8a97a6"), ("#2b323c", "#77859a"), ("#ffffff", "#888888")),
    "inner": (("#ffffff", "#b3bdc9"), ("#1c222a", "#566273"), ("#ffffff", "#000000")),
    "root": (("#fff0c9", "#d08a00"), ("#54400f", "#e5b040"), ("#ffffff", "#000000")),
    "op": (("#e3f4e6", "#4b9b5f"), ("#1e4029", "#6cc084"), ("#ffffff", "#000000")),
    "module": (("#ece6fa", "#7a5cc0"), ("#362a5c", "#a98bf0"), ("#f0f0f0", "#000000")),
    "frames": (("#f6f7f9", "#ffffff"), ("#1b2028", "#15191f"), ("#ffffff", "#ffffff")),
    "accent": ("#cf3a2b", "#ff7a66", "#000000"),
    "forward": ("#2f6fb5", "#6ea8ea", "#000000"),
    "shades": (("#7fb0e6", "#ffffff", "#f58b6c"), ("#2c62a0", "#1c222a", "#b8431f"), ("#dddddd", "#ffffff", "#969696")),
    "signs": (("#cf3a2b", "#2f6fb5"), ("#ff7a66", "#6ea8ea"), ("#9a9a9a", "#000000")),
    "sides": (
        (("#fbdcd8", "#cf3a2b"), ("#d9f2dd", "#2e8b46")),
        (("#5a2420", "#ff7a66"), ("#1e4029", "#6cc084")),
        (("#c8c8c8", "#000000"), ("#e6e6e6", "#000000")),
    ),
    "changed": (("#fff0c9", "#d08a00"), ("#54400f", "#e5b040"), ("#ffffff", "#000000")),
}
THEMES = {
    name: Theme(**{field: row[i] for field, row in _COLOURS.items()})
    for i, name in enumerate(("light", "dark", "print"))
}


def theme_named(name: str) -> Theme:
    """Return a theme, or raise ValueError if there is none of this name."""
    if name not in THEMES:
        raise ValueError(f"theme must be one of {', '.join(THEMES)}, got {name!r}")
    return THEMES[name]
