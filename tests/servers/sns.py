"""Senders that sign as Amazon SNS does, in an environment of their own that is made on first use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

from tests.servers.process import ServerMissing, ServerProcess, free_port, http_ok, private_directory

_LOCK = Path(__file__).parents[1] / "sns" / "requirements.lock"
_DEADLINE_S = 240.0


def environment() -> Path:
    """The Python of the environment, made in the user's cache. Raises ServerMissing where it cannot be made."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stormfold"
    # 3.11 has wheels for all of it, wherever it is; any other that stormfold runs on is tried.
    interpreter = shutil.which("python3.11") or sys.executable
    named = hashlib.sha256(_LOCK.read_bytes() + interpreter.encode()).hexdigest()[:12]
    target = base / f"sns-{named}"
    python = target / "bin" / "python"
    if python.exists():
        return python
    base.mkdir(parents=True, exist_ok=True)
    with (base / "sns.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test run may be making the same
        if not python.exists():
            # Scripts in it name its place, so it is made where it stays, and complete when it has its name.
            with tempfile.TemporaryDirectory(dir=base) as scratch:
                made = Path(scratch) / "env"
                _uv("venv", "--quiet", "--relocatable", "--python", interpreter, str(made))
                into = ("--python", str(made / "bin" / "python"))
                _uv("pip", "sync", "--quiet", "--require-hashes", "--only-binary", ":all:", *into, str(_LOCK))
                made.rename(target)
    return python


def _uv(*arguments: str) -> None:
    given = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_CONFIG": "1"}
    try:
        done = subprocess.run(
            [find_uv_bin(), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            env=given,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerMissing(f"tests/sns: its packages did not arrive within {_DEADLINE_S:.0f} s") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise ServerMissing(f"tests/sns: its packages cannot be installed: {said}")


class Sns:
    """A server that speaks the SNS API at `url`; `account` is whose topics are."""

    def __init__(self, url: str, account: str, process: ServerProcess) -> None:
        self.url = url
        self.account = account
        self.stop = process.stop


def localstack() -> Sns:
    """LocalStack with SNS only: both versions of the signature, confirmations, certificates at its own address."""
    python, directory, port = environment(), private_directory("localstack"), free_port()
    place = f"127.0.0.1:{port}"
    given = {
        "GATEWAY_LISTEN": place,
        "LOCALSTACK_HOST": place,
        "SERVICES": "sns",
        "STRICT_SERVICE_LOADING": "1",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "XDG_CACHE_HOME": str(directory / "cache"),
    }
    words = [f"{name}={value}" for name, value in given.items()]
    process = ServerProcess("localstack", ["env", *words, str(python), "-m", "localstack.runtime.main"], directory)
    process.wait_ready(lambda: http_ok(f"http://{place}/_localstack/health"))
    return Sns(f"http://{place}", "000000000000", process)


def moto() -> Sns:
    """moto: version 2 of the signature for messages without a subject, certificates at Amazon's address."""
    python, directory, port = environment(), private_directory("moto"), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = ServerProcess("moto", command, directory)
    process.wait_ready(lambda: http_ok(f"{url}/moto-api/data.json"))
    return Sns(url, "123456789012", process)


if __name__ == "__main__":
    try:
        print(f"Signatures of SNS are tested with {environment()}")
    except ServerMissing as missing:
        print(f"Tests with signatures of SNS are skipped: {missing}")
