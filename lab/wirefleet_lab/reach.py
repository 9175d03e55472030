# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom through the tunnels: every ordered pair, v4 and v6, measured with ping."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from .machine import in_namespace, namespace_exists, require_programs, run
from .topology import Lab, LabError

PARALLEL_PINGS = 12
# The first packet may have to wait for a handshake; the fastest reply is the path's latency.
PING = ["ping", "-n", "-q", "-c", "3", "-i", "0.2", "-w", "4"]
_RTT = re.compile(r"^rtt [a-z/]+ = ([0-9.]+)/", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """A node of the matrix and the addresses it is reached at; None when it has none (no tunnel yet)."""

    name: str
    namespace: str
    address4: str | None
    address6: str | None


@dataclass(frozen=True)
class Measurement:
    """One ping series. latency_ms is the fastest reply; None means unreachable."""

    source: str
    target: str
    family: int
    latency_ms: float | None


def measure(lab: Lab) -> list[Measurement]:
    """Ping every ordered pair of hosts and LANs, both families, a bounded number at a time."""
    require_programs(["ip", "nsenter", "ping"])
    missing = [name for name in lab.namespaces if not namespace_exists(name)]
    if missing:
        raise LabError(f"the lab is not up: no namespace {missing[0]}", "run playbooks/lab_up.yml")
    nodes = targets(lab)
    jobs = [
        (source, target, family) for source in nodes for target in nodes if source is not target for family in (4, 6)
    ]
    with ThreadPoolExecutor(PARALLEL_PINGS) as pool:
        return list(pool.map(lambda job: _ping(*job), jobs))


def targets(lab: Lab) -> list[Target]:
    """Hosts at the overlay addresses their tunnel interface really has, LANs at their site addresses."""
    hosts = [_host_target(lab, host.name) for host in lab.hosts]
    lans = [
        Target(lan.name, lab.namespace(lan.name), str(lan.site.near4.ip), str(lan.site.near6.ip)) for lan in lab.lans
    ]
    return hosts + lans


def _host_target(lab: Lab, host: str) -> Target:
    namespace = lab.namespace(host)
    done = run(["ip", "-n", namespace, "-j", "address", "show", "dev", lab.tunnel(host)], check=False)
    found: dict[int, str] = {}
    for link in json.loads(done.stdout or "[]") if done.returncode == 0 else []:
        for entry in link.get("addr_info", []):
            address = ip_address(entry["local"])
            if not address.is_link_local:
                found.setdefault(address.version, str(address))
    return Target(host, namespace, found.get(4), found.get(6))


def _ping(source: Target, target: Target, family: int) -> Measurement:
    address = target.address4 if family == 4 else target.address6
    if address is None:
        return Measurement(source.name, target.name, family, None)
    done = run(in_namespace(source.namespace, [*PING, address]), check=False)
    reply = _RTT.search(done.stdout)
    return Measurement(source.name, target.name, family, float(reply[1]) if reply else None)


def table(lab: Lab, measurements: list[Measurement]) -> str:
    """The matrix for people: rows reach columns, "v4 v6" in milliseconds, "--" where no reply came."""
    names = [host.name for host in lab.hosts] + [lan.name for lan in lab.lans]
    cells = {(m.source, m.target, m.family): m.latency_ms for m in measurements}

    def cell(source: str, target: str) -> str:
        if source == target:
            return "."
        values = (cells[(source, target, family)] for family in (4, 6))
        return " ".join("--" if value is None else f"{value:.1f}" for value in values)

    rows = [["from \\ to", *names]] + [[source, *(cell(source, target) for target in names)] for source in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lost = [m for m in measurements if m.latency_ms is None]
    total = len(measurements)
    lines.append("")
    lines.append(f"{total - len(lost)} of {total} paths answer (each cell: IPv4 IPv6, milliseconds, fastest of three)")
    return "\n".join(lines)


def report(lab: Lab, measurements: list[Measurement]) -> dict[str, Any]:
    """The matrix for programs."""
    return {
        "prefix": lab.prefix,
        "is_complete": all(m.latency_ms is not None for m in measurements),
        "paths": [
            {"from": m.source, "to": m.target, "family": m.family, "latency_ms": m.latency_ms} for m in measurements
        ],
    }
