# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WS-Man server for rehearsals: Ansible's real winrm connection talks to it, stand-ins play Windows' modules.

It runs no PowerShell and is no Windows: what works here is called rehearsed, never "tested on Windows".
"""

from __future__ import annotations

from wirefleet_wsman.certificate import make_certificate
from wirefleet_wsman.host import Host
from wirefleet_wsman.host_server import ServerSettings, WsmanServer

__all__ = ["Host", "ServerSettings", "WsmanServer", "make_certificate"]
