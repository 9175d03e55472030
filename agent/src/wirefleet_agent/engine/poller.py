# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Waiting for descriptors: epoll itself where there is one, since every packet waits for it; else ``selectors``."""

from __future__ import annotations

import contextlib
import select
import selectors
from collections.abc import Callable
from typing import Any, Protocol

READ = 1
WRITE = 4
"""What epoll calls EPOLLIN and EPOLLOUT. An error or a hang-up counts as both, so that somebody looks."""


class Poller(Protocol):
    def watch(self, fd: int, events: int) -> None:
        """Wait for READ, WRITE, both or, with 0, nothing of this descriptor from now on. Raises OSError, KeyError."""

    @property
    def poll(self) -> Callable[[float | None], list[tuple[int, int]]]:
        """timeout_s -> (descriptor, events) of those that are ready.

        Waits at most ``timeout_s``, None until there is one.
        """

    def close(self) -> None: ...


class EpollPoller:
    def __init__(self) -> None:
        self._epoll: Any = getattr(select, "epoll")()  # noqa: B009  # not known to a type checker for Windows
        self._watched: set[int] = set()
        self.poll: Callable[[float | None], list[tuple[int, int]]] = self._epoll.poll

    def watch(self, fd: int, events: int) -> None:
        if not events:
            if fd in self._watched:
                self._watched.discard(fd)
                with contextlib.suppress(OSError):  # closed meanwhile: the kernel has forgotten it
                    self._epoll.unregister(fd)
        elif fd in self._watched:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
            self._watched.add(fd)

    def close(self) -> None:
        self._epoll.close()


class SelectorPoller:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, events: int) -> None:
        wanted = (selectors.EVENT_READ if events & READ else 0) | (selectors.EVENT_WRITE if events & WRITE else 0)
        if not events:
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        elif fd in self._selector.get_map():
            self._selector.modify(fd, wanted)
        else:
            self._selector.register(fd, wanted)

    def poll(self, timeout_s: float | None) -> list[tuple[int, int]]:
        return [
            (key.fd, (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0))
            for key, events in self._selector.select(timeout_s)
        ]

    def close(self) -> None:
        self._selector.close()


def make_poller() -> Poller:
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
