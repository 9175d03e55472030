# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Running tunnels: the loop, the pump between TUN and UDP, what wg(8) speaks to, name resolution.

The listeners for wg(8) are one per platform: ``uapi_server`` and ``uapi_pipe_windows``.
"""

from .collector import making_peers
from .loop import Handle, Loop
from .pump import Pump
from .resolver import Resolver
from .scrape_page import ScrapePage
from .scrape_server import ScrapeServer
from .supervisor import Supervisor
from .tunnel import Tunnel
from .uapi_answers import UapiListener

__all__ = [
    "Handle",
    "Loop",
    "Pump",
    "Resolver",
    "ScrapePage",
    "ScrapeServer",
    "Supervisor",
    "Tunnel",
    "UapiListener",
    "making_peers",
]
