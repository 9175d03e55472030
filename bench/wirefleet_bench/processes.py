# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc says about one process: processor time, memory, whose daemon it is."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from wirefleet_lab.machine import pids_in

from .errors import BenchError

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_END_TIMEOUT_S = 5.0
_PROC = Path("/proc")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD


class Stat(NamedTuple):
    """cpu_s: user and system seconds. is_zombie: it has ended and nobody has asked how."""

    name: str
    cpu_s: float
    is_zombie: bool
    is_kernel_thread: bool


def parse_stat(text: str) -> Stat:
    """From /proc/PID/stat; the name may hold blanks and parentheses."""
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return Stat(name, cpu_s, fields[0] == "Z", bool(int(fields[6]) & _KERNEL_THREAD))


def parse_rss_kib(text: str) -> int:
    """VmRSS from /proc/PID/status. Raises ValueError if there is none."""
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError("no VmRSS")


def cpu_s(pid: int) -> float:
    """User and system seconds of all threads since the process began, to a hundredth."""
    return parse_stat(_read(pid, "stat")).cpu_s


def rss_kib(pid: int) -> int:
    """Resident memory."""
    return parse_rss_kib(_read(pid, "status"))


def daemon_pid(namespace: str, interface: str) -> int:
    """The process of the namespace that was called with this name. Raises BenchError unless it is one."""
    found = []
    for pid in pids_in(namespace):
        with contextlib.suppress(OSError):
            arguments = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
            if interface.encode() in arguments[1:]:
                found.append(pid)
    if len(found) != 1:
        raise BenchError(f"{len(found)} processes serve {interface} in {namespace}, not one")
    return found[0]


def end(pid: int) -> None:
    """SIGTERM to a daemon that is not our child, SIGKILL if it is still there after 5 s."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + _END_TIMEOUT_S
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return
            time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not parse_stat(text).is_zombie


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BenchError(f"process {pid} is gone: {error.strerror}") from error
