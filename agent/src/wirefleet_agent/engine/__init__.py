# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Running tunnels: the loop, the pump between TUN and UDP, the socket for wg(8), name resolution."""

from .loop import Handle, Loop
from .pump import Pump
from .resolver import Resolver
from .supervisor import Supervisor
from .tunnel import Tunnel
from .uapi_server import UapiServer

__all__ = ["Handle", "Loop", "Pump", "Resolver", "Supervisor", "Tunnel", "UapiServer"]
