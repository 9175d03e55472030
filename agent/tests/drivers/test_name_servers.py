# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Name servers by the registry: what is written where, and when the DNS client is told."""

from __future__ import annotations

import errno
import uuid

import pytest
from wirefleet_agent.drivers.name_servers import NameServers
from wirefleet_agent.drivers.win32_errors import ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, Win32Error

GUID = uuid.UUID("6f4a3d0e-2b57-4c1f-9c36-5d6f0a7be1c4")
KEY = r"SYSTEM\CurrentControlSet\Services\{}\Parameters\Interfaces\{{6f4a3d0e-2b57-4c1f-9c36-5d6f0a7be1c4}}"


class FakeNameServerApi:
    """Records. error: what the registry answers."""

    def __init__(self, error: OSError | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._error = error

    def write(self, key: str, values: dict[str, str]) -> None:
        if self._error is not None:
            raise self._error
        self.calls.append((key, values))

    def tell_dns_client(self) -> None:
        self.calls.append(("told",))


class Denied(PermissionError):
    """As Windows has it: errno says 13, which is another code there."""

    @property
    def winerror(self) -> int:  # type: ignore[override]  # a read-only attribute there
        return ERROR_ACCESS_DENIED


@pytest.mark.parametrize(
    ("version", "service", "servers"),
    [(4, "Tcpip", ["192.0.2.53", "192.0.2.54"]), (6, "Tcpip6", ["2001:db8::53", "2001:db8::54"])],
)
def test_each_family_has_its_key_and_the_dns_client_is_told_afterwards(
    version: int, service: str, servers: list[str]
) -> None:
    api = FakeNameServerApi()

    NameServers(api).set(GUID, version, servers, ["example.net", "example.org"])

    values = {"NameServer": ",".join(servers), "SearchList": "example.net,example.org", "Domain": "example.net"}
    assert api.calls == [(KEY.format(service), values), ("told",)]


def test_nothing_asked_for_takes_everything_back() -> None:
    api = FakeNameServerApi()

    NameServers(api).set(GUID, 4, [], [])

    assert api.calls == [(KEY.format("Tcpip"), {"NameServer": "", "SearchList": "", "Domain": ""}), ("told",)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(errno.ENOENT, "no key"), ERROR_FILE_NOT_FOUND),
        (Denied(errno.EACCES, "access is denied"), ERROR_ACCESS_DENIED),
    ],
)
def test_a_refusal_has_its_code_and_tells_nobody(error: OSError, code: int) -> None:
    api = FakeNameServerApi(error)

    with pytest.raises(Win32Error) as caught:
        NameServers(api).set(GUID, 6, [], [])

    assert caught.value.code == code
    assert api.calls == []
