# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.ha_net import HaNet

Maker = Callable[..., HaNet]


@pytest.fixture
def make_net() -> Iterator[Maker]:
    """Networks with these settings, closed at the end."""
    made: list[HaNet] = []

    def make(kind: type[HaNet] = HaNet, **settings: object) -> HaNet:
        made.append(kind(**settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for net in made:
        net.close()


@pytest.fixture
def net(make_net: Maker) -> HaNet:
    """Three hubs, two spokes, at the defaults, settled."""
    return make_net().settled()
