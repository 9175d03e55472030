# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is built once and used by every rehearsal: products, each named by a hash of all that it is made from."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
SOURCES = HERE.parent / "wine"
COMMAND_TIMEOUT_S = 300.0
UNUSED_S = 7 * 86400


class RehearsalError(Exception):
    """The rehearsal cannot do what was asked; the hint says what its user can do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def cache_directory() -> Path:
    """WIREFLEET_REHEARSAL_CACHE, or ~/.cache/wirefleet/rehearsal."""
    given = os.environ.get("WIREFLEET_REHEARSAL_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "wirefleet" / "rehearsal"


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Two runs at once must not build the same thing twice."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def product(name: str, made_from: Iterable[str], build: Callable[[Path], None]) -> Path:
    """The directory of a product, built if it is not there yet.

    build: fills the directory it is given; nothing is kept when it raises. Products of the same name that nobody has
    used for a week are removed; others may belong to a rehearsal that runs.
    """
    key = hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:16]
    target = cache_directory() / f"{name}-{key}"
    with _locked(name):
        if not target.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache_directory()))
            try:
                build(scratch)
                scratch.chmod(0o755)
                scratch.rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        os.utime(target)
        for other in cache_directory().glob(f"{name}-{'[0-9a-f]' * 16}"):
            if time.time() - other.stat().st_mtime > UNUSED_S:
                shutil.rmtree(other, ignore_errors=True)
    return target


def file_sums(paths: Iterable[Path]) -> list[str]:
    """A line per file: its name and the SHA-256 of its contents; directories stand for what is below them."""
    files = {entry for path in paths for entry in (path.rglob("*") if path.is_dir() else [path]) if entry.is_file()}
    return [f"{path.name} {sha256(path)}" for path in sorted(files) if path.suffix != ".pyc"]


def sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def run(argv: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run one command to its end and return what it printed; RehearsalError with its last words when it fails."""
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise RehearsalError(f"{argv[0]} is not there", "run scripts/setup.sh rehearsal") from error
    if done.returncode != 0:
        raise RehearsalError(f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout
