/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Notifications of the stand-in: each subscription has a thread that listens to rtnetlink. Wine 8 accepts them and
 * never calls back.
 */
#include "iphelper.h"

typedef void(WINAPI *changed)(void *context, void *row, MIB_NOTIFICATION_TYPE kind);

struct subscription {
    changed callback;
    void *context;
    int watch_fd, stop_fd;
    HANDLE thread;
};

static DWORD WINAPI listen_for_changes(void *argument)
{
    struct subscription *subscription = argument;

    while (net_wait(subscription->watch_fd, subscription->stop_fd))
        subscription->callback(subscription->context, NULL, MibParameterNotification);
    return 0;
}

static DWORD subscribe(ADDRESS_FAMILY family, changed callback, void *context, BOOLEAN is_initial, HANDLE *handle)
{
    struct subscription *made;

    if (!callback || !handle || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
        return ERROR_INVALID_PARAMETER;
    if (!(made = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*made))))
        return ERROR_NOT_ENOUGH_MEMORY;
    made->callback = callback;
    made->context = context;
    made->watch_fd = net_watch();
    made->stop_fd = net_new_event();
    if (is_initial)
        callback(context, NULL, MibInitialNotification);
    made->thread = CreateThread(NULL, 0, listen_for_changes, made, 0, NULL);
    *handle = made;
    return NO_ERROR;
}

DWORD WINAPI NotifyIpInterfaceChange(ADDRESS_FAMILY family, PIPINTERFACE_CHANGE_CALLBACK callback, PVOID context,
                                     BOOLEAN is_initial, PHANDLE handle)
{
    return subscribe(family, (changed)callback, context, is_initial, handle);
}

DWORD WINAPI NotifyUnicastIpAddressChange(ADDRESS_FAMILY family, PUNICAST_IPADDRESS_CHANGE_CALLBACK callback,
                                          PVOID context, BOOLEAN is_initial, PHANDLE handle)
{
    return subscribe(family, (changed)callback, context, is_initial, handle);
}

DWORD WINAPI NotifyRouteChange2(ADDRESS_FAMILY family, PIPFORWARD_CHANGE_CALLBACK callback, PVOID context,
                                BOOLEAN is_initial, PHANDLE handle)
{
    return subscribe(family, (changed)callback, context, is_initial, handle);
}

DWORD WINAPI CancelMibChangeNotify2(HANDLE handle)
{
    struct subscription *subscription = handle;

    if (!subscription)
        return ERROR_INVALID_PARAMETER;
    net_set_event(subscription->stop_fd);
    WaitForSingleObject(subscription->thread, INFINITE);
    CloseHandle(subscription->thread);
    net_close(subscription->watch_fd);
    net_close(subscription->stop_fd);
    HeapFree(GetProcessHeap(), 0, subscription);
    return NO_ERROR;
}
