# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins, one file for each module or family. A module that is not in this table fails loudly."""

from __future__ import annotations

from wirefleet_wsman.call import StandIn
from wirefleet_wsman.modules.acl import win_acl, win_acl_inheritance, win_owner
from wirefleet_wsman.modules.command import win_command
from wirefleet_wsman.modules.copy import win_copy
from wirefleet_wsman.modules.eventlog import win_eventlog, win_eventlog_entry
from wirefleet_wsman.modules.facts import setup
from wirefleet_wsman.modules.files import win_file, win_stat
from wirefleet_wsman.modules.firewall import win_firewall_rule
from wirefleet_wsman.modules.jobs import async_status
from wirefleet_wsman.modules.ping import win_ping
from wirefleet_wsman.modules.powershell import win_powershell
from wirefleet_wsman.modules.registry import win_reg_stat, win_regedit
from wirefleet_wsman.modules.rights import win_user_right
from wirefleet_wsman.modules.service import win_service
from wirefleet_wsman.modules.service_info import win_service_info
from wirefleet_wsman.modules.unzip import win_unzip
from wirefleet_wsman.modules.waiting import win_wait_for

STAND_INS: dict[str, StandIn] = {
    "ansible.windows.async_status": async_status,
    "ansible.windows.setup": setup,
    "ansible.windows.win_acl": win_acl,
    "ansible.windows.win_acl_inheritance": win_acl_inheritance,
    "ansible.windows.win_command": win_command,
    "ansible.windows.win_copy": win_copy,
    "ansible.windows.win_eventlog": win_eventlog,
    "ansible.windows.win_file": win_file,
    "ansible.windows.win_owner": win_owner,
    "ansible.windows.win_ping": win_ping,
    "ansible.windows.win_powershell": win_powershell,
    "ansible.windows.win_reg_stat": win_reg_stat,
    "ansible.windows.win_regedit": win_regedit,
    "ansible.windows.win_service": win_service,
    "ansible.windows.win_service_info": win_service_info,
    "ansible.windows.win_stat": win_stat,
    "ansible.windows.win_user_right": win_user_right,
    "ansible.windows.win_wait_for": win_wait_for,
    "community.windows.win_eventlog_entry": win_eventlog_entry,
    "community.windows.win_firewall_rule": win_firewall_rule,
    "community.windows.win_unzip": win_unzip,
}

# The real modules skip in check mode, with these words.
NO_CHECK_MODE: dict[str, str] = {
    "ansible.windows.win_command": "remote module (win_command) does not support check mode",
    "ansible.windows.win_acl": "remote module does not support check mode",
}
