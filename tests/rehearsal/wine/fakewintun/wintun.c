/* Copyright (c) 2026 WireFleet
 * GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for wintun.dll: the public API of wintun.h on top of Linux' /dev/net/tun, for rehearsals under Wine.
 *
 * A winelib DLL (an ELF file made by winegcc), so that one file may use Windows events and threads and Linux
 * descriptors. With WINEDLLOVERRIDES=wintun=b Wine loads it instead of the real wintun.dll, whatever path a program
 * loads that from: the real file is still there to be pinned and to have its signature checked.
 *
 *   adapter  -> a TUN device that lives as long as the handle or the process
 *   session  -> a reader thread (TUN -> queue), the auto-reset read event, and the device's carrier
 *
 * As wintun.h documents: ERROR_NO_MORE_ITEMS (queue empty), ERROR_HANDLE_EOF (adapter gone), ERROR_BUFFER_OVERFLOW (ring
 * full), ERROR_INVALID_DATA (ring corrupt; here: a foreign pointer was released, or a fault was ordered), packets leave
 * in the order of their allocation, capacity a power of two of 128 KiB to 64 MiB, one session per adapter.
 *
 * Tests can order faults (faults.h); they are read whenever an adapter is created or opened or a session starts. A session
 * that has failed to receive stays failed.
 *
 * It is not the real driver: no ring memory, no missed wake-ups, no NDIS, no problem codes, no ghost adapters.
 */
#define WIN32_LEAN_AND_MEAN
#include <stdarg.h>
#include "windef.h"
#include "winbase.h"
#include "winerror.h"
#include "winnls.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include "faults.h"
#include "linux_tun.h"
#include "packets.h"

#define MAX_PACKET_BYTES 0xFFFF
#define MIN_RING_BYTES 0x20000
#define MAX_RING_BYTES 0x4000000
#define NEW_ADAPTER_MTU 65535
#define DRIVER_VERSION 14 /* major << 16 | minor: 0.14 */

/* From iphlpapi; netioapi.h is not included for one line. */
extern DWORD WINAPI ConvertInterfaceIndexToLuid(ULONG index, void *luid);

typedef void(CALLBACK *log_function)(int level, DWORD64 timestamp, const WCHAR *message);
enum { LOG_INFO, LOG_WARNING, LOG_ERROR };

struct adapter {
    int fd; /* -1: opened by name while another handle owns the device */
    char interface_name[TUN_NAME_BYTES];
    struct session *session;
};

struct session {
    struct adapter *adapter;
    CRITICAL_SECTION lock;
    HANDLE event, thread;
    int wake_fd; /* ends the reader thread */
    DWORD capacity_bytes;
    DWORD failure;     /* sticky: ERROR_HANDLE_EOF or ERROR_INVALID_DATA */
    BOOL is_awaited;   /* the caller saw an empty queue and will wait for the event */
    struct queue received, sending;
    DWORD received_bytes, sending_bytes; /* received: queued and borrowed; sending: allocated, not yet written */
};

static log_function logger;

static void report(int level, const char *what, const char *name, int error)
{
    char text[160];
    WCHAR wide[160];
    FILETIME now;
    log_function write_line = logger;

    if (!write_line)
        return;
    snprintf(text, sizeof(text), "%s %s (errno %d)", what, name, error);
    MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, 160);
    GetSystemTimeAsFileTime(&now);
    write_line(level, ((DWORD64)now.dwHighDateTime << 32) | now.dwLowDateTime, wide);
}

static DWORD windows_error(int error)
{
    switch (error) {
    case EPERM: case EACCES: return ERROR_ACCESS_DENIED;
    case EBUSY: case EEXIST: return ERROR_ALREADY_EXISTS;
    case ENOENT: case ENODEV: case ENXIO: return ERROR_FILE_NOT_FOUND;
    case EINVAL: return ERROR_INVALID_PARAMETER;
    case ENOMEM: case ENOBUFS: return ERROR_NOT_ENOUGH_MEMORY;
    default: return ERROR_GEN_FAILURE;
    }
}

static void *refuse(DWORD error)
{
    SetLastError(error);
    return NULL;
}

static struct adapter *new_adapter(int fd, const char *interface_name)
{
    struct adapter *adapter = calloc(1, sizeof(*adapter));
    if (!adapter)
        return refuse(ERROR_NOT_ENOUGH_MEMORY);
    adapter->fd = fd;
    strcpy(adapter->interface_name, interface_name);
    return adapter;
}

struct adapter *WINAPI WintunCreateAdapter(const WCHAR *name, const WCHAR *tunnel_type, const GUID *requested)
{
    static LONG calls;
    char interface_name[TUN_NAME_BYTES], alias[256];
    DWORD fault;
    int fd;

