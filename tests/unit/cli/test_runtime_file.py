"""The file by which commands find an embedded run."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stormfold.cli.errors import UserError
from stormfold.cli.runtime_file import Running, folder, read, remove, write


def running(pid: int, started_at: int = 1) -> Running:
    return Running(
        url="http://127.0.0.1:8080",
        kafka="127.0.0.1:9092",
        redis="redis://127.0.0.1:6379/0",
        profile="embedded",
        namespace="sf",
        operator_token="operator-secret",
        source_tokens={"prometheus": "source-secret"},
        pid=pid,
        started_at=started_at,
    )


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_written_for_this_user_alone_and_read_back(tmp_path: Path) -> None:
    place = tmp_path / "stormfold"
    file = write(running(os.getpid()), place)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert read(place) == running(os.getpid())
    write(running(os.getpid(), 5), place)
    found = read(place)
    assert found is not None
    assert found.started_at == 5
    assert [entry.name for entry in place.iterdir()] == [file.name]
    remove(os.getpid(), place)
    remove(os.getpid(), place)
    assert read(place) is None
    assert list(place.iterdir()) == []


def test_nothing_is_made_by_reading(tmp_path: Path) -> None:
    assert read(tmp_path / "stormfold") is None
    remove(1, tmp_path / "stormfold")
    assert list(tmp_path.iterdir()) == []


def test_the_newest_living_run_is_found_and_dead_ones_are_removed(tmp_path: Path, gone: int) -> None:
    place = tmp_path / "stormfold"
    stale = write(running(gone, 99), place)
    write(running(os.getpid(), 2), place)
    write(running(os.getppid(), 1), place)
    found = read(place)
    assert found is not None
    assert found.pid == os.getpid()
    assert not stale.exists()


def test_no_symbolic_link_is_followed(tmp_path: Path) -> None:
    place, victim = tmp_path / "stormfold", tmp_path / "victim"
    place.mkdir(mode=0o700)
    victim.write_text("precious")
    name = f"run-{os.getpid()}.json"
    (place / name).symlink_to(victim)
    (place / f"{name}.part").symlink_to(victim)
    assert read(place) is None
    (place / name).symlink_to(victim)
    write(running(os.getpid()), place)
    assert victim.read_text() == "precious"
    assert not (place / name).is_symlink()
    linked = tmp_path / "linked"
    linked.symlink_to(place)
    with pytest.raises(UserError, match="cannot be used"):
        read(linked)


def test_a_folder_or_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "stormfold"
    write(running(os.getpid()), place).chmod(0o644)
    assert read(place) is None
    place.chmod(0o755)
    with pytest.raises(UserError, match="is open to others"):
        write(running(os.getpid()), place)
    with pytest.raises(UserError, match="is open to others"):
        read(place)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}', b"\xff"])
def test_a_file_that_is_not_understood_is_no_run(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "stormfold"
    write(running(os.getpid()), place).write_bytes(content)
    assert read(place) is None


def test_where_it_is(tmp_path: Path) -> None:
    assert folder({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "stormfold"
    for environ in ({}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": str(tmp_path / "missing")}):
        assert folder(environ).name == f"stormfold-{os.getuid()}"


def test_tokens_are_not_in_its_text() -> None:
    assert "secret" not in repr(running(1))
