/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The Linux half of the stand-in: addresses, routes and links of this network namespace, by rtnetlink and /proc/sys.
 *
 * It includes no Windows header and the other half no Linux one, because both define sockaddr and friends.
 * Families are 4 and 6; addresses are in network byte order; functions return 0 or a positive errno.
 */
#ifndef WIREFLEET_LINUX_NET_H
#define WIREFLEET_LINUX_NET_H

#include <stddef.h>
#include <stdint.h>

struct net_address {
    int index, family, prefix_length;
    uint8_t bytes[16];
};

struct net_route {
    int index, family, prefix_length, is_kernels_own, has_gateway;
    uint32_t metric;
    uint8_t destination[16], gateway[16];
};

struct net_link {
    int index, is_up, is_loopback;
    uint32_t mtu;
};

int net_change_address(int is_new, const struct net_address *address);
int net_change_route(int is_new, const struct net_route *route);

/* Lists are malloc'ed; the caller frees them. */
int net_addresses(struct net_address **list, size_t *count);
int net_routes(struct net_route **list, size_t *count);
int net_links(struct net_link **list, size_t *count);

/* One number of /proc/sys/net/ipv4 or ipv6/conf/<interface>/<key>; index 0: of "all". */
int net_read_setting(int index, int family, const char *key, uint32_t *value);
int net_write_setting(int index, int family, const char *key, uint32_t value);
/* On one interface, as on Windows. Linux forwards IPv6 only if the switch of "all" is on: it follows the interfaces. */
int net_set_forwarding(int index, int family, uint32_t value);
int net_set_mtu(int index, uint32_t mtu);

/* A descriptor that hears of links, addresses and routes; -1 on failure. */
int net_watch(void);
/* Waits for news (1), or until stop_fd is readable (0). */
int net_wait(int watch_fd, int stop_fd);
int net_new_event(void);
void net_set_event(int event_fd);
void net_close(int fd);

#endif
