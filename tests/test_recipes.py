"""The recipes of CONTRIBUTING, performed on a copy of the project: what they add must pass the enumerated tests."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# heading -> the word that its tests bear, and the tests of which some must be among them
RECIPES = {
    "An operation": ("sech", {"test_primitives.py", "trigonometry.py"}),
    "A layer": ("Scale", {"test_gradients.py", "test_module.py", "linear.py"}),
    "A loss": ("Cauchy", {"test_gradients.py", "loss.py"}),
    "An optimizer": ("HeavyBall", {"test_optimizers.py", "sgd.py"}),
    "A schedule": ("inverse_root", {"test_lr_scheduler.py"}),
}
WHERE = (
    "tests/autograd/test_primitives.py", "tests/nn/test_gradients.py", "tests/nn/test_module.py",
    "tests/optim/test_optimizers.py", "tests/optim/test_lr_scheduler.py", "autograd/operations/trigonometry.py",
    "nn/layers/linear.py", "nn/loss.py", "nn/functional/regression.py", "optim/algorithms/sgd.py",
    "optim/lr_scheduler/decay.py",
)  # fmt: skip


def recipes():
    """Heading -> pieces of code, each with the file it goes to and the name it goes before, or None for the end."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = {}
    for heading, body in re.findall(r"^### (.*?)\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL):
        for code in re.findall(r"```python\n(.*?)```", textwrap.dedent(body), re.DOTALL):
            place, piece = textwrap.dedent(code).split("\n", 1)
            file, name = re.fullmatch(r"# (\S+?)(?:, before (\w+))?", place).groups()
            found.setdefault(heading, []).append((file, name, piece))
    return found


def test_each_recipe_exports_a_name_and_ends_with_a_test():
    assert set(recipes()) == set(RECIPES)
    for heading, pieces in recipes().items():
        *_, (last, _, _) = pieces
        assert last.startswith("tests/") or heading == "An operation"  # whose sample is in its decorator
        assert any("__all__" in piece for _, _, piece in pieces)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project in which every recipe was followed."""
    folder = tmp_path_factory.mktemp("recipes")
    for name in ("autograd", "nn", "optim", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("benchmarks"))
    shutil.copy2(ROOT / "pyproject.toml", folder)
    for pieces in recipes().values():
        for file, name, piece in pieces:
            path = folder / file
            text = path.read_text(encoding="utf-8")
            at = re.search(rf"^{name}\b", text, re.MULTILINE).start() if name else len(text)
            path.write_text(f"{text[:at]}\n\n{piece}\n{text[at:]}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def passed(copy):
    """The tests about what was added, as pytest names them; all of them must pass."""
    words = " or ".join([*(word for word, _ in RECIPES.values()), "InverseRootLR"])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-k", words, *WHERE],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy), "OPENBLAS_NUM_THREADS": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return re.findall(r"^PASSED (\S+)", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("heading", RECIPES)
def test_what_a_recipe_adds_works(heading, passed):
    word, files = RECIPES[heading]
    tests = [test for test in passed if word in test]
    assert files <= {Path(test.split("::")[0]).name for test in tests}


TRAINING = """
import autograd, nn, numpy, optim
x = numpy.array([0.5, 1.0, 2.0])
layer, criterion = nn.Scale(3), nn.CauchyLoss()
optimizer = optim.HeavyBall(layer.parameters(), lr=0.1)
schedule = optim.lr_scheduler.InverseRootLR(optimizer)
step = autograd.compile(lambda x: criterion(autograd.sech(layer(x)), x))
losses = []
for _ in range(20):
    losses.append(step(x).item())
    optimizer.step()
    optimizer.zero_grad()
    schedule.step()
print(losses[-1] < losses[0], bool(autograd.gradgradcheck(autograd.sech, 0.3)), *layer.state_dict())
"""


def test_what_the_recipes_add_trains_together(copy):
    done = subprocess.run(
        [sys.executable, "-c", TRAINING], cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True", "weight"], done.stderr
