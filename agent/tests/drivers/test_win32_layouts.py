# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Sizes and offsets of the structures that we hand to 64-bit Windows, against the documented declarations."""

from __future__ import annotations

import ctypes
import uuid

import pytest
from wirefleet_agent.drivers import winsock_layouts as winsock
from wirefleet_agent.drivers import wintrust_layouts as wintrust
from wirefleet_agent.wire.endpoint import Endpoint, LocalAddress


def offsets(structure: type[ctypes.Structure]) -> dict[str, int]:
    return {field[0]: getattr(structure, field[0]).offset for field in structure._fields_}


def test_wsabuf_and_wsamsg_are_laid_out_as_documented() -> None:
    assert ctypes.sizeof(winsock.WsaBuf) == 16
    assert offsets(winsock.WsaBuf) == {"length": 0, "address": 8}
    assert ctypes.sizeof(winsock.WsaMsg) == 56
    assert offsets(winsock.WsaMsg) == {
        "name": 0,
        "name_bytes": 8,
        "buffers": 16,
        "buffer_count": 24,
        "control": 32,
        "flags": 48,
    }


def test_the_structures_of_winverifytrust_are_laid_out_as_documented() -> None:
    assert ctypes.sizeof(wintrust.WintrustFileInfo) == 32
    assert list(offsets(wintrust.WintrustFileInfo).values()) == [0, 8, 16, 24]
    assert ctypes.sizeof(wintrust.WintrustData) == 88
    assert list(offsets(wintrust.WintrustData).values()) == [0, 8, 16, 24, 28, 32, 40, 48, 56, 64, 72, 76, 80]


def test_a_guid_has_its_integers_in_the_order_of_the_machine() -> None:
    guid = wintrust.Guid.of(uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"))

    assert ctypes.sizeof(wintrust.Guid) == 16
    assert bytes(guid) == bytes.fromhex("33221100 5544 7766 8899aabbccddeeff")


def test_what_windows_is_asked_about_a_file_names_its_sizes_and_no_network() -> None:
    data, info = wintrust.file_to_verify("C:\\wintun.dll", 0x123, may_fetch=False)
    fetching, _ = wintrust.file_to_verify("C:\\wintun.dll", 0x123, may_fetch=True)

    assert (data.struct_bytes, info.struct_bytes) == (88, 32)
    assert (info.file_path, info.file) == ("C:\\wintun.dll", 0x123)
    assert data.subject == ctypes.addressof(info)
    assert (data.provider_flags, fetching.provider_flags) == (0x1010, 0x10)
    assert (data.ui_choice, data.union_choice, data.state_action) == (2, 1, 1)


@pytest.mark.parametrize("unknown_root", [0x800B0109, 0x800B010A])
def test_a_root_that_this_host_does_not_know_yet_may_be_fetched(unknown_root: int) -> None:
    asked: list[bool] = []

    def ask(may_fetch: bool) -> int:
        asked.append(may_fetch)
        return 0 if may_fetch else unknown_root

    assert wintrust.trust_status(ask) == 0
    assert asked == [False, True]


@pytest.mark.parametrize("status", [0, 0x800B0100, 0x80096010, 0x800B010C])
def test_any_other_verdict_is_final_and_needs_no_network(status: int) -> None:
    asked: list[bool] = []

    def ask(may_fetch: bool) -> int:
        asked.append(may_fetch)
        return status

    assert wintrust.trust_status(ask) == status
    assert asked == [False]


def test_socket_addresses_have_ports_in_network_order_and_scopes_in_the_machines() -> None:
    v4 = winsock.pack_sockaddr(Endpoint("192.0.2.1", 51820))
    v6 = winsock.pack_sockaddr(Endpoint("fe80::1", 51820, 7))

    assert v4 == bytes.fromhex("0200 ca6c c0000201") + bytes(8)
    assert v6 == bytes.fromhex("1700 ca6c 00000000 fe80000000000000 0000000000000001 07000000")
    assert len(v4) == winsock.SOCKADDR_IN_BYTES
    assert len(v6) == winsock.SOCKADDR_BYTES


@pytest.mark.parametrize(
    "endpoint", [Endpoint("192.0.2.1", 1), Endpoint("2001:db8::1", 65535), Endpoint("fe80::2", 9, 3)]
)
def test_an_address_comes_back_as_it_went(endpoint: Endpoint) -> None:
    assert winsock.unpack_sockaddr(winsock.pack_sockaddr(endpoint)) == endpoint


def test_another_family_is_no_address() -> None:
    with pytest.raises(ValueError, match="family"):
        winsock.unpack_sockaddr(b"\x01\x00" + bytes(26))


def test_control_messages_are_padded_to_eight_bytes() -> None:
    v4 = winsock.pack_source(Endpoint("192.0.2.1", 1), LocalAddress("198.51.100.7", 5))
    v6 = winsock.pack_source(Endpoint("2001:db8::1", 1), LocalAddress("2001:db8::7", 5))
    assert v4 is not None
    assert v6 is not None

    control = winsock.pack_control(v4, v6, winsock.pack_segment_size(1452))

    assert control == (
        bytes.fromhex("1800000000000000 00000000 13000000 c6336407 00000000")  # IN_PKTINFO: address, interface
        + bytes.fromhex("2400000000000000 29000000 13000000 20010db8000000000000000000000007 00000000 00000000")
        + bytes.fromhex("1400000000000000 11000000 02000000 ac050000 00000000")
    )
    assert [len(data) for _, _, data in winsock.unpack_control(control)] == [8, 20, 4]


def test_a_link_local_source_names_its_interface() -> None:
    source = winsock.pack_source(Endpoint("fe80::1", 1, 5), LocalAddress("fe80::7", 5))

    assert source is not None
    assert source[2][16:] == b"\x05\0\0\0"


def test_a_source_of_the_other_family_is_left_out() -> None:
    assert winsock.pack_source(Endpoint("192.0.2.1", 1), LocalAddress("2001:db8::7", 5)) is None


def test_the_local_address_is_found_among_other_control_messages() -> None:
    noise = (0xFFFF, 0x300A, b"\1\0\0\0")
    pktinfo = (winsock.IPPROTO_IP, winsock.IP_PKTINFO, bytes([192, 0, 2, 9, 3, 0, 0, 0]))

    assert winsock.unpack_local(winsock.pack_control(noise, pktinfo)) == LocalAddress("192.0.2.9", 3)
    assert winsock.unpack_local(winsock.pack_control(noise)) is None


def test_control_data_that_is_cut_anywhere_is_harmless() -> None:
    control = winsock.pack_control((winsock.IPPROTO_IP, winsock.IP_PKTINFO, bytes(8))) * 2

    for length in range(len(control)):
        found = list(winsock.unpack_control(control[:length]))
        assert len(found) == length // 24
