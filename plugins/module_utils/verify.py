# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A slice of the plan against the agent's status: named findings, and no repair.

Errors are what keeps packets from their way; warnings are what an operator should look at. Whatever the status does not
mention is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .planner import canonical_network, parse_endpoint
from .problems import PlanFilesError, Problem, shorten
from .redundancy import (
    Trouble,
    cluster_troubles,
    draining_hubs,
    group_troubles,
    needs_warm_session,
    shared_prefixes,
)

Severity = Literal["error", "warning"]
Status = Mapping[str, Any]
_APPLY = "apply the configuration again"
# What a tunnel on Windows keeps of SYSTEM's privileges: load the adapter's driver, pass through directories.
_WINDOWS_PRIVILEGES = ("SeChangeNotifyPrivilege", "SeLoadDriverPrivilege")
# LocalSystem by its SID, and by the names that it has in the languages of Windows.
_LOCAL_SYSTEM = ("s-1-5-18", "system", "système", "sistema", "rendszer", "система", "järjestelmä", "systém")


@dataclass(frozen=True)
class Finding:
    """One difference. peer: a name, or a public key that is not part of the plan."""

    name: str
    severity: Severity
    host: str
    peer: str | None
    message: str
    hint: str

    def as_dict(self) -> dict[str, str | None]:
        return asdict(self)


def find_differences(
    plan_slice: Mapping[str, Any],
    observed: Status,
    *,
    expected_digest: str | None = None,
    max_handshake_age_s: int = 180,
    overrides: Mapping[str, str] | None = None,
) -> list[Finding]:
    """All findings, errors first, each kind in the order of the plan. max_handshake_age_s: 0 judges no handshake.

    overrides: what the hubs' cluster says of placement, public key of a spoke -> public key of a hub.
    Raises PlanFilesError for a slice that lacks something.
    """
    verifier = _Verifier(plan_slice, observed, expected_digest, max_handshake_age_s, overrides or {})
    try:
        findings = list(verifier.findings())
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        problem = Problem(f"the slice or the status is incomplete ({type(error).__name__}: {error})")
        raise PlanFilesError(problem) from error
    return sorted(
        findings, key=lambda finding: finding.severity
    )  # "error" sorts before "warning", and sorting is stable


