# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The UAPI codec, and the only door for change to a running tunnel."""

from .apply import Applied, Applier
from .host_steps import HostSettings, SocketSettings

__all__ = ["Applied", "Applier", "HostSettings", "SocketSettings"]
