# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Network namespaces, veth links and processes for tests. Whatever is made here is removed again, also on failure.

::

    with Lab() as lab:
        left, right = lab.namespace("left"), lab.namespace("right")
        lab.link(left, right, "192.0.2.1/24", "192.0.2.2/24")
        left.run("ping", "-c1", "192.0.2.2")
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

PREFIX = "wf-t-"
COMMAND_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 5.0
_CLONE_NEWNET = 0x40000000
_MAX_LINK_NAME = 15

_Result = TypeVar("_Result")
_numbers = itertools.count()


class CommandFailed(AssertionError):
    """A command that a test counts on failed; the message carries its output."""


def can_make_namespaces() -> bool:
    return os.geteuid() == 0 and Path("/dev/net/tun").exists() and shutil.which("ip") is not None


def wait_until(claim: Callable[[], object], what: str, timeout_s: float = 15.0) -> None:
    """Poll a claim about the real world; AssertionError after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain: {what}")
        time.sleep(0.05)


class Process:
    """A started process with its output in a file; stopped at the end of the lab at the latest."""

    def __init__(self, command: Sequence[str], log: Path, env: dict[str, str]) -> None:
        self.command = list(command)
        self.log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def signal(self, signum: int) -> None:
        if self.is_running:
            self._popen.send_signal(signum)

    def wait(self, timeout_s: float = COMMAND_TIMEOUT_S) -> int:
        return self._popen.wait(timeout_s)

    def stop(self) -> int:
        """SIGTERM, and SIGKILL if that does not help; returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait(_STOP_TIMEOUT_S)


class Namespace:
    """One network namespace; its name begins with ``wf-t-`` and is unique on the machine."""

    def __init__(self, lab: Lab, label: str) -> None:
        self._lab = lab
        self.label = label
        self.name = f"{PREFIX}{os.getpid()}-{next(_numbers)}-{label}"
        run("ip", "netns", "add", self.name)
        self._worker = ThreadPoolExecutor(1, self.name, self._enter)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def path(self) -> Path:
        return Path("/run/netns") / self.name

    def wrap(self, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    def run(
        self,
        *command: str,
        check: bool = True,
        text: str | None = None,
        timeout_s: float = COMMAND_TIMEOUT_S,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end in the namespace; raises CommandFailed with the output when ``check`` and it fails."""
        return run(*self.wrap(command), check=check, text=text, timeout_s=timeout_s, env=env)

    def start(self, *command: str, env: dict[str, str] | None = None) -> Process:
        return self._lab.start(self.wrap(command), env=env)

    def call(self, action: Callable[[], _Result]) -> _Result:
        """Run Python code in the namespace's own thread: only a thread changes its namespace, not the test.

        Sockets and TUN descriptors opened there stay in the namespace, whoever uses them later.
        """
        return self._worker.submit(action).result()

    def close(self) -> None:
        self._worker.shutdown()

    def _enter(self) -> None:
        with self.path.open("rb") as handle:
            if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def processes(self) -> list[int]:
        return [int(pid) for pid in run("ip", "netns", "pids", self.name, check=False).stdout.split()]


class Lab:
    """Namespaces, links and processes of one test."""

    def __init__(self) -> None:
        self._namespaces: list[Namespace] = []
        self._processes: list[Process] = []
        self.directory = Path(tempfile.mkdtemp(prefix="wf-t-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for process in self._processes:
                print(f"--- {' '.join(process.command)} (pid {process.pid})\n{process.output[-4000:]}")
        self.close()

    def namespace(self, label: str) -> Namespace:
        namespace = Namespace(self, label)
        self._namespaces.append(namespace)
        return namespace

    def link(self, left: Namespace, right: Namespace, left_cidrs: str, right_cidrs: str) -> tuple[str, str]:
        """A veth pair between two namespaces, with the space-separated addresses; returns both interface names."""
        number = next(_numbers)
        names = (f"v{number}-{right.label}"[:_MAX_LINK_NAME], f"v{number}-{left.label}"[:_MAX_LINK_NAME])
        run(
            "ip",
            "link",
            "add",
            names[0],
            "netns",
            left.name,
            "type",
            "veth",
            "peer",
            "name",
            names[1],
            "netns",
            right.name,
        )
        for namespace, name, cidrs in ((left, names[0], left_cidrs), (right, names[1], right_cidrs)):
            for cidr in cidrs.split():
                flags = ("nodad",) if ":" in cidr else ()
                namespace.run("ip", "address", "add", cidr, "dev", name, *flags)
            namespace.run("ip", "link", "set", name, "up")
        return names

    def start(self, command: Sequence[str], *, env: dict[str, str] | None = None) -> Process:
        log = self.directory / f"process-{len(self._processes)}.log"
        process = Process(command, log, {**os.environ, **(env or {})})
        self._processes.append(process)
        return process

    def log_of(self, argument: str) -> str:
        """What the programs that were started with this argument have printed."""
        return "".join(process.output for process in self._processes if argument in process.command)

    def close(self) -> None:
        """Stop everything started here, daemons that left their parents included, and remove the namespaces."""
        for process in reversed(self._processes):
            process.stop()
        for namespace in reversed(self._namespaces):
            namespace.close()
            self._end_daemons(namespace)
            run("ip", "netns", "delete", namespace.name, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end_daemons(self, namespace: Namespace) -> None:
        for signum in (signal.SIGTERM, signal.SIGKILL):
            for pid in namespace.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signum)
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            while namespace.processes() and time.monotonic() < deadline:
                time.sleep(0.05)


def run(
    *command: str,
    check: bool = True,
    text: str | None = None,
    timeout_s: float = COMMAND_TIMEOUT_S,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if check and result.returncode != 0:
        raise CommandFailed(f"{' '.join(command)} -> {result.returncode}\n{result.stdout}{result.stderr}")
    return result


@contextlib.contextmanager
def single_namespace(label: str) -> Iterator[Namespace]:
    with Lab() as lab:
        yield lab.namespace(label)
