/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Interfaces of the stand-in: what SetIpInterfaceEntry sets, and DNS, which is kept where Windows keeps it.
 */
#include "iphelper.h"
#include "winreg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_MTU_IPV4 352
#define MIN_MTU_IPV6 1280
#define MAX_METRICS 64

/* Linux has no metric of an interface, so this process remembers those that it set. */
struct metric {
    NET_LUID luid;
    ADDRESS_FAMILY family;
    ULONG value;
    BOOLEAN is_automatic;
};
static struct metric metrics[MAX_METRICS];
static CRITICAL_SECTION lock;
static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

static BOOL CALLBACK make_lock(INIT_ONCE *unused, void *parameter, void **context)
{
    InitializeCriticalSection(&lock);
    return TRUE;
}

/* The entry of this interface, or a free one; NULL when all are taken. Needs the lock. */
static struct metric *metric_of(NET_LUID luid, ADDRESS_FAMILY family)
{
    for (int i = 0; i < MAX_METRICS; i++) {
        if (!metrics[i].family || (metrics[i].luid.Value == luid.Value && metrics[i].family == family))
            return &metrics[i];
    }
    return NULL;
}

void WINAPI InitializeIpInterfaceEntry(MIB_IPINTERFACE_ROW *row)
{
    memset(row, 0xff, sizeof(*row)); /* "unchanged" everywhere */
    row->Family = AF_UNSPEC;
    row->InterfaceLuid.Value = 0;
    row->InterfaceIndex = 0;
}

static int version(ADDRESS_FAMILY family)
{
    return family == AF_INET ? 4 : 6;
}

static DWORD read_interface(MIB_IPINTERFACE_ROW *row, const struct net_link *link)
{
    ADDRESS_FAMILY family = row->Family;
    struct metric *remembered;
    UINT32 value;

    memset(row, 0, sizeof(*row));
    row->Family = family;
    row->InterfaceIndex = link->index;
    ConvertInterfaceIndexToLuid(link->index, &row->InterfaceLuid);
    if (net_read_setting(link->index, version(family), "forwarding", &value))
        return ERROR_NOT_FOUND; /* no such family here */
    row->ForwardingEnabled = value != 0;
    row->NlMtu = link->mtu;
    if (family == AF_INET6 && !net_read_setting(link->index, 6, "mtu", &value))
        row->NlMtu = value;
    row->Connected = link->is_up;
    row->DadTransmits = 1;
    if (family == AF_INET6 && !net_read_setting(link->index, 6, "dad_transmits", &value))
        row->DadTransmits = value;
    row->RouterDiscoveryBehavior = family == AF_INET6 ? RouterDiscoveryEnabled : RouterDiscoveryDhcp;
    if (family == AF_INET6 && !net_read_setting(link->index, 6, "accept_ra", &value) && !value)
        row->RouterDiscoveryBehavior = RouterDiscoveryDisabled;
    row->SitePrefixLength = 64; /* as Windows does, for IPv4 too; SetIpInterfaceEntry refuses that */
    row->UseAutomaticMetric = TRUE;
    row->Metric = 25;
    InitOnceExecuteOnce(&once, make_lock, NULL, NULL);
    EnterCriticalSection(&lock);
    remembered = metric_of(row->InterfaceLuid, family);
    if (remembered && remembered->family) {
        row->Metric = remembered->value;
        row->UseAutomaticMetric = remembered->is_automatic;
    }
    LeaveCriticalSection(&lock);
    return NO_ERROR;
}

static DWORD find_link(const MIB_IPINTERFACE_ROW *row, struct net_link *link)
{
    struct net_link *list;
    DWORD error;
    size_t count;
    int index;

    if (!row || (row->Family != AF_INET && row->Family != AF_INET6))
        return ERROR_INVALID_PARAMETER;
    if ((error = find_interface(row->InterfaceLuid, row->InterfaceIndex, &index)))
        return error == ERROR_NOT_FOUND ? ERROR_FILE_NOT_FOUND : error;
    if (net_links(&list, &count))
        return ERROR_GEN_FAILURE;
    error = ERROR_FILE_NOT_FOUND;
    for (size_t i = 0; i < count; i++) {
        if (list[i].index == index) {
            *link = list[i];
            error = NO_ERROR;
        }
    }
    free(list);
    return error;
}

DWORD WINAPI GetIpInterfaceEntry(MIB_IPINTERFACE_ROW *row)
{
    struct net_link link;
    DWORD error = find_link(row, &link);

    return error ? error : read_interface(row, &link);
}

DWORD WINAPI GetIpInterfaceTable(ADDRESS_FAMILY family, MIB_IPINTERFACE_TABLE **table)
{
    struct net_link *list;
    size_t count;

    if (!table || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
        return ERROR_INVALID_PARAMETER;
    if (net_links(&list, &count))
        return ERROR_GEN_FAILURE;
    *table = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, FIELD_OFFSET(MIB_IPINTERFACE_TABLE, Table[2 * count]));
    for (size_t i = 0; *table && i < 2 * count; i++) {
        MIB_IPINTERFACE_ROW *row = &(*table)->Table[(*table)->NumEntries];
        row->Family = i % 2 ? AF_INET6 : AF_INET;
        if ((family == AF_UNSPEC || family == row->Family) && !read_interface(row, &list[i / 2]))
            (*table)->NumEntries++;
    }
    free(list);
    return *table ? NO_ERROR : ERROR_NOT_ENOUGH_MEMORY;
}

