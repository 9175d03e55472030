# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that outlive the connection they began on.

The connection to a host may ride on the very tunnel that a task changes. What was asked for goes on there, because
the daemon does the work; the controller has to come back and ask what became of it. A host that does not come back in
time is unreachable: the last error of its connection is raised as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ansible.errors import (  # type: ignore[import-untyped]
    AnsibleAuthenticationFailure,
    AnsibleConnectionFailure,
    AnsibleError,
)

T = TypeVar("T")

RECONNECT_S = 120.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 15.0
# What the winrm plugin raises without a type of its own: it broke while a module's text was sent; nobody answered.
_UNTYPED = ("winrm send_input failed", "the connection attempt timed out")
_LIBRARIES = {"requests.RequestException"} | {
    f"{library}.{name}" for library in ("winrm", "pypsrp") for name in ("WinRMTransportError", "WSManFaultError")
}
_SHOWN = 160  # of what requests says at length
_REFUSED = ("credentials were rejected", "failed to authenticate")


class ConnectionLost(Exception):
    """A call was under way, or not even that. error: what the connection plugin raised."""

    def __init__(self, error: Exception) -> None:
        text = " ".join(str(error).split())
        super().__init__(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")
        self.error = error


def is_connection_error(error: BaseException) -> bool:
    """Whether a connection plugin says with it that the host is not there (any more). Wrong passwords do not count:
    to try them again locks accounts."""
    if isinstance(error, AnsibleAuthenticationFailure) or any(words in str(error) for words in _REFUSED):
        return False
    if isinstance(error, (AnsibleConnectionFailure, ConnectionError)):
        return True
    if isinstance(error, AnsibleError):
        return any(words in str(error) for words in _UNTYPED)
    # pywinrm, pypsrp and requests are there only where they are used, so their errors are known by name.
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    return bool(names & _LIBRARIES)


def once(call: Callable[[], T]) -> T:
    """The outcome of one call; raises ConnectionLost if the connection broke."""
    try:
        return call()
    except Exception as error:
        if is_connection_error(error):
            raise ConnectionLost(error) from error
        raise


def until_back(
    call: Callable[[], T],
    reset: Callable[[], None],
    *,
    timeout_s: float,
    progress: Callable[[str], None],
    is_lost: bool = False,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The outcome of ``call``, which must be safe to repeat, over as many new connections as it takes.

    reset: gives the connection up and makes a new one. timeout_s: from the first loss on. is_lost: it is known to be
    broken already. Raises what the connection raised last; all other errors pass through.
    """
    limit: float | None = now() + timeout_s if is_lost else None
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return once(call if limit is None else lambda: _after(reset, call))
        except ConnectionLost as lost:
            limit = limit if limit is not None else now() + timeout_s
            if now() + pause_s > limit:
                raise lost.error from None
            progress(f"the connection is lost ({lost}); trying again for {limit - now():.0f} s")
        sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _after(reset: Callable[[], None], call: Callable[[], T]) -> T:
    reset()
    return call()
