# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Batches of packets in and out: leases from the core, AEAD in place, nothing copied on the way."""

from .inbound import Inbound
from .outbound import Outbound, outbound_batches

__all__ = ["Inbound", "Outbound", "outbound_batches"]
