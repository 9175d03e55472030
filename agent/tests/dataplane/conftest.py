# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The properties hold with numpy and without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from wirefleet_agent.dataplane import vectors


@pytest.fixture(scope="module", params=[pytest.param("numpy", marks=pytest.mark.linux_only), "stdlib"])
def arithmetic(request: pytest.FixtureRequest) -> Iterator[str]:
    """How checksums are added up. On Windows nothing needs numpy, as there is nothing to cut or join."""
    if request.param == "numpy":
        assert vectors.HAS_NUMPY, "the tests install the agent with its extra"
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "HAS_NUMPY", False)
        yield request.param
