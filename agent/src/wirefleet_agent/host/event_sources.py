# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Who may write to the Application event log of Windows under a name of its own."""

from __future__ import annotations

from typing import Protocol


class EventSourceStore(Protocol):
    """Sources of the Application event log. All raise OSError."""

    def is_registered(self, source: str) -> bool:
        """So that its entries are shown as text."""

    def exists(self, source: str) -> bool:
        """In whatever state."""

    def register(self, source: str) -> None:
        """Idempotent."""

    def remove(self, source: str) -> None:
        """Idempotent."""
