# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How much TCP two Windows hosts under Wine carry between them, each pinned to one CPU. A rehearsal, not Windows.

Usage: python wine_speed.py --prefix DIR --prefix DIR --wintun DLL [--seconds N] [--profile FILE] [--reverse] [--linux]
A prefix has ``wboot``, ``wpy`` and ``wshutdown``. Needs root, iperf3 and ping. --linux measures our Linux drivers
instead, for comparison. Prints one line of JSON per step.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.netns import Lab, Namespace, Process, wait_until
from wirefleet_agent.crypto import StaticIdentity
from wirefleet_agent.keys import PrivateKey

_SOURCES = Path(__file__).resolve().parents[2] / "src"
_TUNNEL = Path(__file__).with_name("one_tunnel.py")
_MTU = "1420"
_PAYLOAD_BYTES = 1368  # of TCP in a packet of 1420


@dataclass
class Host:
    namespace: Namespace
    cpu: int
    number: int
    prefix: Path | None
    key: PrivateKey

    @property
    def overlay(self) -> str:
        return f"10.99.0.{self.number}"

    @property
    def underlay(self) -> str:
        return f"192.0.2.{self.number}"

    def pinned(self, *command: str) -> list[str]:
        return ["taskset", "-c", str(self.cpu), *command]

    def boot(self) -> None:
        if self.prefix is not None:
            self.namespace.run(*self.pinned(str(self.prefix / "wboot")))

    def start(self, other: Host, directory: Path, arguments: argparse.Namespace) -> Process:
        config: dict[str, Any] = {
            "name": "wfspeed",
            "port": 51820,
            "private_key": self.key.reveal_base64(),
            "peer_key": str(StaticIdentity(other.key).public_key),
            "peer_address": f"{other.underlay}:51820",
            "allowed_ips": f"{other.overlay}/32",
            "stop_file": self.path(directory / "stop"),
        }
        if arguments.profile and self.number == arguments.profile_host:
            config["profile"] = self.path(Path(arguments.profile).resolve())
        python = [sys.executable]
        if self.prefix is not None:
            config["wintun"] = self.path(arguments.wintun.resolve())
            config["wintun_sha256"] = hashlib.sha256(arguments.wintun.read_bytes()).hexdigest()
            python = [str(self.prefix / "wpy")]
        file = directory / f"{self.number}.json"
        file.write_text(json.dumps(config))
        env = {"PYTHONPATH": self.path(_SOURCES), "LC_ALL": "C.UTF-8"}
        command = self.pinned(*python, self.path(_TUNNEL), self.path(file))
        return self.namespace.start(*command, env=env)

    def path(self, path: Path) -> str:
        return str(path) if self.prefix is None else "Z:" + str(path).replace("/", "\\")

    def configure(self) -> None:
        self.namespace.run("ip", "address", "add", f"{self.overlay}/24", "dev", "wfspeed")
        self.namespace.run("ip", "link", "set", "wfspeed", "mtu", _MTU, "up")

    def shut_down(self) -> None:
        if self.prefix is not None:
            self.namespace.run(str(self.prefix / "wshutdown"), "-f", check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", type=Path, action="append", default=[])
    parser.add_argument("--wintun", type=Path)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--profile", default="")
    parser.add_argument("--profile-host", type=int, default=2)
    parser.add_argument("--reverse", action="store_true")
    parser.add_argument("--linux", action="store_true")
    arguments = parser.parse_args()
    prefixes = [None, None] if arguments.linux else [path.resolve() for path in arguments.prefix]
    if len(prefixes) != 2 or not (arguments.linux or arguments.wintun):
        parser.error("two prefixes and a wintun.dll, or --linux")
    with Lab() as lab:
        hosts = [
            Host(lab.namespace(f"speed{i}"), i, i + 1, prefix, PrivateKey(os.urandom(32)))
            for i, prefix in enumerate(prefixes)
        ]
        lab.link(hosts[0].namespace, hosts[1].namespace, "192.0.2.1/24", "192.0.2.2/24")
        try:
            measure(hosts, lab.directory, arguments)
        finally:
            for host in hosts:
                host.shut_down()
    return 0


def measure(hosts: list[Host], directory: Path, arguments: argparse.Namespace) -> None:
    left, right = hosts
    for host in hosts:
        host.boot()
    processes = [left.start(right, directory, arguments), right.start(left, directory, arguments)]
    for host, process in zip(hosts, processes, strict=True):
        wait_until(lambda process=process: "running" in process.output, f"tunnel {host.number} runs")  # type: ignore[misc]
        host.configure()
    ping(left, right, "first", count=5, interval_s=0.2)
    ping(left, right, "idle", count=200, interval_s=0.02)
    server = right.namespace.start(*right.pinned("iperf3", "-s", "-1", "--forceflush"))
    wait_until(lambda: "listening" in server.output, "iperf3 listens")
    before = [cpu_seconds(host.namespace) for host in hosts]
    flags = ["-R"] if arguments.reverse else []
    client = left.pinned("iperf3", "-c", right.overlay, "-t", str(arguments.seconds), "-J", *flags)
    result = json.loads(left.namespace.run(*client).stdout)["end"]
    megabits = result["sum_received"]["bits_per_second"] / 1e6
    packets = result["sum_received"]["bytes"] / _PAYLOAD_BYTES
    report("tcp", megabits_per_s=round(megabits), retransmits=result["sum_sent"].get("retransmits"))
    for host, then in zip(hosts, before, strict=True):
        spent = {name: seconds - then.get(name, 0) for name, seconds in cpu_seconds(host.namespace).items()}
        report(
            f"cpu {host.number}",
            us_per_packet={
                name: round(seconds / packets * 1e6, 1) for name, seconds in spent.items() if seconds > 0.05
            },
        )
    ping(left, right, "afterwards", count=100, interval_s=0.02)
    (directory / "stop").touch()
    for process in processes:
        process.wait(20)
        report("tunnel", output=process.output.splitlines()[-1])


def cpu_seconds(namespace: Namespace) -> dict[str, float]:
    """Processor time so far by program: a figure that other work on the machine changes little."""
    seconds: dict[str, float] = {}
    for pid in namespace.processes():
        with contextlib.suppress(OSError):
            name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition(" (")[2].rpartition(") ")
            fields = rest.split()
            ticks = int(fields[11]) + int(fields[12])
            seconds[name] = seconds.get(name, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return seconds


def ping(left: Host, right: Host, label: str, *, count: int, interval_s: float) -> None:
    command = ("ping", "-q", "-c", str(count), "-i", str(interval_s), "-W", "2", right.overlay)
    output = left.namespace.run(*command, check=False).stdout
    loss = re.search(r"([\d.]+)% packet loss", output)
    times = re.search(r"= [\d.]+/([\d.]+)/([\d.]+)/", output)
    report(
        f"ping {label}",
        loss_percent=float(loss[1]) if loss else None,
        average_ms=float(times[1]) if times else None,
        longest_ms=float(times[2]) if times else None,
    )


def report(step: str, **figures: object) -> None:
    print(json.dumps({"step": step, **figures}), flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.TimeoutExpired as error:
        sys.exit(str(error))
