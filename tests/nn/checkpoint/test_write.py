"""Whatever happens during a save, the previous file is whole."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nn
from autograd.files import _machine, append, replacing
from nn import checkpoint

SCRIPT = Path(__file__).with_name("killed_saves.py")
posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks of POSIX systems")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.npz"
    checkpoint.save(path, step=1)
    return path


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(nn.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)], env=environment, stdout=subprocess.PIPE, text=True
    )


@posix
def test_save_killed_at_any_point_leaves_a_complete_file(tmp_path):
    with start(tmp_path / "run.npz", "points") as process:
        lines = [line.split(",") for line in process.communicate()[0].splitlines()]
    assert process.returncode == 0
    assert len(lines) == 27
    assert {int(ended) for _, ended, _, _ in lines} == {signal.SIGKILL}
    for point, _, found, _ in lines[:-1]:
        assert found == "0", point
    # the rename is the moment from which on the new file is there
    assert lines[-1][0] == "after the rename"
    assert lines[-1][2] == lines[-1][3]


@posix
@pytest.mark.parametrize("saves", [1, 2, 5])
def test_save_killed_by_a_signal_leaves_a_complete_file(tmp_path, saves):
    path = tmp_path / "run.npz"
    with start(path, "endless") as process:
        for _ in range(saves):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read().split()
    found = checkpoint.load(path)
    assert found["step"] - (int(rest[-1]) if rest else saves) in (0, 1)
    assert (found["w"] == np.arange(2000.0)).all()


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device"), RuntimeError, SystemExit]
)
@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_exception_keeps_the_old_file_and_removes_the_new_one(path, monkeypatch, error, where):
    def fail(*args, **kwargs):
        if where == "write":
            args[0].write(b"begun")
        raise error

    owner, name = {
        "write": (checkpoint, "write_tree"), "fsync": (os, "fsync"), "replace": (Path, "replace")
    }[where]  # fmt: skip
    monkeypatch.setattr(owner, name, fail)
    kind = error if isinstance(error, type) else type(error)
    with pytest.raises(kind) as info:
        checkpoint.save(path, step=2)
    monkeypatch.undo()
    if kind is OSError:
        assert str(path) in str(info.value)
        assert "No space left" in str(info.value)
    assert checkpoint.load(path) == {"step": 1}
    assert [p.name for p in path.parent.iterdir()] == ["run.npz"]


@posix
def test_file_size_limit_keeps_the_old_file(path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match=r"run\.npz"):
            checkpoint.save(path, w=np.zeros(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoint.load(path) == {"step": 1}
    assert len(list(path.parent.iterdir())) == 1


def test_contents_reach_the_disk_before_the_name_and_the_folder_after_it(path, monkeypatch):
    calls = []

    def noting(owner, name, note):
        function = getattr(owner, name)

        def noted(*args, **kwargs):
            calls.append(note(*args))
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    noting(
        os,
        "fsync",
        lambda fd: "flush folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else f"flush {os.fstat(fd).st_size}",
    )
    noting(Path, "replace", lambda source, target: "rename")
    checkpoint.save(path, step=2)
    assert calls == [f"flush {path.stat().st_size}", "rename", "flush folder"][: 3 if os.name == "posix" else 2]


@posix
def test_mode_bits_are_kept(path, tmp_path):
    path.chmod(0o640)
    checkpoint.save(path, step=2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        checkpoint.save(tmp_path / "new", step=2)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@posix
def test_symbolic_link_keeps_its_target(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "latest"
    link.symlink_to(path)
    checkpoint.save(link, step=2)
    assert link.is_symlink()
    assert checkpoint.load(path) == {"step": 2}
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "target")
    checkpoint.save(dangling, step=3)
    assert checkpoint.load(tmp_path / "target") == {"step": 3}


def test_names_are_used_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("model", "m.npz.tmp", "x" * 255, "ü.npz", Path("in path")):
        checkpoint.save(name, step=1)
        assert (tmp_path / name).is_file()
    assert len(list(tmp_path.iterdir())) == 5


def test_save_to_an_unwritable_place_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"does not exist.*missing"):
        checkpoint.save(tmp_path / "missing" / "run.npz", step=1)
    with pytest.raises(ValueError, match="it is a directory"):
        checkpoint.save(tmp_path, step=1)
    assert list(tmp_path.iterdir()) == []


@posix
def test_pipe_or_device_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"  # stands for a device, which a broken check would replace for the whole machine
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="a device or pipe"):
        checkpoint.save(pipe, step=1)
    assert pipe.is_fifo()


@posix
def test_save_removes_what_killed_saves_left(path):
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left, living = (f".{_machine()}-{pid}-00.tmp" for pid in (int(child.stdout), os.getppid()))
    for name in (left, living, ".another-1-00.tmp", f".{_machine()}-x-00.tmp"):
        path.with_name(name).write_text("unfinished")
    checkpoint.save(path, step=2)
    assert not path.with_name(left).exists()
    assert len(list(path.parent.iterdir())) == 4


def test_errors_of_writing_name_the_file_once(path):
    with pytest.raises(OSError, match="No space left") as caught, replacing(path):
        raise OSError(28, "No space left on device")
    assert str(caught.value) == f"[Errno 28] No space left on device: {str(path)!r}"
    with pytest.raises(FileNotFoundError, match="another") as caught, replacing(path):
        path.with_name("another").open()  # not an error of writing this file


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux that has no space left")
def test_line_for_a_full_disk_raises_an_error_with_the_name():
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        append("/dev/full", "a line")


def test_existing_temporary_file_is_not_overwritten(path, monkeypatch):
    taken = path.with_name(f".{_machine()}-{os.getpid()}-{bytes(8).hex()}.tmp")
    taken.write_text("mine")
    monkeypatch.setattr(os, "urandom", lambda count: bytes(count))
    with pytest.raises(FileExistsError), replacing(path):
        pass
    assert taken.read_text() == "mine"
    assert checkpoint.load(path) == {"step": 1}
