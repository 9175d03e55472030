/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of the stand-in share on its Windows side.
 */
#ifndef WIREFLEET_IPHELPER_H
#define WIREFLEET_IPHELPER_H

#include <stdarg.h>
#include "windef.h"
#include "winbase.h"
#include "winerror.h"
#include "winsock2.h"
#include "ws2ipdef.h"
#include "iphlpapi.h"
#include "netioapi.h"

#include "linux_net.h"

/* The Windows error for an errno of the Linux half. */
DWORD win_error(int error);
/* ERROR_INVALID_PARAMETER when neither is given, ERROR_NOT_FOUND when there is no such interface. */
DWORD find_interface(NET_LUID luid, NET_IFINDEX index, int *found);
/* A row's family and address; FALSE unless it is IPv4 or IPv6. */
BOOL read_address(const SOCKADDR_INET *from, int *family, UINT8 *bytes);
void write_address(SOCKADDR_INET *to, int family, const UINT8 *bytes);

#endif
