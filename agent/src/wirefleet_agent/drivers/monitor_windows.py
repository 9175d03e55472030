# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Changes of interfaces, addresses and routes, told by Windows on threads of its own and heard on the loop's."""

from __future__ import annotations

import threading

from .doorbell import Doorbell
from .iphelper import IpHelperApi
from .win32_errors import Win32Error


class WindowsUnderlayMonitor:
    """See UnderlayMonitor. A storm of notifications rings once."""

    def __init__(self, api: IpHelperApi) -> None:
        self._bell = Doorbell()
        self._lock = threading.Lock()
        self._has_changed = False
        try:
            self._watch = api.watch(self._notice)
        except Win32Error as error:
            self._bell.close()
            raise error.as_driver_error() from error

    def fileno(self) -> int:
        return self._bell.fileno()

    def has_changed(self) -> bool:
        """Whether something changed since the last call."""
        with self._lock:  # as one step with the bell: a ring in between would be lost, and with it all later ones
            self._bell.silence()
            has_changed, self._has_changed = self._has_changed, False
        return has_changed

    def close(self) -> None:
        """Windows has forgotten us before the doorbell goes. Idempotent."""
        self._watch.close()
        self._bell.close()

    def _notice(self) -> None:
        """On a thread of the system, which must not be kept."""
        with self._lock:
            if not self._has_changed:
                self._has_changed = True
                self._bell.ring()
