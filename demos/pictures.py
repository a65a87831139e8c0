"""Draw the graphs of the walkthrough and of a small network again, for the tables of contents.

    python demos/pictures.py            write demos/pictures/*.svg, those that are not current
    python demos/pictures.py --check    only check that they are current; exit 1 if not
    python demos/pictures.py --film     also film the page of the first example; needs Chromium, playwright and Pillow

A picture is current if the graph that its demo builds now is the one it was drawn from: each SVG carries a
fingerprint of its DOT text, since two drawing engines never agree on the pixels.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import nn
from autograd import Tensor, Value, draw, play
from autograd.files import write_atomically

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "pictures"


def drawings() -> dict[str, object]:
    """Run the walkthrough in a folder of its own and return the drawing of each step that makes one."""
    found = {}
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)
        try:
            for path in sorted(HERE.glob("[0-9][0-9]_*.py")):
                if "picture = draw(" in path.read_text(encoding="utf-8"):
                    found[path.stem] = runpy.run_path(str(path))["picture"]
        finally:
            os.chdir(before)
    return found


def first_example() -> Value:
    """Return the result of the first example of the README."""
    a, b, c = Value(2.0, name="a"), Value(-3.0, name="b"), Value(6.5, name="c")
    f = (a * b + c).tanh()
    f.name = "f"
    f.backward()
    return f


def film(path: Path) -> None:
    """Write an animated GIF of the page of the first example, one frame for each step."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    frames = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 820, "height": 735}, reduced_motion="reduce")
        page.set_content(play(first_example()).html)
        for _ in range(int(page.inner_text("#count").split("/")[1]) + 1):
            frames.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
            page.keyboard.press("ArrowRight")
        browser.close()
    palette = frames[-1].quantize(40)  # one for all frames, so that only what changes is stored
    first, *others = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    times = [*[1800] * len(others), 4000]
    first.save(path, save_all=True, append_images=others, duration=times, loop=0, optimize=True)


def examples() -> dict[str, object]:
    """Return the first example of the README, and one step of a training: its layers, and both passes."""
    model, criterion = nn.MLP(2, [3, 1], activation="tanh", rng=1), nn.BCEWithLogitsLoss()
    x, y = np.array([[0.5, -1.0], [1.0, 2.0]]), Tensor([[1.0], [0.0]], name="y")

    def loss(z):
        found = criterion(z, y)
        found.name = "loss"
        return found

    return {
        "first": draw(first_example()),
        "layers": draw(model, x, loss=loss, zoom="layers", gradients=False),
        "passes": nn.draw_passes(model),
    }


def fingerprint(drawing) -> str:
    """Return the mark that a picture of this drawing carries."""
    return f"<!-- drawn from {hashlib.sha256(drawing.source.encode()).hexdigest()[:16]} -->"


def main(argv: list[str] | None = None) -> int:
    """Write the pictures, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a picture is not current")
    parser.add_argument("--film", action="store_true", help="also film the interactive page with Chromium")
    args = parser.parse_args(argv)
    sys.path.insert(0, str(HERE))
    stale = []
    for name, drawing in {**drawings(), **examples()}.items():
        path = FOLDER / f"{name}.svg"
        if path.exists() and fingerprint(drawing) in path.read_text(encoding="utf-8"):
            if not args.check:
                print(f"{path.relative_to(HERE.parent)} is current")
        elif args.check:
            stale.append(path.name)
        else:
            FOLDER.mkdir(exist_ok=True)
            write_atomically(path, f"{drawing.svg().rstrip()}\n{fingerprint(drawing)}\n")
            print(f"wrote {path.relative_to(HERE.parent)}")
    if args.film:
        film(FOLDER / "play.gif")
    if stale:
        print(f"not current: {', '.join(stale)}; draw them again with: make pictures", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
