# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that call the agent have in common in their documentation."""

from __future__ import annotations


class ModuleDocFragment:
    """``wirefleet.wireguard.agent``: options and attributes of the actions that call the agent on a host."""

    DOCUMENTATION = r"""
options:
  root:
    description:
      - Directory which the agent takes for the root directory of its host. V(/) is C(C:\Program Files\WireFleet) on
        Windows.
      - The agent is called as C(opt/wirefleet/current/bin/wirefleet-agent) below it; as C(wirefleet-agent.cmd) on
        Windows.
      - On Windows it is a directory of its own on a drive, without any of C(% & | < > ^ " !).
    type: str
    default: /
  tunnel:
    description:
      - Name of the tunnel.
      - On Linux at most 15 of C(A-Z a-z 0-9 _ = + . -); on Windows at most 32 letters and digits of any script and
        C(_ = + . -).
    type: str
    default: wf0
attributes:
  action:
    description: An action plugin; it runs on the controller and calls the agent on the host over the host's connection.
    support: full
  connection:
    description:
      - Calls the agent by M(ansible.windows.win_command) on Windows, else by M(ansible.builtin.command).
      - May ride on the tunnel itself; what outlives a lost connection says so.
    support: full
  delegation:
    description: Can be delegated like any module that runs on a host.
    support: full
  async:
    description: Cannot run in the background.
    support: none
"""
