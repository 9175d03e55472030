# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on purpose, each with its repair.

=============  =======================================================================================================
kind           what happens; what undoes it
=============  =======================================================================================================
kill           the host's agent is killed (SIGKILL); it is started again
blackhole      the router drops silently what goes to and comes from the host's link; nothing on the host notices
one-way-in     the same, only for what goes to the host
one-way-out    the same, only for what comes from the host
slow           every packet to and from the host takes so many milliseconds more, each way
=============  =======================================================================================================

Drops are rules of the router's policy routing, with priorities of their own by which ``repair`` finds them whoever made
them. ``held`` undoes its fault in any case; the command ``lab.py fault`` does so after so many seconds, when its stdin
ends (if asked for), and when it is told to end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .lifecycle import UAPI_SOCKETS, agent_pid
from .machine import SEARCH_PATH, in_namespace, ip_batch, namespace_exists, run
from .topology import UNDERLAY, Host, Lab, LabError

KINDS = ("kill", "blackhole", "one-way-in", "one-way-out", "slow")
MAX_FAULT_S = 600.0
MAX_DELAY_MS = 5000
FAMILIES = ("-4", "-6")
_FIRST_PREFERENCE = 6400
_FIRST_TABLE = 6400
_START_TIMEOUT_S = 20


@contextlib.contextmanager
def held(lab: Lab, kind: str, name: str, *, delay_ms: int = 200) -> Iterator[None]:
    """The fault, for as long as the block runs. Raises LabError if it cannot be made; then nothing of it is left."""
    host = _host(lab, name)
    if not namespace_exists(lab.namespace(UNDERLAY)):
        raise LabError("the lab is not up", "run playbooks/lab_up.yml")
    try:
        with _MAKERS[kind](lab, host, delay_ms):
            yield
    finally:
        _remove_rules(lab, host)


def repair(lab: Lab) -> list[str]:
    """Undo every fault of the lab, whoever made it. Returns the hosts that had one."""
    found = []
    for host in lab.hosts:
        if not namespace_exists(lab.namespace(UNDERLAY)):
            continue
        had = _remove_rules(lab, host)
        if _has_agent(lab, host) and agent_pid(lab, host.name) is None:
            start_agent(lab, host.name)
            had = True
        if had:
            found.append(host.name)
    return found


def agent_command(lab: Lab, host: str) -> list[str]:
    """The argument vector of the host's agent, to which a verb is added; inside of its namespace."""
    program = str(lab.root(host) / "opt" / "wirefleet" / "current" / "bin" / "wirefleet-agent")
    return in_namespace(
        lab.namespace(host), [program, "--root", str(lab.root(host)), "--tunnel", lab.tunnel(host), "--json"]
    )


def start_agent(lab: Lab, host: str) -> None:
    run([*agent_command(lab, host), "daemon", "start", "--wait"])


def _host(lab: Lab, name: str) -> Host:
    for host in lab.hosts:
        if host.name == name:
            return host
    raise LabError(f"there is no host {name}", f"hosts are {', '.join(host.name for host in lab.hosts)}")


def _has_agent(lab: Lab, host: Host) -> bool:
    """Whether somebody once started one: a host without an agent needs none."""
    return (lab.root(host.name) / "run" / "wirefleet" / f"{lab.tunnel(host.name)}.pid").exists()


_Maker = Callable[[Lab, Host, int], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _kill(lab: Lab, host: Host, _delay_ms: int) -> Iterator[None]:
    pid = agent_pid(lab, host.name)
    if pid is None:
        raise LabError(f"no agent runs on {host.name}", "run playbooks/site.yml")
    os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:
        (UAPI_SOCKETS / f"{lab.tunnel(host.name)}.sock").unlink(missing_ok=True)
        start_agent(lab, host.name)


def _drop(*, is_in: bool, is_out: bool) -> _Maker:
    @contextlib.contextmanager
    def drop(lab: Lab, host: Host, _delay_ms: int) -> Iterator[None]:
        for family, address in zip(FAMILIES, _addresses(host), strict=True):
            rules = [f"to {address} blackhole"] if is_in else []
            rules += [f"iif {host.name} blackhole"] if is_out else []
            _add_rules(lab, host, family, rules)
        yield

    return drop


@contextlib.contextmanager
def _slow(lab: Lab, host: Host, delay_ms: int) -> Iterator[None]:
    """Packets from and to the host go to the delaying device; what comes out of it, finds its way as ever."""
    if not 0 < delay_ms <= MAX_DELAY_MS:
        raise LabError(f"{delay_ms} ms is no delay", f"from 1 to {MAX_DELAY_MS} ms")
    router, link = lab.namespace(UNDERLAY), f"d-{host.name}"
    table = _FIRST_TABLE + lab.hosts.index(host)
    program = [sys.executable, str(Path(__file__).with_name("delay.py")), link, str(delay_ms)]
    with subprocess.Popen(
        in_namespace(router, program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": SEARCH_PATH},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdin is not None
        try:
            if process.stdout.readline().strip() != "ready":
                raise LabError(f"no slow link: {process.stderr.read().strip()}")
            ip_batch(router, [f"link set {link} up"])
            for family, address in zip(FAMILIES, _addresses(host), strict=True):
                run(["ip", "-n", router, family, "route", "add", "default", "dev", link, "table", str(table)])
                rules = [f"iif {link} lookup main", f"iif {host.name} lookup {table}", f"to {address} lookup {table}"]
                _add_rules(lab, host, family, rules)
            yield
        finally:
            process.stdin.close()
            process.wait(_START_TIMEOUT_S)


_MAKERS: dict[str, _Maker] = {
    "kill": _kill,
    "blackhole": _drop(is_in=True, is_out=True),
    "one-way-in": _drop(is_in=True, is_out=False),
    "one-way-out": _drop(is_in=False, is_out=True),
    "slow": _slow,
}


def _addresses(host: Host) -> tuple[str, str]:
    return str(host.underlay.near4.ip), str(host.underlay.near6.ip)


def _preference(lab: Lab, host: Host) -> int:
    """The first of ten rule priorities that belong to the host."""
    return _FIRST_PREFERENCE + 10 * lab.hosts.index(host)


def _add_rules(lab: Lab, host: Host, family: str, rules: list[str]) -> None:
    first = _preference(lab, host)
    for position, rule in enumerate(rules):
        command = ["ip", "-n", lab.namespace(UNDERLAY), family, "rule", "add", *rule.split()]
        run([*command, "pref", str(first + position)])


def _remove_rules(lab: Lab, host: Host) -> bool:
    """Take the host's rules away; whether there were any."""
    router, first = lab.namespace(UNDERLAY), _preference(lab, host)
    had = False
    for family in FAMILIES:
        present = json.loads(run(["ip", "-n", router, "-j", family, "rule", "show"]).stdout or "[]")
        for rule in present:
            if first <= rule["priority"] < first + 10:
                run(["ip", "-n", router, family, "rule", "delete", "pref", str(rule["priority"])])
                had = True
    return had
