# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rehearsal looks like; pure data. The namespaces are the lab's own machinery with other hosts.

Every host has a link of its own to the router namespace. The controller is a machine like the others: ansible-playbook
runs in its namespace and reaches WinRM over the underlay, or over the overlay from the Linux spoke's namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wirefleet_lab.topology import HOSTS as LAB_HOSTS
from wirefleet_lab.topology import Host, Lab, make_link

CONTROLLER = "controller"
LINUX_HOSTS = ("spoke-2",)
# Two processors carry four Windows hosts: those that talk most to each other are apart.
CPU_OF = {"hub-1": 0, "hub-2": 1, "hub-3": 0, "spoke-1": 1}
WINDOWS_HOSTS = tuple(CPU_OF)
ALL_HOSTS = (*WINDOWS_HOSTS, *LINUX_HOSTS)
_MACHINES: tuple[Host, ...] = (
    *(host for host in LAB_HOSTS if host.name in ALL_HOSTS),
    Host(CONTROLLER, "eu", make_link("192.0.2.8/30", "2001:db8:1:9::/64")),
)


@dataclass(frozen=True)
class Rehearsal:
    """One rehearsal on this machine. Several run beside each other when prefix and state directory differ."""

    prefix: str
    state: Path

    @property
    def lab(self) -> Lab:
        """The namespaces and links."""
        return Lab(self.prefix, self.state, hosts=_MACHINES, lans=())

    def namespace(self, name: str) -> str:
        return self.lab.namespace(name)

    def address4(self, name: str) -> str:
        """The underlay address of a machine."""
        return str(next(host for host in _MACHINES if host.name == name).underlay.near4.ip)

    def address6(self, name: str) -> str:
        return str(next(host for host in _MACHINES if host.name == name).underlay.near6.ip)

    def directory(self, name: str) -> Path:
        """What belongs to one host: its disk, the state of its stand-ins, their logs."""
        return self.lab.root(name)

    @property
    def winrm(self) -> Path:
        """Certificates and the password of the rehearsal's administrators."""
        return self.state / "winrm"

    @property
    def bundles(self) -> Path:
        """Where site.yml finds the agent's bundles."""
        return self.state / "bundles"
