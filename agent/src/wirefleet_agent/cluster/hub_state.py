# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the rest of the agent may know of the hubs' state: small, never waits, and there without a cluster too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..keys import PublicKey
from .state import ClusterView


class HubState(Protocol):
    """Read on the loop's thread. All of it is what this hub knows now; it may be behind by what a change takes."""

    @property
    def draining(self) -> bool:
        """Whether this hub asks its spokes to leave it."""

    @property
    def epoch(self) -> int:
        """Of the fleet's configuration; never falls. 0 without a cluster."""

    @property
    def revoked(self) -> frozenset[PublicKey]:
        """Keys that this hub must refuse."""

    def override_of(self, spoke: PublicKey) -> PublicKey | None:
        """The hub that this spoke is to prefer, whatever the plan says."""

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call on the loop's thread whenever anything of this has changed."""


class ViewHubState:
    """Made of the cluster's view and of what was said to this hub alone. own_key: None until the tunnel has one."""

    def __init__(self) -> None:
        self.own_key: PublicKey | None = None
        self._view = ClusterView()
        self._is_draining_alone = False
        self._revoked: frozenset[PublicKey] = frozenset()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def draining(self) -> bool:
        return self._is_draining_alone or str(self.own_key) in self._view.drains

    @property
    def is_draining_alone(self) -> bool:
        """By ``drain --local``: until this daemon ends."""
        return self._is_draining_alone

    @property
    def epoch(self) -> int:
        return self._view.epoch

    @property
    def revoked(self) -> frozenset[PublicKey]:
        return self._revoked

    @property
    def view(self) -> ClusterView:
        return self._view

    def override_of(self, spoke: PublicKey) -> PublicKey | None:
        found = self._view.overrides.get(str(spoke))
        return None if found is None else PublicKey.from_base64(found)

    def subscribe(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def take(self, view: ClusterView) -> None:
        """The cluster's state is this now. Callbacks are called if anything differs."""
        if view == self._view:
            return
        self._view = view
        self._revoked = frozenset(PublicKey.from_base64(key) for key in view.revoked)
        self._tell()

    def drain_alone(self, *, is_on: bool) -> bool:
        """Whether that changed anything."""
        if is_on == self._is_draining_alone:
            return False
        self._is_draining_alone = is_on
        self._tell()
        return True

    def _tell(self) -> None:
        for callback in self._callbacks:
            callback()
