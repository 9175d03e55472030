# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rehearsed Windows host: its prefix, its paths, what it remembers, and the Windows inside."""

from __future__ import annotations

from pathlib import Path

from wirefleet_wsman.accounts import Accounts
from wirefleet_wsman.inside.client import Inside
from wirefleet_wsman.paths import WindowsPaths
from wirefleet_wsman.processes import ProcessScope
from wirefleet_wsman.state import NotShown, StateStore, Trace
from wirefleet_wsman.supervisor import Supervisor
from wirefleet_wsman.wine import Wine


class Host:
    """Everything a stand-in may use. name: the computer name."""

    def __init__(self, prefix: Path, state_directory: Path, name: str) -> None:
        self.prefix = prefix
        self.name = name.upper()[:15]
        self.state = StateStore(state_directory)
        self.trace = Trace(state_directory / "trace.jsonl")
        self.not_shown = NotShown(self.state)
        self.paths = WindowsPaths(prefix, windows_environment(prefix, self.name))
        self.wine = Wine(prefix, self.paths)
        self.inside = Inside(prefix)
        self.supervisor = Supervisor(self.inside, self.state, self.trace, self.not_shown)
        self.accounts = Accounts(self.name, self.inside)
        self.jobs = JobScopes()

    def close(self) -> None:
        """End what runs in the background."""
        self.jobs.end_all()
        self.supervisor.close()
        self.inside.close()


class JobScopes:
    """The processes of asynchronous jobs: they outlive their shells, not the host."""

    def __init__(self) -> None:
        self._scopes: list[ProcessScope] = []

    def new(self) -> ProcessScope:
        """A scope for one job."""
        scope = ProcessScope()
        self._scopes.append(scope)
        return scope

    def end_all(self) -> None:
        """Kill every job's processes."""
        for scope in self._scopes:
            scope.end()


def windows_environment(prefix: Path, name: str) -> dict[str, str]:
    """The variables that paths are expanded with."""
    users = prefix / "drive_c" / "users"
    people = sorted(entry.name for entry in users.iterdir() if entry.name != "Public") if users.is_dir() else []
    user = people[0] if people else "Administrator"
    profile = f"C:\\users\\{user}"
    return {
        "ALLUSERSPROFILE": "C:\\ProgramData",
        "APPDATA": f"{profile}\\AppData\\Roaming",
        "COMPUTERNAME": name,
        "HOMEDRIVE": "C:",
        "HOMEPATH": profile[2:],
        "LOCALAPPDATA": f"{profile}\\AppData\\Local",
        "OS": "Windows_NT",
        "PATH": "C:\\Python311;C:\\windows\\system32;C:\\windows;C:\\windows\\system32\\wbem",
        "PROCESSOR_ARCHITECTURE": "AMD64",
        "PROGRAMDATA": "C:\\ProgramData",
        "PROGRAMFILES": "C:\\Program Files",
        "PUBLIC": "C:\\users\\Public",
        "SYSTEMDRIVE": "C:",
        "SYSTEMROOT": "C:\\windows",
        "TEMP": f"{profile}\\Temp",
        "TMP": f"{profile}\\Temp",
        "USERNAME": user,
        "USERPROFILE": profile,
        "WINDIR": "C:\\windows",
    }
