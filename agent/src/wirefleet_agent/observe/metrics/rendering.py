# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Series -> the text exposition format, by prometheus_client, in pieces of a millisecond or two.

Imported when metrics are switched on, not before: the library takes some time and megabytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ._families import Family, Kind, MetricSource, Row

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LINES_PER_PIECE = 128
_HEAD_LINES = 2  # HELP and TYPE


def render_pieces(sources: Iterable[MetricSource], *, lines: int = LINES_PER_PIECE) -> Iterator[bytes]:
    """The whole exposition; each piece costs about as much as ``lines`` samples do."""
    gathered: list[Metric] = []
    room = lines
    for family, rows in itertools.chain.from_iterable(source.collect() for source in sources):
        rest = iter(rows)
        is_continued = False
        while some := tuple(itertools.islice(rest, room)):
            if is_continued:
                yield _without_head(_text([_metric(family, some)]))
            else:
                gathered.append(_metric(family, some))
            room -= len(some)
            if room:
                break  # the family has ended
            if gathered:
                yield _text(gathered)
            gathered, room, is_continued = [], lines, True
    if gathered:
        yield _text(gathered)


def _metric(family: Family, rows: Iterable[Row]) -> Metric:
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for values, value in rows:
        metric.add_metric(values, value)
    return metric


class _Metrics(Collector):
    """What the library takes in place of a registry."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _text(metrics: list[Metric]) -> bytes:
    return generate_latest(_Metrics(metrics))


def _without_head(text: bytes) -> bytes:
    """The samples alone: they go on where the last piece of their family ended."""
    return text.split(b"\n", _HEAD_LINES)[_HEAD_LINES]
