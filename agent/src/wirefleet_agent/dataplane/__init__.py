# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Batches of packets in and out: leases from the core, the AEAD on flat buffers, super-packets cut and joined.

Pure functions on buffers. ``Outbound`` and ``Inbound`` are the seam for a native kernel: it would take over what
happens between a lease and its commit, for one batch at a time.
"""

from .inbound import Inbound, Packet
from .outbound import Outbound, packet_batch

__all__ = ["Inbound", "Outbound", "Packet", "packet_batch"]
