# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill's stage on the lab: agents by their command line, faults by processes, flows between two spokes.

A fault belongs to a process (``lab.py fault``) that undoes it when its stdin ends: also if the drill itself is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from . import flows
from .drill import DRAIN
from .faults import MAX_FAULT_S, agent_command
from .flows import Outage
from .machine import SEARCH_PATH, in_namespace, run
from .reach import targets
from .topology import Lab, LabError
from .witness import Witness

LAB_COMMAND = Path(__file__).resolve().parents[1] / "lab.py"
FLOWS = Path(__file__).with_name("flows.py")
WELL_TIMEOUT_S = 180.0
MOVE_TIMEOUT_S = 180.0
HOLD_PATIENCE_S = 10.0
_POLL_S = 0.2
_END_TIMEOUT_S = 30.0


class LabStage:
    """Flows from one spoke of the lab to another; the hub that matters is the source's."""

    def __init__(self, lab: Lab, source: str, target: str, *, delay_ms: int, flow_s: float) -> None:
        self._lab = lab
        self._source, self._target = source, target
        self._delay_ms, self._flow_s = delay_ms, flow_s
        addresses = {node.name: node.address4 or node.address6 for node in targets(lab)}
        if not addresses.get(source) or not addresses.get(target):
            raise LabError(f"there is no tunnel on {source} or {target}", "run playbooks/site.yml")
        self.address = str(addresses[target])
        self.hubs = tuple(host.name for host in lab.hosts if host.name.startswith("hub-"))
        # All of them: a drained hub is waited for until the last one has left it.
        self._spokes = tuple(host.name for host in lab.hosts if host.name not in self.hubs and addresses.get(host.name))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def agent(self, host: str, *verb: str) -> dict[str, Any]:
        """What the agent answers. Raises LabError with its own words."""
        try:
            done = run([*agent_command(self._lab, host), *verb], check=False)
        except subprocess.TimeoutExpired as error:
            hint = "see wirefleet-agent status on the hosts"
            raise LabError(f"{host}: {' '.join(verb)}: not done after {error.timeout:.0f} s", hint) from None
        try:
            reply: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise LabError(f"the agent of {host} said nothing: {done.stderr.strip()}") from None
        if done.returncode:
            error = reply.get("error") or {}
            raise LabError(f"{host}: {' '.join(verb)}: {error.get('message')}", str(error.get("hint") or ""))
        return reply

    def active_hub(self) -> str:
        return carrier(self.agent(self._source, "status"), self.address)

    def bring_to(self, hub: str) -> None:
        """Drain the other hubs until the source uses this one."""
        if self.active_hub() == hub:
            return
        others = [name for name in self.hubs if name != hub]
        with contextlib.ExitStack() as stack:
            for other in others:
                self.agent(other, "drain")
                stack.callback(self.agent, other, "resume")
            otherwise = f"{self._source} does not move to {hub}"
            self._wait(lambda: self.active_hub() == hub, MOVE_TIMEOUT_S, lambda: otherwise)
        self.wait_until_well()

    def wait_until_well(self) -> None:
        """A hub that was broken often is held for minutes; restarting the spokes' agents lets them forget how often."""
        patience = time.monotonic() + HOLD_PATIENCE_S
        held: list[str] = []

        def is_well() -> bool:
            nonlocal patience
            held[:] = [spoke for spoke in self._spokes if not are_members_well(self.agent(spoke, "status"))]
            if held and time.monotonic() > patience:
                patience = time.monotonic() + HOLD_PATIENCE_S
                for spoke in held:
                    self.agent(spoke, "daemon", "restart", "--wait")
            return not held

        self._wait(is_well, WELL_TIMEOUT_S, lambda: f"not all hubs are well, says {', '.join(held)}")

    def _wait(self, claim: Callable[[], bool], timeout_s: float, otherwise: Callable[[], str]) -> None:
        deadline = time.monotonic() + timeout_s
        while not claim():
            if time.monotonic() > deadline:
                hint = "a hub may still be drained: see wirefleet-agent status on the hosts"
                raise LabError(f"{otherwise()} (after {timeout_s:.0f} s)", hint)
            time.sleep(_POLL_S)

    @contextlib.contextmanager
    def fault(self, kind: str, hub: str) -> Iterator[None]:
        if kind == DRAIN:
            try:  # also where the spokes do not leave it in time
                self.agent(hub, "drain", "--wait")
                yield
            finally:
                self.agent(hub, "resume")
            return
        command = [sys.executable, str(LAB_COMMAND), "--json", "--prefix", self._lab.prefix]
        command += ["--state", str(self._lab.state), "fault", kind, hub]
        command += ["--seconds", str(MAX_FAULT_S), "--delay-ms", str(self._delay_ms), "--until-eof"]
        with _child(command) as process:
            assert process.stdout is not None
            begun = process.stdout.readline()
            if '"begun"' not in begun:
                raise LabError(f"no fault {kind} at {hub}: {begun.strip()}")
            yield
        if process.returncode:
            raise LabError(f"the fault {kind} at {hub} was not undone", "lab.py repair")

    @contextlib.contextmanager
    def measured(self) -> Iterator[Callable[[], tuple[Outage, Outage, float]]]:
        """The stream's ends and the ping are children of ours and end with the block, whatever happens in it."""
        limit = ["--seconds", str(self._flow_s)]
        with contextlib.ExitStack() as stack:
            witness = stack.enter_context(Witness())
            sink = stack.enter_context(
                _child(self._inside(self._target, sys.executable, str(FLOWS), "sink", self.address, *limit))
            )
            assert sink.stdout is not None
            if sink.stdout.readline().strip() != "ready":
                raise LabError(f"nothing can listen at {self.address} port {flows.PORT}")
            stream = stack.enter_context(
                _child(
                    self._inside(
                        self._source, sys.executable, str(FLOWS), "stream", self.address, *limit, "--until-eof"
                    )
                )
            )
            ping = stack.enter_context(
                _child(self._inside(self._source, *flows.ping_command(self.address, self._flow_s)))
            )

            def finish() -> tuple[Outage, Outage, float]:
                ended_at = time.time()  # ping takes its time to end: up to seconds
                ping.send_signal(signal.SIGINT)
                seen = flows.read_pings(ping.communicate(timeout=_END_TIMEOUT_S)[0], ended_at)
                sent = json.loads(stream.communicate(timeout=_END_TIMEOUT_S)[0])
                heard = flows.read_stream(sent, json.loads(sink.communicate(timeout=_END_TIMEOUT_S)[0]))
                return seen, heard, witness.stall_s

            yield finish

    def _inside(self, host: str, *argv: str) -> list[str]:
        return in_namespace(self._lab.namespace(host), argv)


@contextlib.contextmanager
def _child(argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process whose stdin ends with the block; then it has some time to end by itself."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C"},
    ) as process:
        try:
            yield process
        except BaseException:
            process.terminate()
            raise
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def are_members_well(status: dict[str, Any]) -> bool:
    """Whether the host would give its traffic to any member of its groups."""
    groups = status.get("groups") or ()
    return bool(groups) and all(member["standing"] == "good" for group in groups for member in group["members"])


def carrier(status: dict[str, Any], address: str) -> str:
    """The peer that an address goes to, by the AllowedIPs in the agent's status. Raises LabError for none."""
    wanted = ip_address(address)
    matching = [
        (network.prefixlen, str(peer["name"]))
        for peer in status.get("peers") or ()
        for network in map(ip_network, peer["allowed_ips"])
        if wanted in network
    ]
    if not matching:
        raise LabError(f"no peer carries {address}", "run playbooks/site.yml")
    return max(matching)[1]
