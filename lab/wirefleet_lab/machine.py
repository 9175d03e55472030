# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few ways the lab touches the machine: iproute2, commands inside a namespace, processes by their number."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from .topology import LabError

NETNS_DIRECTORY = Path("/run/netns")
# Debian keeps iproute2 in sbin, which is not on an ordinary user's PATH.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
COMMAND_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0


def require_programs(programs: Iterable[str]) -> None:
    """Raise LabError naming every missing program and the packages that bring them."""
    missing = [name for name in programs if shutil.which(name, path=SEARCH_PATH) is None]
    if missing:
        raise LabError(
            f"missing programs: {', '.join(missing)}", "apt-get install iproute2 iputils-ping util-linux (or the like)"
        )


def run(argv: Sequence[str], *, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; LabError with what it said when it fails and check is set."""
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        env={**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C"},
    )
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        hint = "run it as root, or through lab/enter" if "ermitted" in said or "ermission" in said else ""
        raise LabError(f"{' '.join(argv)}: {said or f'exit code {done.returncode}'}", hint)
    return done


def ip_batch(namespace: str, commands: Iterable[str]) -> None:
    """Run iproute2 commands inside a namespace, in one process and in order; stops at the first that fails."""
    run(["ip", "-n", namespace, "-batch", "-"], stdin="".join(f"{command}\n" for command in commands))


def namespace_exists(namespace: str) -> bool:
    return (NETNS_DIRECTORY / namespace).exists()


def add_namespace(namespace: str) -> None:
    """Make a named network namespace.

    Not `ip netns add`: that returns to the network it came from, which a user namespace may not do.
    """
    path = NETNS_DIRECTORY / namespace
    try:
        NETNS_DIRECTORY.mkdir(exist_ok=True)
        path.touch(exist_ok=False)
    except OSError as error:
        raise LabError(f"cannot make {path}: {error.strerror}", "run it as root, or through lab/enter") from error
    run(["unshare", f"--net={path}", "true"])


def in_namespace(namespace: str, argv: Sequence[str]) -> list[str]:
    """The argument vector that runs argv inside the namespace."""
    return ["nsenter", f"--net={NETNS_DIRECTORY / namespace}", "--", *argv]


def write_sysctls(namespace: str, settings: dict[str, str]) -> None:
    """Write keys below /proc/sys/net of a namespace."""
    script = "\n".join(f"echo {value} > /proc/sys/net/{key}" for key, value in settings.items())
    run(in_namespace(namespace, ["sh", "-ec", script]))


def pids_in(namespace: str) -> list[int]:
    """Processes whose network is this namespace."""
    if not namespace_exists(namespace):
        return []
    wanted = (NETNS_DIRECTORY / namespace).stat()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            actual = (entry / "ns" / "net").stat()
            if (actual.st_dev, actual.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.append(int(entry.name))
    return found


def stop_processes(namespace: str, first: Sequence[int] = ()) -> list[int]:
    """End every process of a namespace: ask the first ones, then the rest, then insist. Returns who was ended.

    Only processes whose network is the namespace are ever signalled, so a pid file that has gone stale harms nobody.
    """
    ended: list[int] = []
    ours = set(pids_in(namespace))
    for pids, number in (
        ([pid for pid in first if pid in ours], signal.SIGTERM),
        (None, signal.SIGTERM),
        (None, signal.SIGKILL),
    ):
        chosen = pids_in(namespace) if pids is None else pids
        for pid in chosen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                ended.append(pid)
        _wait_gone(namespace, set(chosen))
    return sorted(set(ended))


def _wait_gone(namespace: str, pids: set[int]) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while pids & set(pids_in(namespace)) and time.monotonic() < deadline:
        time.sleep(0.05)
