# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote shells and their commands.

A command runs in a thread of its own and belongs to its shell, not to the connection that started it: it goes
on when the connection is cut, until it ends, is terminated, or its shell has not been used for the idle time-out.
Source: MS-WSMV 3.1.1, 3.1.4.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from wirefleet_wsman.processes import ProcessScope

MAX_STDIN_BYTES = 512 * 1024 * 1024
MAX_PENDING_OUTPUT_BYTES = 64 * 1024 * 1024

CommandBody = Callable[["Command"], int]


class ShellNotFoundError(Exception):
    """There is no such shell, or it was deleted."""


class CommandNotFoundError(Exception):
    """The shell has no such command, or it was terminated."""


class QuotaExceededError(Exception):
    """The shell has run as many commands as it may."""


class InputRefusedError(Exception):
    """More input than a command takes, or input after its end."""


class TooManyShellsError(Exception):
    """The user has as many shells as the host allows."""


@dataclass(frozen=True, slots=True)
class Output:
    """What Receive hands over. exit_code: None while the command runs or has more output."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None


class Command:
    """One command: input arrives in chunks, output is taken as it comes.

    line: the command line. Its body reads `wait_input()` or `next_input()` and writes `write()`.
    """

    def __init__(self, line: str, *, takes_input: bool, environment: dict[str, str], directory: str) -> None:
        self.command_id = str(uuid.uuid4()).upper()
        self.line = line
        self.environment = environment
        self.directory = directory
        self.processes = ProcessScope()
        self._changed = threading.Condition()
        self._input: list[bytes] = []
        self._input_bytes = 0
        self._input_ended = not takes_input
        self._output = {"stdout": bytearray(), "stderr": bytearray()}
        self._exit_code: int | None = None

    def start(self, body: CommandBody) -> None:
        """Run the body in a thread; what it returns is the exit code."""
        threading.Thread(target=self._run, args=(body,), name=f"command-{self.command_id}", daemon=True).start()

    def _run(self, body: CommandBody) -> None:
        exit_code = 1
        try:
            exit_code = body(self)
        except Exception as error:  # noqa: BLE001 - a supervisor: the client must get an end, whatever happened
            self.write("stderr", f"rehearsal: {type(error).__name__}: {error}\r\n".encode())
        finally:
            self.processes.end()
            with self._changed:
                self._exit_code = exit_code
                self._changed.notify_all()

    @property
    def is_running(self) -> bool:
        """Whether the body has not returned yet."""
        with self._changed:
            return self._exit_code is None

    def add_input(self, data: bytes, *, is_last: bool) -> None:
        """A chunk of standard input. Raises InputRefusedError."""
        with self._changed:
            if self._input_ended:
                raise InputRefusedError("input after its end")
            self._input_bytes += len(data)
            if self._input_bytes > MAX_STDIN_BYTES:
                raise InputRefusedError("too much input")
            self._input.append(data)
            self._input_ended = is_last
            self._changed.notify_all()

    def next_input(self) -> bytes:
        """The next chunk of input, b"" at its end or when the command was terminated."""
        with self._changed:
            self._changed.wait_for(lambda: self._input or self._input_ended)
            return self._input.pop(0) if self._input else b""

    def wait_input(self) -> bytes:
        """All input, when it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._input_ended)
            data = b"".join(self._input)
            self._input.clear()
            return data

    def write(self, stream: str, data: bytes) -> None:
        """Output on stdout or stderr; waits while the client does not fetch what is there."""
        with self._changed:
            buffer = self._output[stream]
            self._changed.wait_for(lambda: len(buffer) < MAX_PENDING_OUTPUT_BYTES or self.processes.ended.is_set())
            buffer += data
            self._changed.notify_all()

    def take_output(self, max_bytes: int, timeout_s: float) -> Output | None:
        """Output of up to max_bytes, as soon as there is any; None if there is none and the command still runs."""
        with self._changed:
            self._changed.wait_for(lambda: any(self._output.values()) or self._exit_code is not None, timeout_s)
            taken: dict[str, bytes] = {}
            for name, buffer in self._output.items():
                size = min(len(buffer), max_bytes - sum(len(part) for part in taken.values()))
                taken[name] = bytes(buffer[:size])
                del buffer[:size]
            self._changed.notify_all()
            exit_code = None if any(self._output.values()) else self._exit_code
            if not any(taken.values()) and exit_code is None:
                return None
            return Output(taken["stdout"], taken["stderr"], exit_code)

    def terminate(self) -> None:
        """End the command and its processes. Idempotent."""
        self.processes.end()
        with self._changed:
            self._input_ended = True
            self._changed.notify_all()


