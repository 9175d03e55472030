# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts without Wine, and a server on free ports of the loopback interface."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from prefix_without_wine import make_prefix  # noqa: E402
from wirefleet_wsman.certificate import make_certificate  # noqa: E402
from wirefleet_wsman.host import Host  # noqa: E402
from wirefleet_wsman.host_server import ServerSettings, WsmanServer  # noqa: E402
from wirefleet_wsman.powershell import ModuleCall  # noqa: E402
from wirefleet_wsman.processes import ProcessScope  # noqa: E402
from wirefleet_wsman.runner import run_module  # noqa: E402
from wsman_controller import PASSWORD, Controller  # noqa: E402


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_prefix(tmp_path / "prefix")


@pytest.fixture
def host(prefix: Path, tmp_path: Path) -> Iterator[Host]:
    host = Host(prefix, tmp_path / "state", "HUB-1")
    yield host
    host.close()


@pytest.fixture
def drive(prefix: Path) -> Path:
    return prefix / "drive_c"


Module = Callable[..., dict[str, Any]]


@pytest.fixture
def module(host: Host) -> Module:
    """Calls a module as the controller would, without the wire."""

    def call(name: str, /, *, check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
        qualified = name if "." in name else f"ansible.windows.{name}"
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff}
        return run_module(host, ModuleCall(qualified, {**arguments, **internal}, {}, None), ProcessScope())

    return call


@dataclass
class Running:
    """A server, and where its host's files are."""

    server: WsmanServer
    prefix: Path
    state: Path
    certificate: Path

    def endpoint(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server.ports[scheme]}/wsman"


@pytest.fixture
def serve(prefix: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts the server with other settings."""
    running: list[WsmanServer] = []
    users, certificate, key = tmp_path / "users", tmp_path / "cert.pem", tmp_path / "key.pem"
    users.write_text(f"# who may come in\nAdministrator:{PASSWORD}\n")
    make_certificate(certificate, key, ["127.0.0.1", "localhost"])

    def start(**settings: Any) -> Running:
        server = WsmanServer(
            ServerSettings(
                state=tmp_path / "state",
                prefix=prefix,
                address="127.0.0.1",
                users=users,
                name="hub-1",
                http_port=0,
                https_port=0,
                certificate=certificate,
                key=key,
                **settings,
            )
        )
        server.start()
        running.append(server)
        return Running(server, prefix, tmp_path / "state", certificate)

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def controller(tmp_path: Path) -> Callable[[Running], Controller]:
    """The real Ansible, with one inventory host for each way to talk to the server."""
    return lambda running: Controller(tmp_path, running.server.ports, running.certificate)
