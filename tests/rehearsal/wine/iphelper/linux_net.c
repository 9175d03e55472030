/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See linux_net.h.
 */
#include "linux_net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct request {
    struct nlmsghdr head;
    union {
        struct ifaddrmsg address;
        struct rtmsg route;
        struct ifinfomsg link;
    } body;
    char attributes[256];
};

typedef int (*take_message)(const struct nlmsghdr *head, void *list);

static int address_bytes(int family)
{
    return family == 4 ? 4 : 16;
}

static void begin(struct request *order, int type, int flags, size_t body_bytes)
{
    memset(order, 0, sizeof(*order));
    order->head.nlmsg_type = type;
    order->head.nlmsg_flags = NLM_F_REQUEST | flags;
    order->head.nlmsg_len = NLMSG_LENGTH(body_bytes);
}

static void add(struct request *order, int type, const void *value, size_t length)
{
    struct rtattr *attribute = (struct rtattr *)((char *)order + NLMSG_ALIGN(order->head.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(length);
    memcpy(RTA_DATA(attribute), value, length);
    order->head.nlmsg_len = NLMSG_ALIGN(order->head.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/* Sends one request; each message of the answer goes to take. Ends with the acknowledgement or the end of a dump. */
static int talk(struct request *order, take_message take, void *list)
{
    int door = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), result = -1;
    char *buffer = malloc(1 << 16);

    if (door < 0 || !buffer || send(door, order, order->head.nlmsg_len, 0) < 0)
        result = errno;
    while (result < 0) {
        ssize_t length = recv(door, buffer, 1 << 16, 0);
        if (length < 0) {
            result = errno;
            break;
        }
        for (struct nlmsghdr *head = (struct nlmsghdr *)buffer; result < 0 && NLMSG_OK(head, (size_t)length);
             head = NLMSG_NEXT(head, length)) {
            if (head->nlmsg_type == NLMSG_DONE)
                result = 0;
            else if (head->nlmsg_type == NLMSG_ERROR)
                result = -((struct nlmsgerr *)NLMSG_DATA(head))->error;
            else if (take && (result = take(head, list)) == 0)
                result = -1;
        }
    }
    free(buffer);
    if (door >= 0)
        close(door);
    return result;
}

int net_change_address(int is_new, const struct net_address *address)
{
    struct request order;
    int bytes = address_bytes(address->family);

    begin(&order, is_new ? RTM_NEWADDR : RTM_DELADDR, NLM_F_ACK | (is_new ? NLM_F_CREATE | NLM_F_EXCL : 0),
          sizeof(order.body.address));
    order.body.address.ifa_family = address->family == 4 ? AF_INET : AF_INET6;
    order.body.address.ifa_prefixlen = address->prefix_length;
    order.body.address.ifa_index = address->index;
    if (address->family == 6)
        order.body.address.ifa_flags = IFA_F_NODAD;
    else /* on Linux the first address of a subnet would take the others with it when it goes; on Windows it does not */
        net_write_setting(address->index, 4, "promote_secondaries", 1);
    add(&order, IFA_LOCAL, address->bytes, bytes);
    add(&order, IFA_ADDRESS, address->bytes, bytes);
    return talk(&order, NULL, NULL);
}

int net_change_route(int is_new, const struct net_route *route)
{
    struct request order;
    int bytes = address_bytes(route->family);
    uint32_t index = route->index, metric = route->metric + 1; /* IPv6 takes 0 for "the default metric" */

    begin(&order, is_new ? RTM_NEWROUTE : RTM_DELROUTE, NLM_F_ACK | (is_new ? NLM_F_CREATE | NLM_F_EXCL : 0),
          sizeof(order.body.route));
    order.body.route.rtm_family = route->family == 4 ? AF_INET : AF_INET6;
    order.body.route.rtm_dst_len = route->prefix_length;
    order.body.route.rtm_table = RT_TABLE_MAIN;
    order.body.route.rtm_protocol = RTPROT_STATIC;
    order.body.route.rtm_scope = route->family == 4 && !route->has_gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    order.body.route.rtm_type = RTN_UNICAST;
    if (!is_new && route->family == 4)
        order.body.route.rtm_scope = RT_SCOPE_NOWHERE;
    if (route->prefix_length)
        add(&order, RTA_DST, route->destination, bytes);
    if (route->has_gateway)
        add(&order, RTA_GATEWAY, route->gateway, bytes);
    add(&order, RTA_OIF, &index, sizeof(index));
    if (is_new)
        add(&order, RTA_PRIORITY, &metric, sizeof(metric));
    return talk(&order, NULL, NULL);
}

struct list {
    char *items;
    size_t count, item_bytes;
};

static int append(struct list *list, const void *item)
{
    char *larger = realloc(list->items, (list->count + 1) * list->item_bytes);
    if (!larger)
        return ENOMEM;
    list->items = larger;
    memcpy(larger + list->count++ * list->item_bytes, item, list->item_bytes);
    return 0;
}

static const void *find(const struct nlmsghdr *head, const void *first, int type, size_t *length)
{
    const struct rtattr *attribute = first;
    int rest = head->nlmsg_len - ((const char *)first - (const char *)head);

    for (; RTA_OK(attribute, rest); attribute = RTA_NEXT(attribute, rest)) {
        if (attribute->rta_type == type) {
            if (length)
                *length = RTA_PAYLOAD(attribute);
            return RTA_DATA(attribute);
        }
    }
    return NULL;
}

static int take_address(const struct nlmsghdr *head, void *list)
{
    const struct ifaddrmsg *message = NLMSG_DATA(head);
    const void *local = find(head, IFA_RTA(message), IFA_LOCAL, NULL);
    const void *address = local ? local : find(head, IFA_RTA(message), IFA_ADDRESS, NULL);
    struct net_address found = {.index = message->ifa_index, .prefix_length = message->ifa_prefixlen};

    if (head->nlmsg_type != RTM_NEWADDR || !address)
        return 0;
    found.family = message->ifa_family == AF_INET ? 4 : 6;
    memcpy(found.bytes, address, address_bytes(found.family));
    return append(list, &found);
}

static int take_route(const struct nlmsghdr *head, void *list)
{
    const struct rtmsg *message = NLMSG_DATA(head);
    const uint32_t *index = find(head, RTM_RTA(message), RTA_OIF, NULL);
    const uint32_t *metric = find(head, RTM_RTA(message), RTA_PRIORITY, NULL);
    const void *destination = find(head, RTM_RTA(message), RTA_DST, NULL);
    const void *gateway = find(head, RTM_RTA(message), RTA_GATEWAY, NULL);
    struct net_route found = {.prefix_length = message->rtm_dst_len};

    if (head->nlmsg_type != RTM_NEWROUTE || !index || message->rtm_table != RT_TABLE_MAIN ||
        message->rtm_type != RTN_UNICAST)
        return 0;
    found.family = message->rtm_family == AF_INET ? 4 : 6;
    found.index = *index;
    found.metric = metric && *metric ? *metric - 1 : 0;
    found.is_kernels_own = message->rtm_protocol == RTPROT_KERNEL;
    found.has_gateway = gateway != NULL;
    if (destination)
        memcpy(found.destination, destination, address_bytes(found.family));
    if (gateway)
        memcpy(found.gateway, gateway, address_bytes(found.family));
    return append(list, &found);
}

static int take_link(const struct nlmsghdr *head, void *list)
{
    const struct ifinfomsg *message = NLMSG_DATA(head);
    const uint32_t *mtu = find(head, IFLA_RTA(message), IFLA_MTU, NULL);
    struct net_link found = {.index = message->ifi_index, .mtu = mtu ? *mtu : 0};

    if (head->nlmsg_type != RTM_NEWLINK)
        return 0;
    found.is_loopback = !!(message->ifi_flags & IFF_LOOPBACK);
    found.is_up = (message->ifi_flags & (IFF_UP | IFF_LOWER_UP)) == (IFF_UP | IFF_LOWER_UP);
    return append(list, &found);
}

static int dump(int type, size_t body_bytes, take_message take, size_t item_bytes, void **items, size_t *count)
{
    struct list list = {.item_bytes = item_bytes};
    struct request order;
    int error;

    begin(&order, type, NLM_F_DUMP, body_bytes);
    error = talk(&order, take, &list);
    if (error)
        free(list.items);
    *items = error ? NULL : list.items;
    *count = error ? 0 : list.count;
    return error;
}

int net_addresses(struct net_address **list, size_t *count)
{
    return dump(RTM_GETADDR, sizeof(struct ifaddrmsg), take_address, sizeof(**list), (void **)list, count);
}

int net_routes(struct net_route **list, size_t *count)
{
    return dump(RTM_GETROUTE, sizeof(struct rtmsg), take_route, sizeof(**list), (void **)list, count);
}

int net_links(struct net_link **list, size_t *count)
{
    return dump(RTM_GETLINK, sizeof(struct ifinfomsg), take_link, sizeof(**list), (void **)list, count);
}

/* Not by if_indextoname(): the linker would take that of iphlpapi.dll, which has another calling convention. */
static FILE *open_setting(int index, int family, const char *key, const char *mode)
{
    int door = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;
    struct ifreq order = {.ifr_ifindex = index};
    char path[128];

    strcpy(order.ifr_name, "all");
    error = index && (door < 0 || ioctl(door, SIOCGIFNAME, &order) < 0) ? errno : 0;
    if (door >= 0)
        close(door);
    if (error) {
        errno = error;
        return NULL;
    }
    snprintf(path, sizeof(path), "/proc/sys/net/ipv%d/conf/%s/%s", family, order.ifr_name, key);
    return fopen(path, mode);
}

int net_read_setting(int index, int family, const char *key, uint32_t *value)
{
    FILE *file = open_setting(index, family, key, "r");
    int count;

    if (!file)
        return errno;
    count = fscanf(file, "%u", value);
    fclose(file);
    return count == 1 ? 0 : EINVAL;
}

int net_write_setting(int index, int family, const char *key, uint32_t value)
{
    FILE *file = open_setting(index, family, key, "w");

    if (!file)
        return errno;
    fprintf(file, "%u\n", value);
    return fclose(file) ? errno : 0;
}

int net_set_forwarding(int index, int family, uint32_t value)
{
    struct net_link *links = NULL;
    uint32_t *each = NULL, all = 0, any = 0;
    size_t count = 0, i;
    int error = net_write_setting(index, family, "forwarding", value);

    if (error || family != 6)
        return error;
    if ((error = net_links(&links, &count)) || !(each = calloc(count + 1, sizeof(*each)))) {
        free(links);
        return error ? error : ENOMEM;
    }
    for (i = 0; i < count; i++)
        any |= net_read_setting(links[i].index, 6, "forwarding", &each[i]) ? 0 : each[i];
    error = net_read_setting(0, 6, "forwarding", &all);
    if (!error && all != any && !(error = net_write_setting(0, 6, "forwarding", any)))
        for (i = 0; i < count; i++) /* the switch of "all" has set every interface's */
            net_write_setting(links[i].index, 6, "forwarding", each[i]);
    free(each);
    free(links);
    return error;
}

int net_set_mtu(int index, uint32_t mtu)
{
    struct request order;

    begin(&order, RTM_NEWLINK, NLM_F_ACK, sizeof(order.body.link));
    order.body.link.ifi_index = index;
    add(&order, IFLA_MTU, &mtu, sizeof(mtu));
    return talk(&order, NULL, NULL);
}

int net_watch(void)
{
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    groups.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&groups, sizeof(groups)) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int net_wait(int watch_fd, int stop_fd)
{
    struct pollfd waiting[2] = {{.fd = stop_fd, .events = POLLIN}, {.fd = watch_fd, .events = POLLIN}};
    char buffer[1 << 14];

    while (poll(waiting, 2, -1) < 0 && errno == EINTR)
        ;
    if (waiting[0].revents)
        return 0;
    while (recv(watch_fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS)
        ;
    return 1;
}

int net_new_event(void)
{
    return eventfd(0, EFD_CLOEXEC);
}

void net_set_event(int event_fd)
{
    uint64_t one = 1;
    if (write(event_fd, &one, sizeof(one)) < 0)
        perror("iphlpapi stand-in: eventfd");
}

void net_close(int fd)
{
    close(fd);
}
