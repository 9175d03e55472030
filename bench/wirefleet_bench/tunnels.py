# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tunnel between the two namespaces, both ends of one implementation, configured by wg(8)."""

from __future__ import annotations

import base64
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wirefleet_agent.crypto import StaticIdentity
from wirefleet_agent.keys import PrivateKey
from wirefleet_lab.machine import SEARCH_PATH, ip_batch
from wirefleet_lab.machine import run as run_here

from . import processes
from .commands import Started, run, wait_until
from .errors import BenchError
from .stage import Place, Stage

TUNNEL_MTU_BYTES = 1420
PORT = 51820
OURS = "wirefleet"
THEIRS = "wireguard-go"
SECOND = "second"
_SOCKETS = Path("/var/run/wireguard")
_START_TIMEOUT_S = 15.0
_CONFIGURE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Implementation:
    """key: its name in JSON. label: in tables. program: takes an interface's name and goes to the background."""

    key: str
    label: str
    program: str
    version: str


def implementations() -> list[Implementation]:
    """Ours, wireguard-go from PATH, and the program that WIREGUARD_GO names, if it does."""
    wanted = [(OURS, "wirefleet", str(Path(sys.executable).with_name("wirefleet-tun"))), (THEIRS, THEIRS, THEIRS)]
    if second := os.environ.get("WIREGUARD_GO"):
        wanted.append((SECOND, "WIREGUARD_GO", second))
    found = []
    for key, label, program in wanted:
        path = shutil.which(program, path=SEARCH_PATH)
        if path is None:
            hint = "WIREGUARD_GO names it" if key == SECOND else "scripts/setup.sh bench installs what is needed"
            raise BenchError(f"there is no program {program}", hint)
        said = run_here([path, "--version"]).stdout.splitlines()
        found.append(Implementation(key, label, path, said[0].split()[-1] if said else "unknown"))
    return found


class End:
    """One end. ``pid`` is its process; the interface's name is unique: all namespaces share a directory of sockets."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.interface = f"wfb{os.getpid()}{place.side[0]}"
        self.identity = StaticIdentity(PrivateKey(os.urandom(32)))
        self.pid = 0

    @property
    def namespace(self) -> str:
        return self.place.namespace

    @property
    def public_key(self) -> str:
        return str(self.identity.public_key)

    def start(self, program: str) -> None:
        """Make the interface and give it its key and addresses; it stays down."""
        with Started(self.namespace, program, self.interface, extra_environment={"LOG_LEVEL": "error"}) as parent:
            parent.finish(_START_TIMEOUT_S)
        self.pid = processes.daemon_pid(self.namespace, self.interface)
        private = self.identity.private_key.reveal_base64()
        self.wg("setconf", text=f"[Interface]\nPrivateKey = {private}\nListenPort = {PORT}\n")
        ip_batch(
            self.namespace,
            [
                f"address add {self.place.overlay[4]}/24 dev {self.interface}",
                f"address add {self.place.overlay[6]}/64 dev {self.interface} nodad",
                f"link set {self.interface} mtu {TUNNEL_MTU_BYTES}",
            ],
        )

    def join(self, other: End, family: int) -> None:
        """Make the other end a peer, over the underlay of this family."""
        host = other.place.underlay[family]
        self.wg("addconf", text=peer_section(other.public_key, other.place.overlay.values(), host))

    def up(self) -> None:
        """Set the link up, and wait until the program listens: an initiation before that would be lost."""
        run(self.namespace, "ip", "link", "set", self.interface, "up")
        wait_until(
            lambda: run(self.namespace, "ss", "-Hlun", f"sport = :{PORT}").stdout, f"{self.interface} is listening"
        )

    def wg(self, verb: str, text: str) -> None:
        """``wg setconf`` or ``addconf`` with this text."""
        run(self.namespace, "wg", verb, self.interface, "/dev/stdin", stdin=text, timeout_s=_CONFIGURE_TIMEOUT_S)

    def peers(self) -> int:
        """How many peers ``wg show`` lists."""
        shown = run(self.namespace, "wg", "show", self.interface, "peers", timeout_s=_CONFIGURE_TIMEOUT_S)
        return len(shown.stdout.split())

    def stop(self) -> None:
        if self.pid:
            processes.end(self.pid)
            self.pid = 0
        (_SOCKETS / f"{self.interface}.sock").unlink(missing_ok=True)

    def is_gone(self) -> bool:
        return run(self.namespace, "ip", "link", "show", self.interface, check=False).returncode != 0


class Tunnel:
    """Both ends, up, with a session between them; leaving the ``with`` removes them."""

    def __init__(self, stage: Stage, implementation: Implementation, *, family: int = 4) -> None:
        self.left = End(stage.left)
        self.right = End(stage.right)
        self.implementation = implementation
        self.family = family

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()
        if error is None:
            for end in (self.left, self.right):
                wait_until(end.is_gone, f"{end.interface} is gone")

    def _stop(self) -> None:
        for end in (self.left, self.right):
            end.stop()

    def warm_up(self) -> None:
        """A session and learned neighbours: a few pings."""
        address = self.right.place.overlay[4]
        run(self.left.namespace, "ping", "-n", "-q", "-c", "5", "-i", "0.05", "-W", "6", address)

    def _start(self) -> None:
        for end in (self.left, self.right):
            end.start(self.implementation.program)
        self.left.join(self.right, self.family)
        self.right.join(self.left, self.family)
        for end in (self.left, self.right):
            end.up()
        self.warm_up()


def peer_section(public_key: str, addresses: Iterable[str], host: str | None = None) -> str:
    """A [Peer] section of wg(8)'s: single addresses are allowed; host: of the underlay, or unknown."""
    allowed = ", ".join(f"{address}/{128 if ':' in address else 32}" for address in addresses)
    lines = ["[Peer]", f"PublicKey = {public_key}", f"AllowedIPs = {allowed}"]
    if host is not None:
        lines.append(f"Endpoint = [{host}]:{PORT}" if ":" in host else f"Endpoint = {host}:{PORT}")
    return "\n".join(lines) + "\n"


def crowd_address(number: int) -> str:
    """The overlay address of a peer that is only configured; number: below 65536."""
    return f"10.65.{number >> 8}.{number & 255}"


def strangers(count: int) -> str:
    """[Peer] sections of peers that nobody plays: any 32 bytes are a public key."""
    return "".join(
        peer_section(base64.b64encode(os.urandom(32)).decode(), [crowd_address(number)]) for number in range(count)
    )
