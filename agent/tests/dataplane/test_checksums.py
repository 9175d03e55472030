# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Sums of 16-bit words, however they are added up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inner_packets import random_bytes, seeds
from support.super_packets import internet_checksum, internet_sum
from wirefleet_agent.dataplane.checksums import checksum, residue, row_residues, row_residues_plain

pytestmark = pytest.mark.usefixtures("arithmetic")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_a_residue_is_the_sum_of_words_modulo_65535(data: bytes) -> None:
    assert residue(data) == internet_sum(data) % 65535
    assert residue(memoryview(bytearray(data))) == residue(data)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=80).filter(any))
def test_a_checksum_is_the_complement_of_the_sum(data: bytes) -> None:
    assert checksum(residue(data)) == internet_checksum(data)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seeds, st.integers(0, 80), st.integers(0, 130), st.integers(0, 80), st.integers(0, 9), st.integers(0, 40))
def test_row_by_row_the_sums_are_those_of_each_row_alone(
    seed: int, length: int, rows: int, gap: int, start: int, behind: int
) -> None:
    stride = length + gap or 1
    buffer = bytearray(random_bytes(seed, start + rows * stride + behind))

    sums = list(row_residues(buffer, start, stride, rows, length))

    wanted = [internet_sum(bytes(buffer[start + k * stride :][:length])) % 65535 for k in range(rows)]
    assert sums == wanted
    assert all(type(each) is int for each in sums)
    assert list(row_residues_plain(buffer, start, stride, rows, length)) == wanted


@pytest.mark.parametrize("length", [65534, 65535])
def test_long_rows_of_ones_do_not_overflow(length: int) -> None:
    buffer = bytearray(b"\xff" * (4 * length))

    assert list(row_residues(buffer, 0, length, 4, length)) == [internet_sum(b"\xff" * length) % 65535] * 4


def test_a_row_may_end_with_the_buffer(arithmetic: str) -> None:
    buffer = bytearray(range(101))

    assert list(row_residues(buffer, 1, 25, 4, 25)) == [residue(buffer[k : k + 25]) for k in range(1, 101, 25)]
