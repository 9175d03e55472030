# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The daemon's answers to ``drain``, ``resume``, ``cluster ...`` and ``peer ...``.

A change takes a moment and the loop does not wait: ``cluster.propose`` gives a ticket, ``cluster.outcome`` says what
became of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ..cluster.runner import ClusterRunner
from ..cluster.state import MAX_EPOCH, ClusterState
from ..config import TunnelConfig
from ..errors import NoQuorumError, RefusedError, UsageError
from ..keys import PublicKey
from .cluster_service import ClusterService
from .control_protocol import Json
from .live_tunnel import LiveTunnel

_MAX_REASON = 200
_MAX_WHO = 100
_FIELDS: Mapping[str, frozenset[str]] = {
    "drain": frozenset(),
    "resume": frozenset(),
    "revoke": frozenset({"peer", "reason", "who"}),
    "restore": frozenset({"peer"}),
    "place": frozenset({"peer", "hub"}),
    "advance": frozenset({"epoch"}),
}
_NO_CLUSTER = "only the hubs of a fleet have one: [cluster] in the tunnel's .toml"


class ClusterCalls:
    """handlers: for the control server."""

    def __init__(self, cluster: ClusterService, live: LiveTunnel) -> None:
        self._cluster = cluster
        self._live = live
        self.handlers: dict[str, Callable[[Mapping[str, object]], Json]] = {
            "cluster.status": self._status,
            "cluster.check": self._check,
            "cluster.propose": self._propose,
            "cluster.outcome": self._outcome,
            "cluster.drain_alone": self._drain_alone,
            "cluster.spokes": self._spokes,
        }

    def _status(self, request: Mapping[str, object]) -> Json:
        _only(request)
        cluster, config = self._cluster, self._require_cluster()
        report, names = cluster.report, _names(config)
        if cluster.own is not None and config.options.host is not None:
            names[str(cluster.own.key)] = config.options.host
        status = report.status
        connected = () if status is None else status.connected
        options, own = cluster.options, cluster.own
        members = () if options is None else options.members
        leader = None if status is None else status.leader
        return {
            "state": "stopped" if status is None else status.role,
            "term": None if status is None else status.term,
            "leader": None if leader is None else {"public_key": leader, "name": names.get(leader)},
            "has_quorum": status is not None and status.has_quorum,
            "is_writable": status is not None and status.is_writable,
            "commit_index": None if status is None else status.commit_index,
            "applied_index": None if status is None else status.applied_index,
            "members": [
                {
                    "public_key": str(member.key),
                    "name": names.get(str(member.key)),
                    "address": member.address,
                    "is_self": member == own,
                    "is_connected": member == own or str(member.key) in connected,
                }
                for member in members
            ],
            "problem": report.problem,
            "refused": {
                "strangers": report.strangers,
                "not_authentic": report.not_authentic,
                "malformed": report.malformed,
                "pickles": report.refused_pickles,
            },
            "is_draining": cluster.state.draining,
            "is_draining_alone": cluster.state.is_draining_alone,
            **cluster.state.view.as_json(),
        }

    def _check(self, request: Mapping[str, object]) -> Json:
        """What the change would do, as far as this hub knows. Raises as the change would."""
        command, runner = self._command(request), self._require_runner()
        if runner.report.status is None or not runner.report.status.is_writable:
            raise NoQuorumError(
                "too few hubs reach each other: nothing would be changed", hint="wirefleet-agent cluster status"
            )
        state = ClusterState()
        state.replace(self._cluster.state.view.as_json() | {"answers": []})
        answer = state.apply(command | {"id": "check"})
        if "refused" in answer:
            hint = answer["hint"]
            raise RefusedError(str(answer["refused"]), hint=None if hint is None else str(hint))
        return {"changed": answer["changed"]}

    def _propose(self, request: Mapping[str, object]) -> Json:
        command = self._command(request)
        return {"ticket": self._require_runner().propose(command)}

    def _outcome(self, request: Mapping[str, object]) -> Json:
        _only(request, "ticket")
        found = self._require_runner().outcome(_text(request, "ticket", _MAX_WHO))
        return {"is_done": False} if found is None else {"is_done": True, "changed": found["changed"]}

    def _drain_alone(self, request: Mapping[str, object]) -> Json:
        """This hub only, until its daemon ends: asks nobody."""
        _only(request, "is_on", "check")
        config = self._live.wanted
        if config is None or (config.options.cluster is None and config.options.role != "hub"):
            raise RefusedError("this host is not a hub", hint='role = "hub" in [host], or a [cluster]')
        is_on, is_check = request.get("is_on"), request.get("check", False)
        if not isinstance(is_on, bool) or not isinstance(is_check, bool):
            raise UsageError("is_on and check are true or false", path="stdin")
        if is_check:
            return {"changed": is_on != self._cluster.state.is_draining_alone}
        return {"changed": self._cluster.state.drain_alone(is_on=is_on)}

    def _spokes(self, request: Mapping[str, object]) -> Json:
        """How many spokes use this hub; raises RefusedError where nothing tells."""
        _only(request)
        count = self._cluster.count_spokes()
        if count is None:
            raise RefusedError(
                "nothing tells which spokes use this hub", hint="heartbeats are off: [heartbeat] in the tunnel's .toml"
            )
        return {"spokes": count}

    # Requests

    def _command(self, request: Mapping[str, object]) -> Json:
        """Complete: with all that the other hubs need to come to the same result. Raises UsageError, RefusedError."""
        operation = _text(request, "op", 20)
        if operation not in _FIELDS:
            raise UsageError(f"this daemon does not know the change {operation!r}", hint="is it of another version?")
        _only(request, "op", *_FIELDS[operation])
        config = self._require_cluster()
        members = self._require_runner().settings.member_names
        own = str(self._cluster.own.key) if self._cluster.own is not None else ""
        command: Json = {"op": operation}
        if operation in ("drain", "resume"):
            command |= {"hub": own, "members": members}
        elif operation == "revoke":
            reason, who = _text(request, "reason", _MAX_REASON), _text(request, "who", _MAX_WHO)
            command |= {"key": self._key(config, _text(request, "peer", 300)), "reason": reason, "members": members}
            command |= {"who": f"{who} on {config.options.host or own}"[:_MAX_REASON], "when_s": int(time.time())}
        elif operation == "restore":
            command |= {"key": self._key(config, _text(request, "peer", 300))}
        elif operation == "place":
            hub = _text(request, "hub", 300, may_be_empty=True)
            wanted = self._key(config, hub) if hub else ""
            if wanted and wanted not in members:
                raise RefusedError("this is not a hub of the cluster", path=hub, hint="wirefleet-agent cluster status")
            command |= {"spoke": self._key(config, _text(request, "peer", 300)), "hub": wanted}
        else:
            epoch = request.get("epoch")
            if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch <= MAX_EPOCH:
                raise UsageError(f"an epoch is a whole number from 0 to {MAX_EPOCH}", path="stdin: epoch")
            command |= {"epoch": epoch}
        return command

    def _key(self, config: TunnelConfig, text: str) -> str:
        """A public key, or the name of a peer or of this host."""
        try:
            return str(PublicKey.from_base64(text))
        except ValueError:
            pass
        found = [str(peer.public_key) for peer in config.peers if peer.name == text]
        if text == config.options.host and self._cluster.own is not None:
            found.append(str(self._cluster.own.key))
        if len(found) != 1:
            what = "no peer has this name" if not found else "several peers have this name"
            raise UsageError(what, path=text[:60], hint="give its public key: 44 base64 characters")
        return found[0]

    def _require_cluster(self) -> TunnelConfig:
        config = self._live.wanted
        if config is None or config.options.cluster is None:
            raise RefusedError("this tunnel has no cluster", hint=_NO_CLUSTER)
        return config

    def _require_runner(self) -> ClusterRunner:
        self._require_cluster()
        if self._cluster.runner is None:
            raise RefusedError(f"this hub takes no part in the cluster: {self._cluster.problem}")
        return self._cluster.runner


def _names(config: TunnelConfig) -> dict[str, str]:
    return {str(peer.public_key): peer.name for peer in config.peers if peer.name is not None}


def _text(request: Mapping[str, object], name: str, most: int, *, may_be_empty: bool = False) -> str:
    value = request.get(name)
    if not isinstance(value, str) or len(value) > most or not value.isprintable() or not (value or may_be_empty):
        raise UsageError(f"{name} is printable text on one line, 1 to {most} characters", path=f"stdin: {name}")
    return value


def _only(request: Mapping[str, object], *known: str) -> None:
    unknown = sorted(request.keys() - set(known))
    if unknown:
        raise UsageError(f"unknown field {unknown[0]!r}", path="stdin", hint=f"known: {', '.join(known) or 'none'}")