    read_faults();
    if ((fault = ordered_fault("create", InterlockedIncrement(&calls))))
        return refuse(fault);
    if (!name || !*name || !tunnel_type)
        return refuse(ERROR_INVALID_PARAMETER);
    tun_interface_name((const uint16_t *)name, interface_name);
    if (!WideCharToMultiByte(CP_UTF8, 0, name, -1, alias, sizeof(alias), NULL, NULL))
        return refuse(ERROR_INVALID_NAME);
    if ((fd = tun_create(interface_name, alias, NEW_ADAPTER_MTU)) < 0) {
        int error = errno;
        report(LOG_ERROR, "Cannot create adapter", interface_name, error);
        return refuse(windows_error(error));
    }
    report(LOG_INFO, "Created adapter", interface_name, 0);
    return new_adapter(fd, interface_name);
}

/* A handle to an adapter that another handle owns: good for its LUID; a session on it is refused. */
struct adapter *WINAPI WintunOpenAdapter(const WCHAR *name)
{
    static LONG calls;
    char interface_name[TUN_NAME_BYTES];
    DWORD fault;

    read_faults();
    if ((fault = ordered_fault("open", InterlockedIncrement(&calls))))
        return refuse(fault);
    if (!name || !*name)
        return refuse(ERROR_INVALID_PARAMETER);
    tun_interface_name((const uint16_t *)name, interface_name);
    if (!tun_index(interface_name))
        return refuse(ERROR_NOT_FOUND);
    return new_adapter(-1, interface_name);
}

void WINAPI WintunEndSession(struct session *session);

void WINAPI WintunCloseAdapter(struct adapter *adapter)
{
    DWORD error = GetLastError();

    if (!adapter)
        return;
    if (adapter->session)
        WintunEndSession(adapter->session);
    if (adapter->fd >= 0) {
        close(adapter->fd);
        report(LOG_INFO, "Removed adapter", adapter->interface_name, 0);
    }
    free(adapter);
    SetLastError(error);
}

BOOL WINAPI WintunDeleteDriver(void)
{
    static LONG calls;
    DWORD fault;

    read_faults();
    if ((fault = ordered_fault("delete", InterlockedIncrement(&calls))))
        SetLastError(fault);
    return !fault;
}

/* The LUID that Wine's own iphlpapi uses for the interface. */
void WINAPI WintunGetAdapterLUID(struct adapter *adapter, void *luid)
{
    if (ConvertInterfaceIndexToLuid(tun_index(adapter->interface_name), luid))
        memset(luid, 0, sizeof(DWORD64));
}

DWORD WINAPI WintunGetRunningDriverVersion(void) { return DRIVER_VERSION; }

void WINAPI WintunSetLogger(log_function function) { logger = function; }

/* Queue one packet for the caller; dropped when the ring has no room, as Wintun does. */
static void deliver(struct session *session, const BYTE *data, DWORD bytes)
{
    struct packet *packet = new_packet(bytes);
    if (!packet)
        return;
    memcpy(packet->data, data, bytes);
    EnterCriticalSection(&session->lock);
    if (session->received_bytes + bytes <= session->capacity_bytes) {
        session->received_bytes += bytes;
        push(&session->received, packet);
        packet = NULL;
        if (session->is_awaited) { /* an event is a round trip to the wineserver: only when somebody waits for it */
            session->is_awaited = FALSE;
            SetEvent(session->event);
        }
    }
    LeaveCriticalSection(&session->lock);
    free(packet);
}

static void fail_session(struct session *session, DWORD failure)
{
    EnterCriticalSection(&session->lock);
    session->failure = failure;
    SetEvent(session->event);
    LeaveCriticalSection(&session->lock);
}

static DWORD WINAPI read_device(void *argument)
{
    struct session *session = argument;
    struct pollfd watched[2] = {{session->adapter->fd, POLLIN, 0}, {session->wake_fd, POLLIN, 0}};
    BYTE *buffer = malloc(MAX_PACKET_BYTES);

    while (buffer) {
        ssize_t count = read(session->adapter->fd, buffer, MAX_PACKET_BYTES);
        if (count > 0) {
            deliver(session, buffer, count);
            continue;
        }
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN && errno != EIO)
            break; /* EBADFD: somebody has deleted the interface */
        /* EIO: somebody has taken the interface down; look again soon instead of spinning */
        if (poll(watched, 2, errno == EIO ? 100 : -1) > 0) {
            if (watched[1].revents) {
                free(buffer);
                return 0;
            }
            if (watched[0].revents & POLLERR) {
                if (!tun_index(session->adapter->interface_name))
                    break;
                usleep(20000);
            }
        }
    }
    report(LOG_WARNING, "Adapter went away:", session->adapter->interface_name, errno);
    fail_session(session, ERROR_HANDLE_EOF);
    free(buffer);
    return 0;
}

struct session *WINAPI WintunStartSession(struct adapter *adapter, DWORD capacity_bytes)
{
    static LONG calls;
    struct session *session;
    DWORD fault;

