# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The WireGuard protocol, sans-IO: time, entropy and datagrams come in, outputs come out."""

from . import constants
from .allowed_ips import AllowedIps, Prefix
from .device import Device
from .environment import Entropy, Tai64nClock
from .events import DeliverPacket, HandshakeCompleted, HandshakeGaveUp, Output, SendDatagram
from .groups import Group, Owner, accepts
from .leases import OpenLease, SealLease
from .peer import Peer
from .replay import ReplayWindow
from .tai64n import stamp_of, wall_time

__all__ = [
    "AllowedIps",
    "DeliverPacket",
    "Device",
    "Entropy",
    "Group",
    "HandshakeCompleted",
    "HandshakeGaveUp",
    "OpenLease",
    "Output",
    "Owner",
    "Peer",
    "Prefix",
    "ReplayWindow",
    "SealLease",
    "SendDatagram",
    "Tai64nClock",
    "accepts",
    "constants",
    "stamp_of",
    "wall_time",
]
