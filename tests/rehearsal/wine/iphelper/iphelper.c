/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for the writing half of iphlpapi.dll, for rehearsals under Wine: addresses and routes of this network
 * namespace. The structures are those of Wine's own headers, so that it is also a check of the agent's layouts.
 *
 * It refuses what Windows refuses: unknown interfaces, rows that were not initialized, prefixes that are none, lifetimes
 * that end before they are preferred, an address that any interface of the host has already.
 *
 * Replaced although Wine has them: GetIpForwardTable2 (there, every route without a gateway is the system's own),
 * GetUnicastIpAddressTable (there, an interface that is made anew has the LUID of the earlier one of its name) and, in
 * interfaces.c and changes.c, GetIpInterfaceTable and the notifications (which never come).
 *
 * It is not Windows: no compartments, no persistence, no duplicate address detection, one MTU below both families.
 */
#include "iphelper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ILLEGAL_LENGTH 255
#define ILLEGAL_METRIC 0xFFFFFFFF

DWORD win_error(int error)
{
    switch (error) {
    case 0: return NO_ERROR;
    case EPERM:
    case EACCES: return ERROR_ACCESS_DENIED;
    case EEXIST: return ERROR_OBJECT_ALREADY_EXISTS;
    case ENOENT:
    case ENODEV:
    case ESRCH:
    case EADDRNOTAVAIL: return ERROR_NOT_FOUND;
    case EINVAL: return ERROR_INVALID_PARAMETER;
    case ENOMEM: return ERROR_NOT_ENOUGH_MEMORY;
    default: return ERROR_GEN_FAILURE;
    }
}

DWORD find_interface(NET_LUID luid, NET_IFINDEX index, int *found)
{
    NET_IFINDEX known = index;
    NET_LUID check;

    if (!luid.Value && !index)
        return ERROR_INVALID_PARAMETER;
    if (luid.Value && ConvertInterfaceLuidToIndex(&luid, &known))
        return ERROR_NOT_FOUND;
    if (ConvertInterfaceIndexToLuid(known, &check) || (luid.Value && check.Value != luid.Value))
        return ERROR_NOT_FOUND;
    *found = known;
    return NO_ERROR;
}

BOOL read_address(const SOCKADDR_INET *from, int *family, UINT8 *bytes)
{
    memset(bytes, 0, 16);
    if (from->si_family == AF_INET) {
        *family = 4;
        memcpy(bytes, &from->Ipv4.sin_addr, 4);
        return TRUE;
    }
    *family = 6;
    memcpy(bytes, &from->Ipv6.sin6_addr, 16);
    return from->si_family == AF_INET6;
}

void write_address(SOCKADDR_INET *to, int family, const UINT8 *bytes)
{
    memset(to, 0, sizeof(*to));
    to->si_family = family == 4 ? AF_INET : AF_INET6;
    if (family == 4)
        memcpy(&to->Ipv4.sin_addr, bytes, 4);
    else
        memcpy(&to->Ipv6.sin6_addr, bytes, 16);
}

static int bits(int family)
{
    return family == 4 ? 32 : 128;
}

static BOOL is_zero(const UINT8 *bytes)
{
    static const UINT8 zero[16];
    return !memcmp(bytes, zero, 16);
}

static BOOL has_host_bits(int family, const UINT8 *bytes, int length)
{
    for (int bit = length; bit < bits(family); bit++)
        if (bytes[bit / 8] & (0x80 >> (bit % 8)))
            return TRUE;
    return FALSE;
}

static BOOL can_be_assigned(int family, const UINT8 *bytes)
{
    if (is_zero(bytes))
        return FALSE;
    return family == 4 ? bytes[0] != 127 && bytes[0] < 224 : bytes[0] != 0xff;
}

/* ------------------------------------------------------------------------------------------------ addresses */

void WINAPI InitializeUnicastIpAddressEntry(MIB_UNICASTIPADDRESS_ROW *row)
{
    memset(row, 0, sizeof(*row));
    row->PrefixOrigin = IpPrefixOriginUnchanged;
    row->SuffixOrigin = IpSuffixOriginUnchanged;
    row->OnLinkPrefixLength = ILLEGAL_LENGTH;
    row->ValidLifetime = row->PreferredLifetime = 0xFFFFFFFF;
}

static DWORD read_row(const MIB_UNICASTIPADDRESS_ROW *row, struct net_address *address)
{
    DWORD error;

    if (!row || !read_address(&row->Address, &address->family, address->bytes))
        return ERROR_INVALID_PARAMETER;
    if ((error = find_interface(row->InterfaceLuid, row->InterfaceIndex, &address->index)))
        return error;
    address->prefix_length = row->OnLinkPrefixLength;
    if (row->OnLinkPrefixLength == ILLEGAL_LENGTH)
        address->prefix_length = bits(address->family);
    return address->prefix_length > bits(address->family) ? ERROR_INVALID_PARAMETER : NO_ERROR;
}

/* Whether an interface has the address already, whatever the prefix length; its entry goes to *held. */
static BOOL is_held(const struct net_address *wanted, BOOL only_this_interface, struct net_address *held)
{
    struct net_address *list;
    BOOL found = FALSE;
    size_t count;

    if (net_addresses(&list, &count))
        return FALSE;
    for (size_t i = 0; i < count && !found; i++) {
        found = list[i].family == wanted->family && !memcmp(list[i].bytes, wanted->bytes, 16) &&
                (!only_this_interface || list[i].index == wanted->index);
        if (found)
            *held = list[i];
    }
    free(list);
    return found;
}

DWORD WINAPI CreateUnicastIpAddressEntry(const MIB_UNICASTIPADDRESS_ROW *row)
{
    struct net_address address, held;
    DWORD error = read_row(row, &address);

    if (error)
        return error;
    if (row->PrefixOrigin != IpPrefixOriginUnchanged || row->SuffixOrigin != IpSuffixOriginUnchanged)
        return ERROR_INVALID_PARAMETER; /* not initialized; Windows takes some other origins, the agent has none */
    if (!row->ValidLifetime || row->PreferredLifetime > row->ValidLifetime || row->SkipAsSource > 1)
        return ERROR_INVALID_PARAMETER;
    if (!can_be_assigned(address.family, address.bytes))
        return ERROR_INVALID_PARAMETER;
    if (is_held(&address, FALSE, &held))
        return ERROR_OBJECT_ALREADY_EXISTS;
    return win_error(net_change_address(1, &address));
}

DWORD WINAPI DeleteUnicastIpAddressEntry(const MIB_UNICASTIPADDRESS_ROW *row)
{
    struct net_address address, held;
    DWORD error = read_row(row, &address);

    if (error)
        return error;
    if (!is_held(&address, TRUE, &held)) /* the address is the key, not the length */
        return ERROR_NOT_FOUND;
    return win_error(net_change_address(0, &held));
}

static void write_row(MIB_UNICASTIPADDRESS_ROW *row, const struct net_address *address)
{
    memset(row, 0, sizeof(*row));
    ConvertInterfaceIndexToLuid(address->index, &row->InterfaceLuid);
    row->InterfaceIndex = address->index;
    write_address(&row->Address, address->family, address->bytes);
    row->PrefixOrigin = IpPrefixOriginManual;
    row->SuffixOrigin = IpSuffixOriginManual;
    row->ValidLifetime = row->PreferredLifetime = 0xFFFFFFFF;
    row->OnLinkPrefixLength = address->prefix_length;
    row->DadState = IpDadStatePreferred;
}

DWORD WINAPI GetUnicastIpAddressTable(ADDRESS_FAMILY family, MIB_UNICASTIPADDRESS_TABLE **table)
{
    struct net_address *list;
    size_t count;
    int error;

    if (!table || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
        return ERROR_INVALID_PARAMETER;
    if ((error = net_addresses(&list, &count)))
        return win_error(error);
    /* from the heap that FreeMibTable of Wine's iphlpapi gives it back to */
    *table = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, FIELD_OFFSET(MIB_UNICASTIPADDRESS_TABLE, Table[count]));
    for (size_t i = 0; *table && i < count; i++)
        if (family == AF_UNSPEC || (family == AF_INET) == (list[i].family == 4))
            write_row(&(*table)->Table[(*table)->NumEntries++], &list[i]);
    free(list);
    return *table ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY;
}

/* --------------------------------------------------------------------------------------------------- routes */

void WINAPI InitializeIpForwardEntry(MIB_IPFORWARD_ROW2 *row)
{
    memset(row, 0, sizeof(*row));
    row->SitePrefixLength = ILLEGAL_LENGTH;
    row->DestinationPrefix.PrefixLength = ILLEGAL_LENGTH;
    row->ValidLifetime = row->PreferredLifetime = 0xFFFFFFFF;
    row->Metric = ILLEGAL_METRIC;
    row->Protocol = MIB_IPPROTO_NETMGMT;
    row->Loopback = row->AutoconfigureAddress = row->Publish = row->Immortal = TRUE;
}

static DWORD read_route(const MIB_IPFORWARD_ROW2 *row, struct net_route *route)
{
    int next_hop_family;
    DWORD error;

    if (!row || !read_address(&row->DestinationPrefix.Prefix, &route->family, route->destination) ||
        !read_address(&row->NextHop, &next_hop_family, route->gateway) || next_hop_family != route->family)
        return ERROR_INVALID_PARAMETER;
    route->prefix_length = row->DestinationPrefix.PrefixLength;
    if (route->prefix_length > bits(route->family) ||
        has_host_bits(route->family, route->destination, route->prefix_length))
        return ERROR_INVALID_PARAMETER;
    if ((error = find_interface(row->InterfaceLuid, row->InterfaceIndex, &route->index)))
        return error;
    route->has_gateway = !is_zero(route->gateway);
    route->metric = row->Metric;
    return NO_ERROR;
}

DWORD WINAPI CreateIpForwardEntry2(const MIB_IPFORWARD_ROW2 *row)
{
    struct net_route route;
    DWORD error = read_route(row, &route);

    if (error)
        return error;
    if (row->Metric == ILLEGAL_METRIC || row->Protocol != MIB_IPPROTO_NETMGMT)
        return ERROR_INVALID_PARAMETER;
    if (row->SitePrefixLength != ILLEGAL_LENGTH && row->SitePrefixLength > route.prefix_length)
        return ERROR_INVALID_PARAMETER;
    if (!row->ValidLifetime || row->PreferredLifetime > row->ValidLifetime)
        return ERROR_INVALID_PARAMETER;
    return win_error(net_change_route(1, &route));
}

DWORD WINAPI DeleteIpForwardEntry2(const MIB_IPFORWARD_ROW2 *row)
{
    struct net_route route;
    DWORD error = read_route(row, &route);

    return error ? error : win_error(net_change_route(0, &route));
}

static void write_route(MIB_IPFORWARD_ROW2 *row, const struct net_route *route)
{
    memset(row, 0, sizeof(*row));
    ConvertInterfaceIndexToLuid(route->index, &row->InterfaceLuid);
    row->InterfaceIndex = route->index;
    write_address(&row->DestinationPrefix.Prefix, route->family, route->destination);
    row->DestinationPrefix.PrefixLength = route->prefix_length;
    write_address(&row->NextHop, route->family, route->gateway);
    row->ValidLifetime = row->PreferredLifetime = 0xFFFFFFFF;
    row->Metric = route->metric;
    row->Protocol = route->is_kernels_own ? MIB_IPPROTO_LOCAL : MIB_IPPROTO_NETMGMT;
    row->Immortal = TRUE;
    row->Origin = route->is_kernels_own ? NlroWellKnown : NlroManual;
}

DWORD WINAPI GetIpForwardTable2(ADDRESS_FAMILY family, MIB_IPFORWARD_TABLE2 **table)
{
    struct net_route *list;
    size_t count;
    int error;

    if (!table || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
        return ERROR_INVALID_PARAMETER;
    if ((error = net_routes(&list, &count)))
        return win_error(error);
    *table = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, FIELD_OFFSET(MIB_IPFORWARD_TABLE2, Table[count]));
    for (size_t i = 0; *table && i < count; i++)
        if (family == AF_UNSPEC || (family == AF_INET) == (list[i].family == 4))
            write_route(&(*table)->Table[(*table)->NumEntries++], &list[i]);
    free(list);
    return *table ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY;
}