class _Verifier:
    def __init__(
        self,
        plan_slice: Mapping[str, Any],
        observed: Status,
        expected_digest: str | None,
        max_handshake_age_s: int,
        overrides: Mapping[str, str],
    ) -> None:
        self._slice = plan_slice
        self._observed = observed
        self._expected_digest = expected_digest
        self._max_handshake_age_s = max_handshake_age_s
        self._overrides = overrides
        self._shared: Mapping[str, frozenset[str]] = {}
        self._draining: frozenset[str] = frozenset()

    def findings(self) -> Iterator[Finding]:
        if not self._observed.get("running"):
            yield self._error(
                "daemon_not_running",
                "the tunnel service does not run",
                "run site.yml, which starts it; its log tells why",
            )
            return
        yield from self._key()
        yield from self._process()
        yield from self._digest()
        yield from self._interface()
        self._shared, self._draining = shared_prefixes(self._slice), draining_hubs(self._observed)
        yield from self._peers()
        for trouble in group_troubles(self._slice, self._observed, self._overrides):
            yield self._finding(trouble)
        for trouble in cluster_troubles(self._slice, self._observed):
            yield self._finding(trouble)

    def _finding(self, trouble: Trouble) -> Finding:
        make = self._error if trouble.is_error else self._warning
        return make(trouble.name, trouble.message, trouble.hint, trouble.peer)

    def _error(self, name: str, message: str, hint: str = _APPLY, peer: str | None = None) -> Finding:
        return Finding(name, "error", str(self._slice["host"]), peer, message, hint)

    def _warning(self, name: str, message: str, hint: str, peer: str | None = None) -> Finding:
        return Finding(name, "warning", str(self._slice["host"]), peer, message, hint)

    def _key(self) -> Iterator[Finding]:
        planned, actual = self._slice["public_key"], self._observed.get("public_key")
        if planned is not None and actual != planned:
            message = f"the host uses public key {actual}, the plan says {planned}"
            yield self._error("key_mismatch", message, "plan again, so that the other hosts learn the key")

    def _process(self) -> Iterator[Finding]:
        """What the service's token on Windows really holds. No packet is lost by it, but somebody may gain by it."""
        held = self._privileges()
        if not held:
            return
        surplus = sorted(set(held) - set(_WINDOWS_PRIVILEGES))
        if surplus:
            message = f"the service holds privileges that it does not need: {shorten(surplus)}"
            yield self._warning("process_privileges", message, "run site.yml, which defines the service anew")
        user = str(self._observed["process"].get("user") or "")
        if user.rpartition("\\")[2].casefold() not in _LOCAL_SYSTEM:
            message = f"the service runs as {user or 'nobody knows whom'}, planned is LocalSystem"
            yield self._warning("process_account", message, "run site.yml, which defines the service anew")

    def _digest(self) -> Iterator[Finding]:
        actual = self._observed.get("config_digest")
        if self._expected_digest and actual != self._expected_digest:
            yield self._error("digest_mismatch", "the host has another configuration than the one that was applied")
        if self._observed.get("pending"):
            hint = "confirm it, or wait until the host goes back to the former one"
            yield self._warning("change_pending", "a configuration waits for its confirmation", hint)

    def _interface(self) -> Iterator[Finding]:
        planned, actual = self._slice["interface"], self._observed.get("interface")
        if not actual or actual.get("is_up") is False:
            yield self._error("interface_down", f"interface {self._slice['tunnel']} is not up")
            return
        yield from self._mtu(planned["mtu"], actual.get("mtu_bytes"))
        yield from self._value(
            "listen_port_mismatch", "port", planned["listen_port"], self._observed.get("listen_port")
        )
        if self._slice["forwarding"]:  # where it is not planned, others of the host may need it
            yield from self._value("forwarding_mismatch", "forwarding", True, actual.get("forwarding"))
        if actual.get("addresses") is None:
            return
        wanted, present = set(planned["addresses"]), set(actual["addresses"])
        for address in sorted(wanted - present):
            yield self._error("address_missing", f"address {address} is missing")
        for address in sorted(address for address in present - wanted if not address.lower().startswith("fe80:")):
            yield self._warning("address_unexpected", f"address {address} is not planned", "find out who added it")

    def _mtu(self, planned: int, actual: int | None) -> Iterator[Finding]:
        if actual is not None and actual < planned and self._privileges():
            message = f"MTU is {actual}, planned is {planned}"
            hint = "on Windows the agent follows a smaller MTU on the way out: see that of the network there"
            yield self._warning("mtu_mismatch", message, hint)
        else:
            yield from self._value("mtu_mismatch", "MTU", planned, actual)

    def _privileges(self) -> list[str]:
        """Those of the service on Windows; other hosts have none with such names."""
        process = self._observed.get("process") or {}
        return [name for name in process.get("privileges") or () if name.startswith("Se")]

    def _value(self, name: str, what: str, planned: object, actual: object) -> Iterator[Finding]:
        if actual is not None and actual != planned:
            yield self._error(name, f"{what} is {_text(actual)}, planned is {_text(planned)}")

    def _peers(self) -> Iterator[Finding]:
        actual = {peer["public_key"]: peer for peer in self._observed.get("peers") or ()}
        planned = {peer["public_key"]: peer for peer in self._slice["peers"]}
        for name in self._slice["pending"]:
            yield self._warning(
                "peer_pending", "the key of the peer is not known yet", "run the playbook for the peer", name
            )
        carried = {text for peer in actual.values() for text in _networks(peer.get("allowed_ips") or ())}
        for key, peer in planned.items():
            if key in actual:
                yield from self._peer(peer, actual[key], carried)
            else:
                yield self._error("peer_missing", "the peer is not configured", peer=peer["name"])
        for key, other in actual.items():
            if key not in planned:
                yield self._error("peer_unexpected", "the peer is not planned", peer=other.get("name") or key)

    def _allowed_ips(
        self, planned: Mapping[str, Any], actual: Mapping[str, Any], carried: set[str]
    ) -> tuple[set[str], set[str]]:
        """What is planned at the peer, and what is there; without what a group has given to another of its members."""
        key, shared = planned["public_key"], self._shared
        wanted, present = _networks(planned["allowed_ips"]), _networks(actual["allowed_ips"])
        elsewhere = {text for text in wanted - present if text in shared and text in carried}
        moved_here = {text for text in present - wanted if key in shared.get(text, ())}
        return wanted - elsewhere, present - moved_here

    def _peer(self, planned: Mapping[str, Any], actual: Mapping[str, Any], carried: set[str]) -> Iterator[Finding]:
        name = planned["name"]
        if actual.get("allowed_ips") is not None:
            wanted, present = self._allowed_ips(planned, actual, carried)
            if wanted != present:
                yield self._error("allowed_ips_mismatch", f"AllowedIPs differ: {_change(wanted, present)}", peer=name)
        if planned["endpoint"] and actual.get("endpoint") and _is_elsewhere(planned["endpoint"], actual["endpoint"]):
            message = f"endpoint is {actual['endpoint']}, planned is {planned['endpoint']}"
            # A peer with both families calls from either, and is where it was planned all the same.
            is_other = ("[" in planned["endpoint"]) != ("[" in actual["endpoint"])
            kind = "endpoint_other_family" if is_other else "endpoint_mismatch"
            yield self._warning(kind, message, "the peer roamed, or sits behind address translation", name)
        keepalive = actual.get("persistent_keepalive_s")
        if keepalive is not None and keepalive != planned["persistent_keepalive"]:
            message = f"keepalive is {keepalive} s, planned is {planned['persistent_keepalive']} s"
            yield self._warning("keepalive_mismatch", message, _APPLY, name)
        yield from self._handshake(planned, actual)

    def _handshake(self, planned: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterator[Finding]:
        """Sessions that this host keeps warm must be there; others depend on the peer, so they are only reported."""
        if not self._max_handshake_age_s:
            return
        keepalive_s = planned["persistent_keepalive"]
        is_ours = needs_warm_session(self._slice, planned) and planned["public_key"] not in self._draining
        report = self._error if is_ours else self._warning
        # Where only the responder sends, the first packet after 165 s makes the initiator renew the session.
        max_age_s = self._max_handshake_age_s + keepalive_s
        age_s, name = actual.get("last_handshake_age_s"), planned["name"]
        hint = "see whether the peer runs and UDP passes between both"
        if age_s is None:
            yield report("handshake_missing", "there was no handshake yet", hint, name)
        elif age_s > max_age_s:
            yield report("handshake_stale", f"the last handshake is {age_s:.0f} s old", hint, name)
        elif actual.get("is_proven") is False:
            message = "there was no handshake since its keys or endpoint, or ours, were changed"
            yield report("handshake_outdated", message, "see whether both ends have the same keys and endpoints", name)


def _networks(texts: Iterable[str]) -> set[str]:
    return {canonical_network(text) for text in texts}


def _change(wanted: set[str], present: set[str]) -> str:
    missing, extra = sorted(wanted - present), sorted(present - wanted)
    parts = [f"missing {shorten(missing)}"] if missing else []
    return "; ".join([*parts, f"not planned {shorten(extra)}"] if extra else parts)


def _is_elsewhere(planned: str, actual: str) -> bool:
    """Whether both are numeric and differ; a name may resolve to anything."""
    try:
        one, other = parse_endpoint(planned, 0), parse_endpoint(actual, 0)
    except ValueError:
        return planned != actual
    return one.address is not None and other.address is not None and str(one) != str(other)


def _text(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
