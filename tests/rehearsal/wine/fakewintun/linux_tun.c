/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TUN devices for the stand-in: made, named, connected and disconnected. See linux_tun.h.
 */
#include "linux_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static int is_plain(uint16_t unit)
{
    return (unit >= 'a' && unit <= 'z') || (unit >= 'A' && unit <= 'Z') || (unit >= '0' && unit <= '9');
}

void tun_interface_name(const uint16_t *adapter_name, char *interface_name)
{
    uint32_t hash = 2166136261u; /* FNV-1a, 32 bits */
    size_t length = 0;
    int is_allowed = is_plain(adapter_name[0]), kept = 0;
    char letters[5];

    for (; adapter_name[length]; length++) {
        uint16_t unit = adapter_name[length];
        hash = (hash ^ (unit & 0xff)) * 16777619u;
        hash = (hash ^ (unit >> 8)) * 16777619u;
        if (!is_plain(unit) && !(unit && unit < 128 && strchr("_=+.-", unit)))
            is_allowed = 0;
        if (is_plain(unit) && kept < 4)
            letters[kept++] = (char)unit;
    }
    letters[kept] = 0;
    if (is_allowed && length < TUN_NAME_BYTES) {
        for (size_t i = 0; i <= length; i++)
            interface_name[i] = (char)adapter_name[i];
        return;
    }
    snprintf(interface_name, TUN_NAME_BYTES, "wt%s-%08x", letters, hash);
}

/* One ioctl on an interface; the socket is only the door to the kernel. */
static int on_interface(unsigned long request, struct ifreq *order)
{
    int door = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result, error;
    if (door < 0)
        return -1;
    result = ioctl(door, request, order);
    error = errno;
    close(door);
    errno = error;
    return result;
}

static struct ifreq named(const char *interface_name)
{
    struct ifreq order;
    memset(&order, 0, sizeof(order));
    snprintf(order.ifr_name, sizeof(order.ifr_name), "%s", interface_name);
    return order;
}

int tun_index(const char *interface_name)
{
    struct ifreq order = named(interface_name);
    return on_interface(SIOCGIFINDEX, &order) < 0 ? 0 : order.ifr_ifindex;
}

/* The alias shows people (and tests) the adapter's real name: `ip link` prints it. A failure costs only that. */
static void set_alias(int index, const char *alias)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
        char attributes[512];
    } message;
    struct rtattr *attribute = (struct rtattr *)message.attributes;
    size_t length = strlen(alias);
    int door = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (door < 0)
        return;
    memset(&message, 0, sizeof(message));
    if (length <= 255) {
        message.head.nlmsg_type = RTM_NEWLINK;
        message.head.nlmsg_flags = NLM_F_REQUEST;
        message.link.ifi_index = index;
        attribute->rta_type = IFLA_IFALIAS;
        attribute->rta_len = RTA_LENGTH(length);
        memcpy(RTA_DATA(attribute), alias, length);
        message.head.nlmsg_len = NLMSG_LENGTH(sizeof(message.link)) + RTA_ALIGN(attribute->rta_len);
        if (send(door, &message, message.head.nlmsg_len, 0) < 0)
            fprintf(stderr, "wintun stand-in: no alias for interface %d: errno %d\n", index, errno);
    }
    close(door);
}

int tun_set_carrier(int fd, int is_connected)
{
    return ioctl(fd, TUNSETCARRIER, &is_connected);
}

/* Not persistent: the interface goes away with the descriptor, as a Wintun adapter goes away with its process.
 * Up, but without carrier until a session starts: addresses and routes outlive a session, as they do on Windows. */
int tun_create(const char *interface_name, const char *alias_utf8, int mtu_bytes)
{
    struct ifreq order = named(interface_name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), error;

    if (fd < 0)
        return -1;
    order.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &order) < 0)
        goto failed;
    set_alias(tun_index(interface_name), alias_utf8);
    order = named(interface_name);
    order.ifr_mtu = mtu_bytes;
    if (on_interface(SIOCSIFMTU, &order) < 0 || tun_set_carrier(fd, 0) < 0)
        goto failed;
    order = named(interface_name);
    if (on_interface(SIOCGIFFLAGS, &order) < 0)
        goto failed;
    order.ifr_flags |= IFF_UP;
    if (on_interface(SIOCSIFFLAGS, &order) < 0)
        goto failed;
    return fd;
failed:
    error = errno;
    close(fd);
    errno = error;
    return -1;
}
