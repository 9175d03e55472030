# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The WireGuard protocol, sans-IO: time, entropy and datagrams come in, outputs come out."""

from . import constants
from .allowed_ips import AllowedIps, Prefix
from .device import Device
from .environment import Entropy, Tai64nClock
from .events import DeliverPacket, HandshakeCompleted, HandshakeGaveUp, Output, SendDatagram
from .leases import OpenLease, SealLease
from .peer import Peer
from .replay import ReplayWindow
from .tai64n import stamp_of, wall_time

__all__ = [
    "AllowedIps",
    "DeliverPacket",
    "Device",
    "Entropy",
    "HandshakeCompleted",
    "HandshakeGaveUp",
    "OpenLease",
    "Output",
    "Peer",
    "Prefix",
    "ReplayWindow",
    "SealLease",
    "SendDatagram",
    "Tai64nClock",
    "constants",
    "stamp_of",
    "wall_time",
]
