# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The properties hold with numpy and without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from wirefleet_agent.dataplane import vectors


@pytest.fixture(scope="module", params=["numpy", "stdlib"])
def arithmetic(request: pytest.FixtureRequest) -> Iterator[str]:
    """How checksums are added up; numpy is an extra, so it may be missing."""
    if request.param == "numpy":
        if not vectors.HAS_NUMPY:
            pytest.skip("numpy is not installed")
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "HAS_NUMPY", False)
        yield request.param