/* One MTU lies below both families, and Linux switches IPv6 off below 1280: IPv4's is never set lower than that. */
static int set_mtu(const MIB_IPINTERFACE_ROW *row, const struct net_link *link)
{
    UINT32 lowest = row->NlMtu < MIN_MTU_IPV6 ? MIN_MTU_IPV6 : row->NlMtu;

    if (row->Family == AF_INET)
        return lowest == link->mtu ? 0 : net_set_mtu(link->index, lowest);
    if (link->mtu < row->NlMtu)
        net_set_mtu(link->index, row->NlMtu);
    return net_write_setting(link->index, 6, "mtu", row->NlMtu);
}

DWORD WINAPI SetIpInterfaceEntry(MIB_IPINTERFACE_ROW *row)
{
    MIB_IPINTERFACE_ROW now = {0};
    struct metric *remembered;
    struct net_link link;
    DWORD error = find_link(row, &link);
    int failure = 0;

    if (error)
        return error;
    now.Family = row->Family;
    if ((error = read_interface(&now, &link)))
        return error;
    if (row->SitePrefixLength > (row->Family == AF_INET ? 32 : 128))
        return ERROR_INVALID_PARAMETER;
    if (row->NlMtu < (row->Family == AF_INET ? MIN_MTU_IPV4 : MIN_MTU_IPV6) || row->NlMtu > 65535)
        return ERROR_INVALID_PARAMETER;
    if (row->ForwardingEnabled > 1 || row->UseAutomaticMetric > 1)
        return ERROR_INVALID_PARAMETER;
    if (row->NlMtu != now.NlMtu)
        failure = set_mtu(row, &link);
    if (!failure && row->ForwardingEnabled != now.ForwardingEnabled)
        failure = net_set_forwarding(link.index, version(row->Family), row->ForwardingEnabled);
    if (!failure && row->Family == AF_INET6 && row->DadTransmits != now.DadTransmits)
        failure = net_write_setting(link.index, 6, "dad_transmits", row->DadTransmits);
    if (!failure && row->Family == AF_INET6 && row->RouterDiscoveryBehavior == RouterDiscoveryDisabled)
        failure = net_write_setting(link.index, 6, "accept_ra", 0);
    EnterCriticalSection(&lock);
    if ((remembered = metric_of(now.InterfaceLuid, row->Family))) {
        remembered->luid = now.InterfaceLuid;
        remembered->family = row->Family;
        remembered->value = row->Metric;
        remembered->is_automatic = row->UseAutomaticMetric;
    }
    LeaveCriticalSection(&lock);
    return win_error(failure);
}

/* ------------------------------------------------------------------------------------------------------ DNS */

/* netioapi.h of Wine 8 does not have it; from Microsoft's documentation. */
struct dns_settings {
    ULONG Version;
    ULONG64 Flags;
    WCHAR *Domain, *NameServer, *SearchList;
    ULONG RegistrationEnabled, RegisterAdapterName, EnableLLMNR, QueryAdapterName;
    WCHAR *ProfileNameServer;
};
#define DNS_SETTING_IPV6 1
#define DNS_SETTING_NAMESERVER 2
#define DNS_SETTING_SEARCHLIST 4

static const WCHAR name_server[] = {'N', 'a', 'm', 'e', 'S', 'e', 'r', 'v', 'e', 'r', 0};
static const WCHAR search_list[] = {'S', 'e', 'a', 'r', 'c', 'h', 'L', 'i', 's', 't', 0};

static DWORD store(HKEY key, const WCHAR *name, const WCHAR *value)
{
    static const WCHAR nothing[] = {0};

    value = value ? value : nothing;
    return RegSetValueExW(key, name, 0, REG_SZ, (const BYTE *)value, (lstrlenW(value) + 1) * sizeof(WCHAR));
}

/* guid: a GUID passed by value is a pointer to a copy in this calling convention. */
DWORD WINAPI SetInterfaceDnsSettings(const GUID *guid, const struct dns_settings *settings)
{
    char path[160];
    NET_LUID luid;
    DWORD error;
    HKEY key;

    if (!settings || settings->Version != 1 || (settings->Flags & ~7ull))
        return ERROR_INVALID_PARAMETER;
    if (ConvertInterfaceGuidToLuid(guid, &luid))
        return ERROR_NOT_FOUND;
    snprintf(path, sizeof(path),
             "SYSTEM\\CurrentControlSet\\Services\\%s\\Parameters\\Interfaces\\"
             "{%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
             settings->Flags & DNS_SETTING_IPV6 ? "Tcpip6" : "Tcpip", (unsigned)guid->Data1, guid->Data2, guid->Data3,
             guid->Data4[0], guid->Data4[1], guid->Data4[2], guid->Data4[3], guid->Data4[4], guid->Data4[5],
             guid->Data4[6], guid->Data4[7]);
    if ((error = RegCreateKeyExA(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_WRITE, NULL, &key, NULL)))
        return error;
    if (settings->Flags & DNS_SETTING_NAMESERVER)
        error = store(key, name_server, settings->NameServer);
    if (!error && settings->Flags & DNS_SETTING_SEARCHLIST)
        error = store(key, search_list, settings->SearchList);
    RegCloseKey(key);
    return error;
}
