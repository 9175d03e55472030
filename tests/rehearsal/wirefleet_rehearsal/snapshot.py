# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a Windows host remembers: files, registry, stand-ins' records. For "changes nothing" and "no trace"."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from .host import WineHost

# What a look itself, WinRM or Windows' own start leaves: not ours, and not a change that anybody asked for.
_UNCOUNTED_FILES = re.compile(
    r"^(windows/|users/[^/]+/(temp|appdata/local/temp)(/|$)|ProgramData/Microsoft/)", re.IGNORECASE
)
# The trusted roots, which the first check of a signature makes, and the number of the service that was started last.
_UNCOUNTED_KEYS = re.compile(
    r"^[^\\]+\\(Software\\(Wow6432Node\\)?Microsoft\\SystemCertificates(\\|$)|System\\CurrentControlSet\\Control\\ServiceCurrent$)",
    re.IGNORECASE,
)
# Windows keeps a key for every interface that there ever was; what counts is whether anything is set in it.
_INTERFACES = re.compile(r"\\Services\\Tcpip6?(\\Parameters(\\Interfaces(\\\{[^\\]+\})?)?)?$", re.IGNORECASE)
_SET_VALUE = re.compile(r'^"[^"]+"=(?!"")', re.MULTILINE)
_UNCOUNTED_FAMILIES = {"not_shown.json"}
_HIVES = ("HKLM\\Software", "HKLM\\System\\CurrentControlSet\\Services", "HKLM\\System\\CurrentControlSet\\Control")


def snapshot(host: WineHost) -> dict[str, str]:
    """A line per file, registry key and record of a stand-in: where it is, and what it says."""
    return {**_files(host.drive_c), **_registry(host), **_stand_ins(host.directory / "wsman"), **_network(host)}


def difference(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """What has come, gone or changed."""
    keys = sorted(before.keys() | after.keys())
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _files(drive: Path) -> dict[str, str]:
    found = {}
    for path in drive.rglob("*"):
        name = path.relative_to(drive).as_posix()
        if not _UNCOUNTED_FILES.match(name):
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
            found[f"file {name}"] = content
    return found


def _registry(host: WineHost) -> dict[str, str]:
    """Every key below the hives, with a hash of its values."""
    found = {}
    for number, hive in enumerate(_HIVES):
        name = f"snapshot-{number}.reg"
        host.execute("reg.exe", "export", hive, f"C:\\windows\\temp\\{name}", "/y")
        path = host.drive_c / "windows" / "temp" / name
        text = path.read_text(encoding="utf-16", errors="replace")
        path.unlink()
        for block in re.split(r"\r?\n\r?\n", text)[1:]:
            key, _, values = block.partition("]")
            key = key.lstrip("[")
            is_kept = not _INTERFACES.search(key) or _SET_VALUE.search(values)
            if is_kept and not _UNCOUNTED_KEYS.match(key):
                found[f"registry {key}"] = hashlib.sha256(values.encode()).hexdigest()
    return found


def _stand_ins(state: Path) -> dict[str, str]:
    """The records of services, rules, accounts and the like; an empty family is as good as none."""
    found = {}
    for path in state.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if path.name not in _UNCOUNTED_FAMILIES and content:
            for key, value in content.items() if isinstance(content, dict) else [("", content)]:
                found[f"record {path.stem} {key}"] = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return found


def _network(host: WineHost) -> dict[str, str]:
    """Interfaces, addresses and routes of the host."""
    return {
        f"network {words[-1]}": "\n".join(
            sorted(line.split(" proto ")[0] for line in host.linux(*words).stdout.splitlines())
        )
        for words in (("ip", "-br", "address"), ("ip", "-4", "route"), ("ip", "-6", "route"))
    }