@dataclass
class Shell:
    """A remote shell: what its commands share."""

    idle_timeout_s: float
    environment: dict[str, str]
    directory: str
    shell_id: str = field(default_factory=lambda: str(uuid.uuid4()).upper())
    commands: dict[str, Command] = field(default_factory=dict)
    commands_started: int = 0
    last_used_s: float = 0.0


class Shells:
    """The shells of a host.

    max_commands: of one shell in its life (winrs never decrements its count; clients make a new shell then).
    clock: monotonic seconds.
    """

    def __init__(
        self, *, max_shells: int = 30, max_commands: int = 1500, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_shells = max_shells
        self._max_commands = max_commands
        self._clock = clock
        self._lock = threading.Lock()
        self._shells: dict[str, Shell] = {}

    def create(self, *, idle_timeout_s: float, environment: dict[str, str], directory: str) -> Shell:
        """A new shell. Raises TooManyShellsError."""
        with self._lock:
            if len(self._shells) >= self._max_shells:
                raise TooManyShellsError(f"more than {self._max_shells} shells")
            shell = Shell(idle_timeout_s, environment, directory, last_used_s=self._clock())
            self._shells[shell.shell_id] = shell
            return shell

    def use(self, shell_id: str | None) -> Shell:
        """The shell, whose idle time begins anew. Raises ShellNotFoundError."""
        with self._lock:
            shell = self._shells.get((shell_id or "").upper())
            if shell is None:
                raise ShellNotFoundError(shell_id or "")
            shell.last_used_s = self._clock()
            return shell

    def add_command(self, shell: Shell, command: Command) -> None:
        """Count a command in. Raises QuotaExceededError."""
        with self._lock:
            if shell.commands_started >= self._max_commands:
                raise QuotaExceededError(f"more than {self._max_commands} commands")
            shell.commands_started += 1
            shell.commands[command.command_id] = command

    def find_command(self, shell: Shell, command_id: str | None) -> Command:
        """Raises CommandNotFoundError."""
        with self._lock:
            command = shell.commands.get((command_id or "").upper())
        if command is None:
            raise CommandNotFoundError(command_id or "")
        return command

    def end_command(self, shell: Shell, command_id: str | None) -> None:
        """Terminate a command and forget it. Raises CommandNotFoundError."""
        command = self.find_command(shell, command_id)
        command.terminate()
        with self._lock:
            shell.commands.pop(command.command_id, None)

    def delete(self, shell_id: str | None) -> None:
        """End a shell with all its commands. Raises ShellNotFoundError."""
        with self._lock:
            shell = self._shells.pop((shell_id or "").upper(), None)
        if shell is None:
            raise ShellNotFoundError(shell_id or "")
        for command in list(shell.commands.values()):
            command.terminate()

    def end_idle(self) -> list[str]:
        """End the shells that nobody has used for their idle time-out; returns their identifiers."""
        now = self._clock()
        with self._lock:
            idle = [key for key, shell in self._shells.items() if now - shell.last_used_s >= shell.idle_timeout_s]
        for shell_id in idle:
            self.delete(shell_id)
        return idle

    def end_all(self) -> None:
        """End every shell."""
        with self._lock:
            everything = list(self._shells)
        for shell_id in everything:
            self.delete(shell_id)
