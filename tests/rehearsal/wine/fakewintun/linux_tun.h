/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Linux side of the stand-in for wintun.dll. Plain C types only, so that the file which includes the Windows
 * headers never meets Linux' network headers (both define the same names differently).
 */
#ifndef WIREFLEET_LINUX_TUN_H
#define WIREFLEET_LINUX_TUN_H

#include <stddef.h>
#include <stdint.h>

#define TUN_NAME_BYTES 16 /* IFNAMSIZ, with the closing zero */

/* The interface name for an adapter name of UTF-16 units: the name itself if Linux allows it, else "wt", up to four of
 * its ASCII letters and digits, "-", and a hash of the whole name, so that two adapters never share an interface. */
void tun_interface_name(const uint16_t *adapter_name, char *interface_name);

/* All return 0 or more, or -1 with errno set. */
int tun_create(const char *interface_name, const char *alias_utf8, int mtu_bytes); /* an open descriptor; link up, no carrier */
int tun_index(const char *interface_name);                                       /* 0 = there is no such interface */
int tun_set_carrier(int fd, int is_connected);

#endif
