# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Tunnel ends in namespaces: ours or wireguard-go, configured by the real wg(8).

::

    left = TunnelEnd(lab, namespace, "wireguard-go", underlay="192.0.2.1", overlay="10.9.0.1/24")
    left.start()
    left.add_peer(right)
    left.up()
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from support.netns import Lab, Namespace, run, wait_until

OURS = "wirefleet-tun"
THEIRS = "wireguard-go"
PORT = 51820
UAPI_DIRECTORY = Path("/var/run/wireguard")

_numbers = itertools.count()


def program(implementation: str) -> str:
    """The path of a tunnel program; ours stands beside the running interpreter."""
    beside = Path(sys.executable).parent / implementation
    return str(beside) if beside.exists() else implementation


def missing_programs(*programs: str) -> list[str]:
    return [name for name in programs if shutil.which(program(name)) is None]


def interface_name(label: str) -> str:
    """Unique on the machine: the sockets of all namespaces share one directory."""
    return f"wft{os.getpid()}{label}{next(_numbers)}"[:15]


@dataclass(eq=False)
class TunnelEnd:
    """One end of a tunnel. overlay: addresses with prefix length, space-separated."""

    lab: Lab
    namespace: Namespace
    implementation: str
    underlay: str
    overlay: str
    port: int = PORT
    name: str = field(default="")
    log_level: str = "error"

    def __post_init__(self) -> None:
        self.name = self.name or interface_name("")
        self.private_key = run("wg", "genkey").stdout.strip()
        self.public_key = run("wg", "pubkey", text=self.private_key + "\n").stdout.strip()

    @property
    def endpoint(self) -> str:
        return f"[{self.underlay}]:{self.port}" if ":" in self.underlay else f"{self.underlay}:{self.port}"

    @property
    def addresses(self) -> list[str]:
        return [cidr.partition("/")[0] for cidr in self.overlay.split()]

    @property
    def host_prefixes(self) -> str:
        """The overlay addresses as /32 and /128: what a peer allows."""
        return ",".join(f"{address}/{128 if ':' in address else 32}" for address in self.addresses)

    @property
    def socket(self) -> Path:
        return UAPI_DIRECTORY / f"{self.name}.sock"

    def start(self) -> None:
        """Make the interface, give it key, port and addresses; it stays down.

        The daemon keeps its parent's output for its log, so that goes to a file, which a failing test prints.
        """
        process = self.namespace.start(program(self.implementation), self.name, env={"LOG_LEVEL": self.log_level})
        if process.wait() != 0:
            raise AssertionError(f"{self.implementation} {self.name} failed:\n{process.output}")
        self.configure(f"[Interface]\nPrivateKey = {self.private_key}\nListenPort = {self.port}\n")
        for cidr in self.overlay.split():
            self.namespace.run("ip", "address", "add", cidr, "dev", self.name, *(("nodad",) if ":" in cidr else ()))

    def up(self) -> None:
        """Set the link up, and wait until the program has noticed: an initiation before that would be lost."""
        self.namespace.run("ip", "link", "set", self.name, "up")
        wait_until(self.is_listening, f"{self.name} listens")

    def is_listening(self) -> bool:
        port = self.wg("show", self.name, "listen-port").strip()
        return bool(self.namespace.run("ss", "-Hlun", f"sport = :{port}").stdout)

    def down(self) -> None:
        self.namespace.run("ip", "link", "set", self.name, "down")

    def configure(self, text: str, *, verb: str = "setconf") -> None:
        """``wg setconf``, ``addconf`` or ``syncconf`` with this text."""
        self.wg(verb, self.name, "/dev/stdin", text=text)

    def add_peer(
        self, other: TunnelEnd, *extra: str, allowed_ips: str | None = None, knows_endpoint: bool = True
    ) -> None:
        arguments = ["peer", other.public_key, "allowed-ips", allowed_ips or other.host_prefixes]
        if knows_endpoint:
            arguments += ["endpoint", other.endpoint]
        self.wg("set", self.name, *arguments, *extra)

    def wg(self, *arguments: str, text: str | None = None) -> str:
        return self.namespace.run("wg", *arguments, text=text).stdout

    def show(self, field_name: str) -> dict[str, str]:
        """``wg show IFACE FIELD`` as public key -> rest of the line."""
        lines = self.wg("show", self.name, field_name).splitlines()
        return {key: rest for key, _, rest in (line.partition("\t") for line in lines)}

    def transfer(self, other: TunnelEnd) -> tuple[int, int]:
        """(received, sent) bytes."""
        received, sent = self.show("transfer")[other.public_key].split()
        return int(received), int(sent)

    def ping(
        self, address: str, *, count: int = 3, interval_s: float = 0.1, size: int = 56, check: bool = True
    ) -> bool:
        """Whether every ping was answered."""
        result = self.namespace.run(
            "ping", "-c", str(count), "-i", str(interval_s), "-s", str(size), "-W", "5", address, check=False
        )
        if check and result.returncode != 0:
            raise AssertionError(f"{self.name}: no answer from {address}\n{result.stdout}{result.stderr}")
        return result.returncode == 0 and f"{count} received" in result.stdout

    def wait_gone(self) -> None:
        """Until the interface and the socket have disappeared."""
        wait_until(lambda: not self.socket.exists(), f"{self.socket} removed")
        wait_until(
            lambda: self.namespace.run("ip", "link", "show", self.name, check=False).returncode != 0,
            f"{self.name} removed",
        )


def join(left: TunnelEnd, right: TunnelEnd) -> None:
    """Start both ends and make them each other's peers."""
    for end in (left, right):
        end.start()
    left.add_peer(right)
    right.add_peer(left)
    for end in (left, right):
        end.up()
