# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's server: its listeners, its shells, and their end."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from wirefleet_wsman.authentication import Users
from wirefleet_wsman.host import Host
from wirefleet_wsman.operations import ShellOperations
from wirefleet_wsman.runner import CommandRunner
from wirefleet_wsman.server import ListenerSettings, WsmanListener
from wirefleet_wsman.shells import Shells

IDLE_CHECK_S = 1.0
POLL_S = 0.2


@dataclass(frozen=True)
class ServerSettings:
    """What the command line says. A port of None means no such listener; 0 means any free port."""

    state: Path
    prefix: Path
    address: str
    users: Path
    name: str
    http_port: int | None = None
    https_port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    allow_unencrypted: bool = False
    allow_basic: bool = True
    max_shells: int = 30
    max_commands: int = 1500


class WsmanServer:
    """Listens from start() to stop(); both are called once."""

    def __init__(self, settings: ServerSettings) -> None:
        users = Users.read(settings.users)
        self.host = Host(settings.prefix, settings.state, settings.name)
        self._shells = Shells(max_shells=settings.max_shells, max_commands=settings.max_commands)
        operations = ShellOperations(self._shells, CommandRunner(self.host))
        user_file = settings.state / "ntlm-users"
        users.write_ntlm_file(user_file, self.host.name)
        judged_by = ListenerSettings(users, user_file, settings.allow_unencrypted, settings.allow_basic)
        self._listeners: dict[str, WsmanListener] = {}
        if settings.http_port is not None:
            self._listeners["http"] = WsmanListener((settings.address, settings.http_port), operations, judged_by)
        if settings.https_port is not None:
            address = (settings.address, settings.https_port)
            self._listeners["https"] = WsmanListener(address, operations, judged_by, _tls(settings))
        self._stopped = threading.Event()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened on, by scheme."""
        return {scheme: int(listener.server_address[1]) for scheme, listener in self._listeners.items()}

    def start(self) -> None:
        """Serve in threads; look after the services that were made before."""
        for listener in self._listeners.values():
            threading.Thread(target=listener.serve_forever, args=(POLL_S,), daemon=True).start()
        threading.Thread(target=self._end_idle_shells, daemon=True).start()
        threading.Thread(target=self.host.supervisor.watch_all, daemon=True).start()

    def stop(self) -> None:
        """Close the listeners, end every shell, job and process."""
        self._stopped.set()
        for listener in self._listeners.values():
            listener.shutdown()
            listener.server_close()
        self._shells.end_all()
        self.host.close()

    def _end_idle_shells(self) -> None:
        while not self._stopped.wait(IDLE_CHECK_S):
            for shell_id in self._shells.end_idle():
                self.host.trace.write(shell_ended=shell_id, reason="idle time-out")


def _tls(settings: ServerSettings) -> ssl.SSLContext:
    if settings.certificate is None or settings.key is None:
        raise ValueError("an HTTPS listener needs a certificate and its key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.key)
    return context
