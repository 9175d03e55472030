# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Structures of the IP Helper on 64-bit Windows, importable anywhere.

Source: netioapi.h, ws2ipdef.h, ifdef.h and nldef.h as Microsoft documents them. Integers have fixed widths, because
``c_ulong`` is 64 bits wide on Linux; the compiler's alignment rules are the same.
"""

from __future__ import annotations

import ctypes
import ipaddress
import uuid

from .interfaces import InterfaceAddress, Prefix

AF_INET = 2
AF_INET6 = 23
INFINITE_LIFETIME = 0xFFFFFFFF
DAD_STATE_PREFERRED = 4
PROTOCOL_NETMGMT = 3  # routes that somebody asked for; the system's own have PROTOCOL_LOCAL
ROUTER_DISCOVERY_DISABLED = 0
IF_TYPE_SOFTWARE_LOOPBACK = 24
DNS_INTERFACE_SETTINGS_VERSION1 = 1
DNS_SETTING_IPV6 = 0x1
DNS_SETTING_NAMESERVER = 0x2
DNS_SETTING_SEARCHLIST = 0x4

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_ADDRESS4_BYTES = 4
_ADDRESS6_BYTES = 16


class SockaddrIn(ctypes.Structure):
    """SOCKADDR_IN. Port and address are in network byte order."""

    _fields_ = (
        ("family", ctypes.c_uint16),
        ("port", ctypes.c_uint16),
        ("address", ctypes.c_uint8 * _ADDRESS4_BYTES),
        ("zero", ctypes.c_uint8 * 8),
    )


class SockaddrIn6(ctypes.Structure):
    """SOCKADDR_IN6."""

    _fields_ = (
        ("family", ctypes.c_uint16),
        ("port", ctypes.c_uint16),
        ("flow_info", ctypes.c_uint32),
        ("address", ctypes.c_uint8 * _ADDRESS6_BYTES),
        ("scope_id", ctypes.c_uint32),
    )


class SockaddrInet(ctypes.Union):
    """SOCKADDR_INET: a union, aligned to four bytes; as a mere byte array it would shift what comes after it."""

    _fields_ = (("ipv4", SockaddrIn), ("ipv6", SockaddrIn6), ("family", ctypes.c_uint16))

    def set(self, address: IpAddress) -> None:
        ctypes.memset(ctypes.byref(self), 0, ctypes.sizeof(self))
        if address.version == 4:
            self.family = AF_INET
            self.ipv4.address[:] = address.packed
        else:
            self.family = AF_INET6
            self.ipv6.address[:] = address.packed

    def get(self) -> IpAddress:
        """Without a scope id."""
        if self.family == AF_INET:
            return ipaddress.IPv4Address(bytes(self.ipv4.address))
        return ipaddress.IPv6Address(bytes(self.ipv6.address))


class Guid(ctypes.Structure):
    """GUID."""

    _fields_ = (
        ("data1", ctypes.c_uint32),
        ("data2", ctypes.c_uint16),
        ("data3", ctypes.c_uint16),
        ("data4", ctypes.c_uint8 * 8),
    )

    @property
    def value(self) -> uuid.UUID:
        return uuid.UUID(bytes_le=bytes(self))


class UnicastIpAddressRow(ctypes.Structure):
    """MIB_UNICASTIPADDRESS_ROW."""

    _fields_ = (
        ("address", SockaddrInet),
        ("interface_luid", ctypes.c_uint64),
        ("interface_index", ctypes.c_uint32),
        ("prefix_origin", ctypes.c_int32),
        ("suffix_origin", ctypes.c_int32),
        ("valid_lifetime", ctypes.c_uint32),
        ("preferred_lifetime", ctypes.c_uint32),
        ("on_link_prefix_length", ctypes.c_uint8),
        ("skip_as_source", ctypes.c_uint8),
        ("dad_state", ctypes.c_int32),
        ("scope_id", ctypes.c_uint32),
        ("creation_time_stamp", ctypes.c_int64),
    )

    def set(self, luid: int, address: InterfaceAddress) -> None:
        """On a row that InitializeUnicastIpAddressEntry has filled. No duplicate address detection for it."""
        self.interface_luid = luid
        self.address.set(address.ip)
        self.on_link_prefix_length = address.network.prefixlen
        self.dad_state = DAD_STATE_PREFERRED

    def get(self) -> InterfaceAddress:
        return ipaddress.ip_interface(f"{self.address.get()}/{self.on_link_prefix_length}")


class IpAddressPrefix(ctypes.Structure):
    """IP_ADDRESS_PREFIX."""

    _fields_ = (("prefix", SockaddrInet), ("length", ctypes.c_uint8))


class IpForwardRow2(ctypes.Structure):
    """MIB_IPFORWARD_ROW2."""

    _fields_ = (
        ("interface_luid", ctypes.c_uint64),
        ("interface_index", ctypes.c_uint32),
        ("destination", IpAddressPrefix),
        ("next_hop", SockaddrInet),
        ("site_prefix_length", ctypes.c_uint8),
        ("valid_lifetime", ctypes.c_uint32),
        ("preferred_lifetime", ctypes.c_uint32),
        ("metric", ctypes.c_uint32),
        ("protocol", ctypes.c_int32),
        ("loopback", ctypes.c_uint8),
        ("autoconfigure_address", ctypes.c_uint8),
        ("publish", ctypes.c_uint8),
        ("immortal", ctypes.c_uint8),
        ("age", ctypes.c_uint32),
        ("origin", ctypes.c_int32),
    )

    def set(self, luid: int, prefix: Prefix, metric: int) -> None:
        """An on-link route, on a row that InitializeIpForwardEntry has filled."""
        self.interface_luid = luid
        self.destination.prefix.set(prefix.network_address)
        self.destination.length = prefix.prefixlen
        self.next_hop.set(ipaddress.ip_address("0.0.0.0" if prefix.version == 4 else "::"))  # noqa: S104  # no bind
        self.metric = metric

    def prefix(self) -> Prefix:
        return ipaddress.ip_network(f"{self.destination.prefix.get()}/{self.destination.length}", strict=False)


class IpInterfaceRow(ctypes.Structure):
    """MIB_IPINTERFACE_ROW: one family of one interface."""

    _fields_ = (
        ("family", ctypes.c_uint16),
        ("interface_luid", ctypes.c_uint64),
        ("interface_index", ctypes.c_uint32),
        ("max_reassembly_size", ctypes.c_uint32),
        ("interface_identifier", ctypes.c_uint64),
        ("min_router_advertisement_interval", ctypes.c_uint32),
        ("max_router_advertisement_interval", ctypes.c_uint32),
        ("advertising_enabled", ctypes.c_uint8),
        ("forwarding_enabled", ctypes.c_uint8),
        ("weak_host_send", ctypes.c_uint8),
        ("weak_host_receive", ctypes.c_uint8),
        ("use_automatic_metric", ctypes.c_uint8),
        ("use_neighbor_unreachability_detection", ctypes.c_uint8),
        ("managed_address_configuration_supported", ctypes.c_uint8),
        ("other_stateful_configuration_supported", ctypes.c_uint8),
        ("advertise_default_route", ctypes.c_uint8),
        ("router_discovery_behavior", ctypes.c_int32),
        ("dad_transmits", ctypes.c_uint32),
        ("base_reachable_time", ctypes.c_uint32),
        ("retransmit_time", ctypes.c_uint32),
        ("path_mtu_discovery_timeout", ctypes.c_uint32),
        ("link_local_address_behavior", ctypes.c_int32),
        ("link_local_address_timeout", ctypes.c_uint32),
        ("zone_indices", ctypes.c_uint32 * 16),
        ("site_prefix_length", ctypes.c_uint32),
        ("metric", ctypes.c_uint32),
        ("nl_mtu", ctypes.c_uint32),
        ("connected", ctypes.c_uint8),
        ("supports_wake_up_patterns", ctypes.c_uint8),
        ("supports_neighbor_discovery", ctypes.c_uint8),
        ("supports_router_discovery", ctypes.c_uint8),
        ("reachable_time", ctypes.c_uint32),
        ("transmit_offload", ctypes.c_uint8),
        ("receive_offload", ctypes.c_uint8),
        ("disable_default_routes", ctypes.c_uint8),
    )


class UnicastIpAddressTable(ctypes.Structure):
    """MIB_UNICASTIPADDRESS_TABLE, declared with one row as in the header."""

    _fields_ = (("count", ctypes.c_uint32), ("rows", UnicastIpAddressRow * 1))


class IpForwardTable2(ctypes.Structure):
    """MIB_IPFORWARD_TABLE2."""

    _fields_ = (("count", ctypes.c_uint32), ("rows", IpForwardRow2 * 1))


class IpInterfaceTable(ctypes.Structure):
    """MIB_IPINTERFACE_TABLE."""

    _fields_ = (("count", ctypes.c_uint32), ("rows", IpInterfaceRow * 1))


class DnsInterfaceSettings(ctypes.Structure):
    """DNS_INTERFACE_SETTINGS, version 1."""

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("domain", ctypes.c_wchar_p),
        ("name_server", ctypes.c_wchar_p),
        ("search_list", ctypes.c_wchar_p),
        ("registration_enabled", ctypes.c_uint32),
        ("register_adapter_name", ctypes.c_uint32),
        ("enable_llmnr", ctypes.c_uint32),
        ("query_adapter_name", ctypes.c_uint32),
        ("profile_name_server", ctypes.c_wchar_p),
    )


def family_of(version: int) -> int:
    """version: 4 or 6."""
    return AF_INET if version == 4 else AF_INET6


def version_of(family: int) -> int:
    return 4 if family == AF_INET else 6


def is_loopback(luid: int) -> bool:
    """A NET_LUID carries the interface's type in its highest 16 bits."""
    return luid >> 48 == IF_TYPE_SOFTWARE_LOOPBACK
