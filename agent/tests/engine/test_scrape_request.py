# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which status a request's head gets: the one page, or the reason why not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirefleet_agent.engine.scrape_request import Status, answer_head, status_of

GOOD = b"GET /metrics HTTP/1.1\r\nHost: 10.9.0.1:19586\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.mark.parametrize(
    "head",
    [
        GOOD,
        b"GET /metrics HTTP/1.0",
        b"GET /metrics?name[]=up HTTP/1.1\r\nhost: x",
        b"GET http://10.9.0.1:19586/metrics HTTP/1.1\r\nHost:",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Latin: \xe9\xff\r\nContent-Length: 5",
    ],
)
def test_the_page_is_found(head: bytes) -> None:
    assert status_of(head) is Status.OK


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x",
        b"GET /metrics/ HTTP/1.1\r\nHost: x",
        b"GET /Metrics HTTP/1.1\r\nHost: x",
        b"GET //metrics HTTP/1.1\r\nHost: x",
        b"GET /../metrics HTTP/1.1\r\nHost: x",
        b"GET /%6detrics HTTP/1.1\r\nHost: x",
        b"GET metrics HTTP/1.1\r\nHost: x",
        b"GET ftp://h/metrics HTTP/1.1\r\nHost: x",
        b"POST /admin HTTP/1.1\r\nHost: x",
        b"OPTIONS * HTTP/1.1\r\nHost: x",
        b"CONNECT example.net:443 HTTP/1.1\r\nHost: x",
    ],
)
def test_there_is_no_other_page(head: bytes) -> None:
    assert status_of(head) is Status.NOT_FOUND


@pytest.mark.parametrize("method", [b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"get", b"PRI"])
def test_no_other_method_is_allowed(method: bytes) -> None:
    assert status_of(method + b" /metrics HTTP/1.1\r\nHost: x") is Status.NOT_ALLOWED


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET",
        b"GET /metrics",
        b"GET  /metrics HTTP/1.1\r\nHost: x",
        b" GET /metrics HTTP/1.1\r\nHost: x",
        b"GET /metrics HTTP/1.1 \r\nHost: x",
        b"GET /metrics HTTP/2.0\r\nHost: x",
        b"GET /metrics HTTP/1.12\r\nHost: x",
        b"GET /met rics HTTP/1.1\r\nHost: x",
        b"GET /metrics\0 HTTP/1.1\r\nHost: x",
        b"GET /metrics HTTP/1.1",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y",
        b"GET /metrics HTTP/1.1\r\nHost : x",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n folded",
        b"GET /metrics HTTP/1.1\r\nHost: x\nEvil: y",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n: empty",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nno colon",
        b"GET /metrics HTTP/1.1\nHost: x",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request_is_a_bad_one(head: bytes) -> None:
    assert status_of(head) is Status.BAD_REQUEST


@given(st.binary(max_size=300) | st.text("GET /metrics HTTP/1.1\r\nHost:x ", max_size=60).map(str.encode))
def test_whatever_comes_gets_a_status(head: bytes) -> None:
    assert isinstance(status_of(head), Status)


def test_every_beginning_of_a_good_head_is_bad_or_the_same_page() -> None:
    for end in range(len(GOOD)):
        expected = Status.BAD_REQUEST if end < GOOD.index(b"Host:") + 5 else Status.OK
        found = status_of(GOOD[:end])
        assert found in (expected, Status.BAD_REQUEST), GOOD[:end]


def test_the_answer_says_its_length_and_that_the_connection_ends() -> None:
    head = answer_head(Status.OK, content_type="text/plain", length=12)

    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert b"Allow: GET\r\n" in answer_head(Status.NOT_ALLOWED)
