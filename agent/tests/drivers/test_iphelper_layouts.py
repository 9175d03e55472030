# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Sizes and offsets of the IP Helper's structures on 64-bit Windows, as the headers of its SDK give them."""

from __future__ import annotations

import ctypes
import ipaddress
import uuid

import pytest
from wirefleet_agent.drivers import iphelper_layouts as layouts

SIZES = {
    layouts.SockaddrIn: 16,
    layouts.SockaddrIn6: 28,
    layouts.SockaddrInet: 28,
    layouts.Guid: 16,
    layouts.UnicastIpAddressRow: 80,
    layouts.IpAddressPrefix: 32,
    layouts.IpForwardRow2: 104,
    layouts.IpInterfaceRow: 168,
    layouts.UnicastIpAddressTable: 88,
    layouts.IpForwardTable2: 112,
    layouts.IpInterfaceTable: 176,
    layouts.DnsInterfaceSettings: 64,
}
OFFSETS = {
    layouts.SockaddrIn: {"address": 4},
    layouts.SockaddrIn6: {"flow_info": 4, "address": 8, "scope_id": 24},
    layouts.UnicastIpAddressRow: {
        "interface_luid": 32, "interface_index": 40, "prefix_origin": 44, "suffix_origin": 48, "valid_lifetime": 52,
        "preferred_lifetime": 56, "on_link_prefix_length": 60, "skip_as_source": 61, "dad_state": 64, "scope_id": 68,
        "creation_time_stamp": 72,
    },
    layouts.IpAddressPrefix: {"length": 28},
    layouts.IpForwardRow2: {
        "interface_index": 8, "destination": 12, "next_hop": 44, "site_prefix_length": 72, "valid_lifetime": 76,
        "preferred_lifetime": 80, "metric": 84, "protocol": 88, "loopback": 92, "immortal": 95, "age": 96,
        "origin": 100,
    },
    layouts.IpInterfaceRow: {
        "interface_luid": 8, "interface_index": 16, "max_reassembly_size": 20, "interface_identifier": 24,
        "advertising_enabled": 40, "forwarding_enabled": 41, "use_automatic_metric": 44, "advertise_default_route": 48,
        "router_discovery_behavior": 52, "dad_transmits": 56, "link_local_address_behavior": 72, "zone_indices": 80,
        "site_prefix_length": 144, "metric": 148, "nl_mtu": 152, "connected": 156, "reachable_time": 160,
        "transmit_offload": 164, "disable_default_routes": 166,
    },
    layouts.UnicastIpAddressTable: {"rows": 8},
    layouts.IpForwardTable2: {"rows": 8},
    layouts.IpInterfaceTable: {"rows": 8},
    layouts.DnsInterfaceSettings: {
        "flags": 8, "domain": 16, "name_server": 24, "search_list": 32, "registration_enabled": 40,
        "query_adapter_name": 52, "profile_name_server": 56,
    },
}  # fmt: skip


@pytest.mark.parametrize("structure", SIZES, ids=lambda structure: structure.__name__)
def test_sizes_are_those_of_the_headers(structure: type[ctypes.Structure]) -> None:
    assert ctypes.sizeof(structure) == SIZES[structure]


@pytest.mark.parametrize("structure", OFFSETS, ids=lambda structure: structure.__name__)
def test_offsets_are_those_of_the_headers(structure: type[ctypes.Structure]) -> None:
    found = {name: getattr(structure, name).offset for name in OFFSETS[structure]}

    assert found == OFFSETS[structure]


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1", "0.0.0.0", "::"])
def test_an_address_comes_back_from_the_union_and_nothing_stays_of_the_one_before(text: str) -> None:
    union = layouts.SockaddrInet()
    union.set(ipaddress.ip_address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"))

    union.set(ipaddress.ip_address(text))

    assert union.get() == ipaddress.ip_address(text)
    assert bytes(union).count(0xFF) == 0
    assert union.family == (2 if "." in text else 23)


@pytest.mark.parametrize("text", ["10.99.0.1/24", "2001:db8:99::1/64"])
def test_an_address_row_comes_back(text: str) -> None:
    row = layouts.UnicastIpAddressRow()

    row.set(7, ipaddress.ip_interface(text))

    assert (row.interface_luid, row.get()) == (7, ipaddress.ip_interface(text))


@pytest.mark.parametrize("text", ["10.98.0.0/16", "2001:db8:98::/48", "0.0.0.0/0", "::/0"])
def test_a_route_row_comes_back_and_is_on_link(text: str) -> None:
    row = layouts.IpForwardRow2()

    row.set(7, ipaddress.ip_network(text), 3)

    assert (row.interface_luid, row.prefix(), row.metric) == (7, ipaddress.ip_network(text), 3)
    assert row.next_hop.get().is_unspecified
    assert row.next_hop.family == row.destination.prefix.family


def test_a_guid_has_the_byte_order_of_windows() -> None:
    value = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")

    guid = layouts.Guid.from_buffer_copy(value.bytes_le)

    assert (guid.data1, guid.data2, guid.value) == (0x00112233, 0x4455, value)


def test_loopback_is_known_by_its_luid() -> None:
    assert layouts.is_loopback(6755399457832960)
    assert not layouts.is_loopback(1688849910595584)
