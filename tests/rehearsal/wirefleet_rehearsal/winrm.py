# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WinRM of a Windows host: the WS-Man server as a process in the host's namespace, and what its clients need."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

from wirefleet_lab.machine import in_namespace
from wirefleet_wsman.certificate import make_certificate

from .cache import HERE, RehearsalError
from .host import WineHost
from .topology import WINDOWS_HOSTS, Rehearsal

USER = "Administrator"
HTTP_PORT, HTTPS_PORT = 5985, 5986
START_TIMEOUT_S = 20.0


def prepare(rehearsal: Rehearsal) -> None:
    """A password, and for every Windows host a key and a certificate that the controller trusts."""
    directory = rehearsal.winrm
    if (directory / "trusted.pem").exists():
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = secrets.token_urlsafe(24)
    _write_private(directory / "password", password)
    _write_private(directory / "users", f"{USER}:{password}\n")
    for name in WINDOWS_HOSTS:
        names = [name, rehearsal.address4(name), rehearsal.address6(name)]
        make_certificate(directory / f"{name}.pem", directory / f"{name}.key", names)
    trusted = "".join((directory / f"{name}.pem").read_text() for name in WINDOWS_HOSTS)
    (directory / "trusted.pem").write_text(trusted)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def start(rehearsal: Rehearsal, host: WineHost) -> None:
    """Start the server and wait until it accepts connections. It ends with the host's power."""
    directory, name = rehearsal.directory(host.name), host.name
    server = [
        sys.executable, "-m", "wirefleet_wsman", "--state", str(directory / "wsman"), "--wine", str(host.prefix),
        "--listen", "::", "--http", str(HTTP_PORT), "--https", str(HTTPS_PORT),
        "--cert", str(rehearsal.winrm / f"{name}.pem"), "--key", str(rehearsal.winrm / f"{name}.key"),
        "--users", str(rehearsal.winrm / "users"),
    ]  # fmt: skip
    with (directory / "wsman.log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(host.cpu), *in_namespace(rehearsal.namespace(name), server)],
            env={**os.environ, "PYTHONPATH": str(HERE.parent / "wsman"), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _accepts(rehearsal, name):
        if process.poll() is not None or time.monotonic() > deadline:
            said = (directory / "wsman.log").read_text(errors="replace")[-1500:]
            raise RehearsalError(f"WinRM of {name} did not start: {said}")
        time.sleep(0.1)


def _accepts(rehearsal: Rehearsal, name: str) -> bool:
    """Whether the HTTPS port is listened on, read from the namespace's own table."""
    table = in_namespace(rehearsal.namespace(name), ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
    text = subprocess.run(table, capture_output=True, text=True, timeout=10, check=True).stdout
    listening = "0A"
    return any(
        row[1].endswith(f":{HTTPS_PORT:04X}") and row[3] == listening for row in map(str.split, text.splitlines())
    )