    read_faults();
    if ((fault = ordered_fault("start", InterlockedIncrement(&calls))))
        return refuse(fault);
    if (!adapter || capacity_bytes < MIN_RING_BYTES || capacity_bytes > MAX_RING_BYTES ||
        (capacity_bytes & (capacity_bytes - 1)))
        return refuse(ERROR_INVALID_PARAMETER);
    if (adapter->session || adapter->fd < 0)
        return refuse(ERROR_ALREADY_INITIALIZED);
    if (!tun_index(adapter->interface_name) || tun_set_carrier(adapter->fd, 1) < 0)
        return refuse(ERROR_HANDLE_EOF);
    if (!(session = calloc(1, sizeof(*session))))
        return refuse(ERROR_NOT_ENOUGH_MEMORY);
    session->adapter = adapter;
    session->capacity_bytes = capacity_bytes;
    session->is_awaited = TRUE;
    session->received.end = &session->received.first;
    session->sending.end = &session->sending.first;
    session->wake_fd = eventfd(0, EFD_CLOEXEC);
    session->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    InitializeCriticalSection(&session->lock);
    adapter->session = session;
    session->thread = CreateThread(NULL, 0, read_device, session, 0, NULL);
    return session;
}

/* Packets that are still borrowed are not freed: their memory must not become somebody else's. */
void WINAPI WintunEndSession(struct session *session)
{
    struct packet *packet;
    uint64_t one = 1;

    if (!session)
        return;
    if (write(session->wake_fd, &one, sizeof(one)) < 0)
        report(LOG_ERROR, "Cannot wake the reader of", session->adapter->interface_name, errno);
    WaitForSingleObject(session->thread, INFINITE);
    CloseHandle(session->thread);
    CloseHandle(session->event);
    close(session->wake_fd);
    tun_set_carrier(session->adapter->fd, 0);
    while ((packet = pop(&session->received)))
        free(packet);
    while ((packet = pop(&session->sending)))
        if (packet->is_filled)
            free(packet);
    DeleteCriticalSection(&session->lock);
    session->adapter->session = NULL;
    free(session);
}

HANDLE WINAPI WintunGetReadWaitEvent(struct session *session) { return session->event; }

BYTE *WINAPI WintunReceivePacket(struct session *session, DWORD *bytes)
{
    static LONG packets;
    struct packet *packet = NULL;
    DWORD error;

    EnterCriticalSection(&session->lock);
    if (!session->failure || session->failure == ERROR_HANDLE_EOF)
        packet = pop(&session->received);
    if (packet && (error = any_faults() ? ordered_fault("receive", InterlockedIncrement(&packets)) : 0)) {
        session->received_bytes -= packet->bytes;
        session->failure = error;
        free(packet);
        packet = NULL;
    }
    if (packet)
        packet->mark = BORROWED;
    else
        session->is_awaited = TRUE;
    error = session->failure ? session->failure : ERROR_NO_MORE_ITEMS;
    LeaveCriticalSection(&session->lock);
    if (!packet)
        return refuse(error);
    *bytes = packet->bytes;
    return packet->data;
}

void WINAPI WintunReleaseReceivePacket(struct session *session, const BYTE *data)
{
    struct packet *packet = packet_of(data);

    if (packet->mark != BORROWED) { /* the real ring would be corrupt now */
        fail_session(session, ERROR_INVALID_DATA);
        return;
    }
    EnterCriticalSection(&session->lock);
    session->received_bytes -= packet->bytes;
    LeaveCriticalSection(&session->lock);
    packet->mark = 0;
    free(packet);
}

BYTE *WINAPI WintunAllocateSendPacket(struct session *session, DWORD bytes)
{
    static LONG calls;
    struct packet *packet = NULL;
    DWORD error = any_faults() ? ordered_fault("allocate", InterlockedIncrement(&calls)) : 0;

    if (error)
        return refuse(error);
    if (!bytes || bytes > MAX_PACKET_BYTES)
        return refuse(ERROR_INVALID_PARAMETER);
    EnterCriticalSection(&session->lock);
    if (session->failure)
        error = session->failure;
    else if (session->sending_bytes + bytes > session->capacity_bytes)
        error = ERROR_BUFFER_OVERFLOW;
    else if (!(packet = new_packet(bytes)))
        error = ERROR_NOT_ENOUGH_MEMORY;
    else {
        session->sending_bytes += bytes;
        push(&session->sending, packet);
    }
    LeaveCriticalSection(&session->lock);
    return packet ? packet->data : refuse(error);
}

/* Never blocks. Writes every leading packet that is filled, so the order is that of the allocations. */
void WINAPI WintunSendPacket(struct session *session, const BYTE *data)
{
    struct packet *packet;

    EnterCriticalSection(&session->lock);
    packet_of(data)->is_filled = 1;
    while ((packet = session->sending.first) && packet->is_filled) {
        pop(&session->sending);
        session->sending_bytes -= packet->bytes;
        if (write(session->adapter->fd, packet->data, packet->bytes) < 0)
            report(LOG_WARNING, "Packet dropped by", session->adapter->interface_name, errno);
        free(packet);
    }
    LeaveCriticalSection(&session->lock);
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved) { return TRUE; }
