# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on a rehearsed host: PREFIX/wexec runs a Windows command line, with the operator's environment kept out."""

from __future__ import annotations

import fcntl
import ntpath
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wirefleet_wsman.paths import PathRefusedError, WindowsPaths
from wirefleet_wsman.processes import ProcessScope

_KEPT_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "WINEDEBUG", "WINEDLLPATH")
_CHUNK_BYTES = 65536
_PIPE_BYTES = 4096  # what CreatePipe makes of a size of 0
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    has_read_input: bool


class Wine:
    """Runs programs of one prefix."""

    def __init__(self, prefix: Path, paths: WindowsPaths) -> None:
        self._wexec = prefix / "wexec"
        self._drive = prefix / "drive_c"
        self._paths = paths

    def find_program(self, name: str, directory: str | None) -> str | None:
        """The Windows path of a program: as given, in a directory, or on PATH; None if there is none."""
        if not ntpath.splitext(name)[1]:
            name += ".exe"
        if "\\" in name or "/" in name:
            candidates = [name, *([ntpath.join(directory, name)] if directory else [])]
        else:
            candidates = [ntpath.join(folder, name) for folder in self._paths.environment["PATH"].split(";")]
            candidates += [ntpath.join(directory, name)] if directory else []
        return next((candidate for candidate in candidates if self._is_file(candidate)), None)

    def _is_file(self, path: str) -> bool:
        try:
            return self._paths.to_local(path).is_file()
        except PathRefusedError:
            return False

    def run(
        self,
        arguments: list[str],
        scope: ProcessScope,
        *,
        directory: str | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Completed:
        """Run a program to its end. Raises ScopeEndedError, OSError."""
        process = self._start(arguments, scope, directory, environment, has_input=stdin is not None)
        writer = _Writer(process, stdin or b"")
        try:
            stdout, stderr = process.communicate()
        finally:
            scope.forget(process)
        return Completed(_exit_code(process.returncode), stdout, stderr, writer.has_come_to_its_end())

    def stream(
        self,
        arguments: list[str],
        scope: ProcessScope,
        *,
        directory: str | None,
        environment: Mapping[str, str],
        next_input: Callable[[], bytes],
        write: Callable[[str, bytes], None],
    ) -> int:
        """Run a program while its input and output flow; returns its exit code. Raises ScopeEndedError, OSError."""
        process = self._start(arguments, scope, directory, environment, has_input=True)
        assert process.stdin
        assert process.stdout
        assert process.stderr
        feeder = threading.Thread(target=_feed, args=(process.stdin, next_input), daemon=True)
        readers = [
            threading.Thread(target=_drain, args=(pipe, name, write), daemon=True)
            for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for thread in (feeder, *readers):
            thread.start()
        exit_code = process.wait()
        for thread in readers:
            thread.join()
        scope.forget(process)
        return _exit_code(exit_code)

    def _start(
        self,
        arguments: list[str],
        scope: ProcessScope,
        directory: str | None,
        environment: Mapping[str, str] | None,
        *,
        has_input: bool,
    ) -> subprocess.Popen[bytes]:
        local = self._paths.to_local(directory) if directory else self._drive
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        return scope.start(
            [self._wexec, *arguments],
            environment={**kept, "LC_ALL": "C.UTF-8", **(environment or {})},
            directory=local,
            has_input=has_input,
        )


class _Writer:
    """Hands a program its input, through a pipe that holds as much as Windows' do."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        self._pipe, self._data = process.stdin, data
        self._is_done = True
        process.stdin = None  # communicate() would close it
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        if self._pipe is None:
            return
        try:
            with self._pipe:
                fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
                self._pipe.write(self._data)
        except BrokenPipeError:
            self._is_done = False

    def has_come_to_its_end(self) -> bool:
        """Asked when the program has ended: somebody else may still hold its end of the pipe."""
        self._thread.join(_GRACE_S)
        return self._is_done and not self._thread.is_alive()


def _exit_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def _feed(pipe: IO[bytes], next_input: Callable[[], bytes]) -> None:
    try:
        with pipe:
            while chunk := next_input():
                pipe.write(chunk)
                pipe.flush()
    except OSError:
        return  # the program does not read any more


def _drain(pipe: IO[bytes], name: str, write: Callable[[str, bytes], None]) -> None:
    with pipe:
        while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
            write(name, chunk)
