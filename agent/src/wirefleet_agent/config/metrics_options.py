# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``[metrics]`` of ``<tunnel>.toml``: where Prometheus may ask, and for how much.

::

    [metrics]
    listen = "overlay"       # or "loopback", or both: ["overlay", "loopback"]; without the section nothing listens
    port = 19586
    per_peer = true          # false: no series per peer, for hubs with many thousands of them
    endpoints = false        # true: the peers' underlay addresses are shown too
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from .problems import did_you_mean, quote
from .toml_reader import TomlReader

Listen = Literal["overlay", "loopback"]

DEFAULT_METRICS_PORT = 19586
"""9586, which exporters for WireGuard have, and 10,000 above it: below the ports that systems give to clients."""

_KEYS = ("listen", "port", "per_peer", "endpoints")
_PLACES: tuple[Listen, ...] = get_args(Listen)
_LISTEN_HINT = 'write "overlay", "loopback" or ["overlay", "loopback"]'


class Refuse(Protocol):
    def __call__(self, key: str, message: str, hint: str | None) -> None:
        """Note a problem of one key of the section."""


@dataclass(frozen=True)
class MetricsOptions:
    """listen: the kinds of addresses, at least one. is_per_peer: series per peer. shows_endpoints: where peers are."""

    listen: tuple[Listen, ...]
    port: int = DEFAULT_METRICS_PORT
    is_per_peer: bool = True
    shows_endpoints: bool = False


def read_metrics(document: Mapping[str, object], reader: TomlReader) -> MetricsOptions | None:
    """None if there is no such section, or one that cannot be used; the reader knows then why."""
    section: Mapping[str, object] | None = reader.get("", document, "metrics", dict)
    if section is None:
        return None
    is_sound = True

    def wrong(key: str, message: str, hint: str | None) -> None:
        nonlocal is_sound
        is_sound = False
        reader.problem("metrics", key, message, hint)

    for key in section:
        if key not in _KEYS:
            wrong(key, "unknown key", did_you_mean(key, _KEYS))
    listen = _listen(section.get("listen"), wrong)
    port = section.get("port", DEFAULT_METRICS_PORT)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 0xFFFF:
        wrong("port", "a port is a whole number from 1 to 65535", f"leave it out for {DEFAULT_METRICS_PORT}")
    switches = {"per_peer": section.get("per_peer", True), "endpoints": section.get("endpoints", False)}
    for key, value in switches.items():
        if not isinstance(value, bool):
            wrong(key, "this is not true or false", "write true or false")
    if not is_sound:
        return None
    assert isinstance(port, int)
    return MetricsOptions(listen, port, bool(switches["per_peer"]), bool(switches["endpoints"]))


def _listen(value: object, wrong: Refuse) -> tuple[Listen, ...]:
    """In our order, whatever theirs is."""
    given = value if isinstance(value, list) else [value]
    texts = [each for each in given if isinstance(each, str)]
    if value is None or not texts or len(texts) != len(given):
        wrong("listen", "where to listen is missing" if value is None else "this is no place to listen", _LISTEN_HINT)
        return ()
    for text in texts:
        if text not in _PLACES:
            wrong("listen", f"{quote(text)} is not possible here: no other address ever listens", _LISTEN_HINT)
    if len(set(texts)) != len(texts):
        wrong("listen", "a place stands here twice", _LISTEN_HINT)
    return tuple(place for place in _PLACES if place in texts)


def metrics_lines(options: MetricsOptions) -> Iterator[str]:
    """The section as it is written."""
    places = ", ".join(f'"{place}"' for place in options.listen)
    yield "[metrics]"
    yield f"listen = [{places}]"
    yield f"port = {options.port}"
    yield f"per_peer = {str(options.is_per_peer).lower()}"
    yield f"endpoints = {str(options.shows_endpoints).lower()}"
