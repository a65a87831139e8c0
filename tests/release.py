"""Build the distributions, check them, and test each in an environment of its own; upload nothing.

    python tests/release.py                        # with this Python
    python tests/release.py --python python3.15    # with other interpreters too
    python tests/release.py --final                # the changelog must state the date, and no file may have changed

With the oldest supported Python, the tests run with the oldest NumPy too.  The wheel is built from the source
distribution, so both are complete.  The tests come from the source distribution and import the installed wheel.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OLDEST_PYTHON = re.search(r">=(\d+\.\d+)", PROJECT["requires-python"])[1]
OLDEST_NUMPY = next(re.search(r">=(.*)", name)[1] for name in PROJECT["dependencies"] if name.startswith("numpy"))
PACKAGES = ("autograd", "nn", "optim")
TESTS = (
    "tests/autograd/test_*.py",
    "tests/autograd/operations",
    "tests/autograd/transforms",
    "tests/nn/layers",
    "tests/optim/test_*.py",
)
USE = "import autograd as ag, nn, optim; ag.draw(ag.Value(2.0) * 3.0).save('f.png'); print(ag.__file__)"


def run(*command, cwd=ROOT):
    """Run a command; end with its output if it fails."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout[-5000:]}{done.stderr[-5000:]}")
    return done.stdout


def check_version(final):
    """Return the version; check that the changelog describes it, for a final release with a date."""
    version = re.search(
        r'^__version__ = "(.*)"', (ROOT / "autograd/__init__.py").read_text(encoding="utf-8"), re.MULTILINE
    )[1]
    date = r"\d{4}-\d{2}-\d{2}" if final else ".+"
    if not re.search(
        rf"^## \[{re.escape(version)}\] - {date}$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    ):
        raise SystemExit(f"CHANGELOG.md has no heading `## [{version}] - YYYY-MM-DD`")
    if final and (changed := run("git", "status", "--porcelain")):
        raise SystemExit(f"these files differ from the last commit:\n{changed}")
    return version


def build(folder):
    """Build the source distribution and, from it, the wheel; return their paths and that of the unpacked sources."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", DIST)
    (source,) = DIST.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / source.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", DIST, cwd=unpacked)
    (wheel,) = DIST.glob("*.whl")
    return source, wheel, unpacked


def try_out(python, distribution, folder, *requirements):
    """Install a distribution into a new environment, import and draw; return the interpreter of the environment."""
    run(python, "-m", "venv", "--clear", folder)
    installed = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(installed, "-m", "pip", "--disable-pip-version-check", "install", "-q", distribution, *requirements)
    if str(folder) not in (used := run(installed, "-c", USE, cwd=folder)):
        raise SystemExit(f"{used} was imported instead of the installed package")
    return installed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", default=[], help="another interpreter to test with")
    parser.add_argument("--final", action="store_true", help="require a date in the changelog and a clean checkout")
    options = parser.parse_args()
    version = check_version(options.final)
    run(sys.executable, "-m", "validate_pyproject", "pyproject.toml")
    run(sys.executable, "-m", "repo_review", ".")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        source, wheel, unpacked = build(folder)
        run(sys.executable, "-m", "twine", "check", "--strict", source, wheel)
        print(f"built and checked {source.name} and {wheel.name}")
        for package in PACKAGES:
            shutil.rmtree(unpacked / package)  # the tests shall import what is installed
        tests = [path.relative_to(unpacked) for pattern in TESTS for path in unpacked.glob(pattern)]
        try_out(sys.executable, source, folder / "from-source")
        for python in (sys.executable, *options.python):
            running = run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
            for numpy in ["numpy", f"numpy=={OLDEST_NUMPY}.*"][: 1 + (running == OLDEST_PYTHON)]:
                installed = try_out(python, wheel, folder / "environment", numpy, "hypothesis")
                run(
                    installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=", *tests, cwd=unpacked
                )
                print(f"passed the tests of the core on Python {running} with {numpy}", flush=True)
    print(f"chainrule {version} is ready: {source.relative_to(ROOT)}, {wheel.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
