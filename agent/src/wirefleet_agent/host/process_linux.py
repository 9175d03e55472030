# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The service's user and effective capabilities on Linux."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

assert sys.platform != "win32"  # nothing below means anything there

from .private_files import os_failure
from .process_facts import ProcessReport

_STATUS = Path("/proc/self/status")
_EFFECTIVE = "CapEff:"
# In the order of their numbers, linux/capability.h.
_CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip


class LinuxProcess:
    """ProcessFacts of Linux. status: /proc/PID/status."""

    def __init__(self) -> None:
        self.status = _STATUS

    def report(self) -> ProcessReport:
        try:
            lines = self.status.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError as error:
            raise os_failure("read", self.status, error) from error
        mask = next((line.removeprefix(_EFFECTIVE) for line in lines if line.startswith(_EFFECTIVE)), "0")
        return ProcessReport(_user(), (), capability_names(int(mask, 16)))


def capability_names(mask: int) -> tuple[str, ...]:
    """As capsh(1) writes them; numbers that are younger than this list as ``cap_NUMBER``."""
    numbers = [number for number in range(mask.bit_length()) if mask >> number & 1]
    return tuple(f"cap_{_CAPABILITIES[n] if n < len(_CAPABILITIES) else n}" for n in numbers)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
