# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Python's cycle collector, kept from holding up packets.

A full collection looks at every object: 0.1 s with ten thousand peers. While their configuration is made, out of some
hundred thousand objects, several collections would look through it in vain, and later ones again and again.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_MANY = 1000


@contextlib.contextmanager
def making_peers(count: int) -> Iterator[None]:
    """Around what makes ``count`` peers and prefixes, or their configuration; few are not worth the trouble.

    The collector waits meanwhile and afterwards leaves alone what is there, until the next time or ``let_go``. What
    nobody refers to any more is freed as ever; only cycles stay.
    """
    if count < _MANY or not gc.isenabled():
        yield
        return
    gc.unfreeze()
    gc.collect()  # what is garbage now must not be kept
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def let_go() -> None:
    """A tunnel has ended: the collector may take its peers."""
    gc.unfreeze()
