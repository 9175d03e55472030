/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Packets that wait to be read or written, first in first out. Callers hold the session's lock.
 */
#ifndef WIREFLEET_PACKETS_H
#define WIREFLEET_PACKETS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define BORROWED 0x57464b54u

struct packet {
    struct packet *next;
    uint32_t bytes;
    uint32_t mark; /* BORROWED while the caller has it */
    int is_filled; /* sending: WintunSendPacket was called */
    uint8_t data[];
};

struct queue {
    struct packet *first, **end;
};

static inline void push(struct queue *queue, struct packet *packet)
{
    packet->next = NULL;
    *queue->end = packet;
    queue->end = &packet->next;
}

static inline struct packet *pop(struct queue *queue)
{
    struct packet *packet = queue->first;
    if (packet && !(queue->first = packet->next))
        queue->end = &queue->first;
    return packet;
}

static inline struct packet *new_packet(uint32_t bytes)
{
    struct packet *packet = malloc(sizeof(*packet) + bytes);
    if (packet) {
        packet->bytes = bytes;
        packet->mark = 0;
        packet->is_filled = 0;
    }
    return packet;
}

/* The packet whose data the caller was given. */
static inline struct packet *packet_of(const uint8_t *data) { return (struct packet *)(data - offsetof(struct packet, data)); }

#endif
