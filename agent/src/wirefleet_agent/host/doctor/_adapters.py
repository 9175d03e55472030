# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Adapters of ours as the device manager of Windows sees them, and addresses that dead adapters hold on to.

A crash, a power cut or a Windows update leaves an adapter behind: a ghost that is not there but has the name, one whose
driver does not start any more, or one that nobody serves. Then a new one cannot be made ("already exists"), or has no
use for its address since the ghost has it. Taking such an adapter away costs nothing: the service makes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

from ...drivers.interfaces import InterfaceAddress
from ...drivers.iphelper import IpHelperApi
from ..adapters import Adapter, AdapterProbe, our_adapters, remove_address, stray_addresses
from ..paths import TunnelPaths
from ._findings import Finding, Severity

# cfg.h: what a Windows update does to drivers.
PROBLEMS = {
    0x12: "its driver has to be installed again (CM_PROB_REINSTALL)",
    0x1C: "its driver is not installed (CM_PROB_FAILED_INSTALL)",
    0x34: "its driver's signature is not accepted (CM_PROB_UNSIGNED_DRIVER)",
}


class AdapterWorks:
    """No problem code of the device manager."""

    def __init__(self, tunnel: TunnelPaths, probe: AdapterProbe) -> None:
        self._tunnel = tunnel
        self._probe = probe

    def find(self) -> Sequence[Finding]:
        return [
            self._finding(each)
            for each in our_adapters(self._probe, self._tunnel)
            if each.is_present and each.problem_code
        ]

    def _finding(self, adapter: Adapter) -> Finding:
        why = PROBLEMS.get(adapter.problem_code, "see the device manager")
        return Finding(
            f"adapter_problem_{adapter.problem_code:02x}",
            Severity.ERROR,
            f"the adapter {adapter.name} has problem code 0x{adapter.problem_code:02x}: {why}",
            "wirefleet-agent doctor --fix takes it away, the service makes it anew; if it returns, reboot",
            is_fixable=True,
            subject=adapter.instance_id,
        )

    def fix(self, finding: Finding) -> None:
        self._probe.remove(finding.subject)


class NoAdapterIsLeftOver:
    """is_served: whether the tunnel's service runs, to which an adapter that is present belongs."""

    def __init__(self, tunnel: TunnelPaths, probe: AdapterProbe, is_served: Callable[[], bool]) -> None:
        self._tunnel = tunnel
        self._probe = probe
        self._is_served = is_served

    def find(self) -> Sequence[Finding]:
        ours = our_adapters(self._probe, self._tunnel)
        ghosts = [self._finding("adapter_ghost", each, "is only remembered") for each in ours if not each.is_present]
        if self._is_served():
            return ghosts
        left = [each for each in ours if each.is_present and not each.problem_code]
        return [*ghosts, *(self._finding("adapter_left_over", each, "is there, but nobody serves it") for each in left)]

    def _finding(self, code: str, adapter: Adapter, what: str) -> Finding:
        return Finding(
            code,
            Severity.WARNING,
            f"the adapter {adapter.name or adapter.instance_id} {what}",
            "wirefleet-agent doctor --fix",
            is_fixable=True,
            subject=adapter.instance_id,
        )

    def fix(self, finding: Finding) -> None:
        self._probe.remove(finding.subject)


class NoAddressIsStale:
    """wanted: addresses that this tunnel is configured with. Windows lists those of dead interfaces too.

    load: the IP Helper; raises DriverError.
    """

    def __init__(
        self, load: Callable[[], IpHelperApi], wanted: Callable[[], frozenset[IPv4Address | IPv6Address]]
    ) -> None:
        self._load = load
        self._wanted = wanted

    def find(self) -> Sequence[Finding]:
        return [
            Finding(
                "address_stale",
                Severity.ERROR,
                f"{address.ip} belongs to this tunnel, but an interface that is down holds on to it (LUID {luid:#x})",
                "wirefleet-agent doctor --fix",
                is_fixable=True,
                subject=f"{luid:x}/{address.ip}",
            )
            for luid, address in self._strays()
        ]

    def fix(self, finding: Finding) -> None:
        for luid, address in self._strays():
            if finding.subject == f"{luid:x}/{address.ip}":
                remove_address(self._load(), luid, address)

    def _strays(self) -> list[tuple[int, InterfaceAddress]]:
        wanted = self._wanted()
        if not wanted:
            return []
        return [(luid, address) for luid, address in stray_addresses(self._load()) if address.ip in wanted]
