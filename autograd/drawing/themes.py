"""The colours of pictures: on white, on black, and for paper without colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["THEMES", "Theme", "theme_named"]

STEPS = 4.0  # powers of ten between the strongest colour and none


@dataclass(frozen=True)
class Theme:
    """The colours of a picture: (fill, border) for each kind of box, (from, to) for shades."""

    background: str
    ink: str
    faint: str
    parameter: tuple[str, str]
    data: tuple[str, str]
    inner: tuple[str, str]
    root: tuple[str, str]
    op: tuple[str, str]
    module: tuple[str, str]
    clusters: tuple[str, str]  # the fills of nested clusters, in turn
    accent: str  # what is highlighted, and the backward pass
    forward: str
    shades: tuple[str, str]  # of magnitudes, from nothing to the largest
    signs: tuple[str, str]  # of weights, negative and positive
    sides: tuple[tuple[str, str], tuple[str, str]]  # boxes that only one of two graphs has
    changed: tuple[str, str]  # boxes with other numbers in each

    def shade(self, share: float) -> str:
        """Return the colour of a magnitude, as a share of the largest; four powers of ten below it there is none.

        Examples
        --------
        >>> THEMES["print"].shade(1.0), THEMES["print"].shade(0.0)
        ('#969696', '#ffffff')
        """
        if not share > 0:
            return self.shades[0]
        level = min(max(0.0, 1.0 + math.log10(share) / STEPS), 1.0) if share < math.inf else 1.0
        pairs = ((int(self.shades[0][i : i + 2], 16), int(self.shades[1][i : i + 2], 16)) for i in (1, 3, 5))
        return "#" + "".join(f"{round(low + (high - low) * level):02x}" for low, high in pairs)


THEMES = {
    "light": Theme(
        background="#ffffff",
        ink="#1f2933",
        faint="#7b8794",
        parameter=("#dceafb", "#3b78c2"),
        data=("#eef1f4", "#8a97a6"),
        inner=("#ffffff", "#b3bdc9"),
        root=("#fff0c9", "#d08a00"),
        op=("#e3f4e6", "#4b9b5f"),
        module=("#ece6fa", "#7a5cc0"),
        clusters=("#f6f7f9", "#ffffff"),
        accent="#cf3a2b",
        forward="#2f6fb5",
        shades=("#ffffff", "#f58b6c"),
        signs=("#cf3a2b", "#2f6fb5"),
        sides=(("#fbdcd8", "#cf3a2b"), ("#d9f2dd", "#2e8b46")),
        changed=("#fff0c9", "#d08a00"),
    ),
    "dark": Theme(
        background="#15191f",
        ink="#e6eaf0",
        faint="#8c98a8",
        parameter=("#1d3a5f", "#6ea8ea"),
        data=("#2b323c", "#77859a"),
        inner=("#1c222a", "#566273"),
        root=("#54400f", "#e5b040"),
        op=("#1e4029", "#6cc084"),
        module=("#362a5c", "#a98bf0"),
        clusters=("#1b2028", "#15191f"),
        accent="#ff7a66",
        forward="#6ea8ea",
        shades=("#1c222a", "#b8431f"),
        signs=("#ff7a66", "#6ea8ea"),
        sides=(("#5a2420", "#ff7a66"), ("#1e4029", "#6cc084")),
        changed=("#54400f", "#e5b040"),
    ),
    "print": Theme(
        background="#ffffff",
        ink="#000000",
        faint="#444444",
        parameter=("#e4e4e4", "#000000"),
        data=("#ffffff", "#888888"),
        inner=("#ffffff", "#000000"),
        root=("#ffffff", "#000000"),
        op=("#ffffff", "#000000"),
        module=("#f0f0f0", "#000000"),
        clusters=("#ffffff", "#ffffff"),
        accent="#000000",
        forward="#000000",
        shades=("#ffffff", "#969696"),
        signs=("#9a9a9a", "#000000"),
        sides=(("#c8c8c8", "#000000"), ("#e6e6e6", "#000000")),
        changed=("#ffffff", "#000000"),
    ),
}


def theme_named(name: str) -> Theme:
    """Return a theme, or raise ValueError with the names there are."""
    if name not in THEMES:
        raise ValueError(f"there is no theme {name!r}; choose one of {', '.join(THEMES)}")
    return THEMES[name]
