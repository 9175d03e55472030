# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The hubs' replicated state on PySyncObj: epoch, drains, revocations, placement overrides. Never on the data path."""

from . import _tamed_imports as _tamed_imports
from .hub_state import HubState, ViewHubState
from .state import ClusterView, Revocation

__all__ = ["ClusterView", "HubState", "Revocation", "ViewHubState"]
