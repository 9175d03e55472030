# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: netns
short_description: Run tasks in a Linux network namespace of the controller
version_added: 0.1.0
description:
  - Runs commands on the controller inside a named network namespace, which gives each lab host its own network.
  - Files are put and fetched as the local connection does, since only the network differs.
  - A missing namespace makes the host unreachable, as a server that is switched off would be.
author:
  - WireFleet (@wirefleet)
requirements:
  - C(nsenter) of util-linux on the controller
  - The privilege to enter the namespace, that is root on the machine or in the user namespace which made it
options:
  namespace:
    description: Name of the namespace, as C(ip netns) knows it.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: wirefleet_netns
  nsenter:
    description: Path of C(nsenter).
    type: str
    default: nsenter
    vars:
      - name: wirefleet_nsenter
  hint:
    description: What to do when the namespace is missing; part of the error message.
    type: str
    default: run playbooks/lab_up.yml
    vars:
      - name: wirefleet_netns_hint
extends_documentation_fragment:
  - connection_pipelining
"""

import shlex
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as LocalConnection

NETNS_DIRECTORY = Path("/run/netns")


class Connection(LocalConnection):
    """Local connection, with every command started inside a network namespace."""

    transport = "wirefleet.wireguard.netns"
    has_pipelining = True

    def namespace_path(self) -> str:
        """Path of the namespace. Raises AnsibleConnectionFailure (the host is unreachable) when it cannot be one."""
        namespace = self.get_option("namespace")
        if not namespace or "/" in namespace:
            raise AnsibleConnectionFailure(f"{namespace!r} is not the name of a network namespace")
        path = NETNS_DIRECTORY / namespace
        if not path.exists():
            raise AnsibleConnectionFailure(
                f"there is no network namespace {namespace} on the controller; {self.get_option('hint')}"
            )
        return str(path)

    def _connect(self):
        self.namespace_path()
        super()._connect()
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Run cmd by /bin/sh inside the namespace; arguments and result are those of the local connection."""
        entry = [self.get_option("nsenter"), f"--net={self.namespace_path()}", "--", "/bin/sh", "-c", cmd]
        returncode, stdout, stderr = super().exec_command(
            f"exec {shlex.join(entry)}", in_data=in_data, sudoable=sudoable
        )
        if returncode != 0 and b"reassociate to namespace" in stderr:
            raise AnsibleConnectionFailure(
                f"cannot enter the network namespace {self.get_option('namespace')}: "
                "run Ansible as root, or through lab/enter"
            )
        return returncode, stdout, stderr
