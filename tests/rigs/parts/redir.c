/*
 * The other end says hello, we tell it the interface, the endpoints and that a device is there; from then on
 * it asks and we answer. Requests of the control endpoint are answered at once. Bulk transfers
 * wait in line until the model takes them, those of one endpoint in their order; a cancel takes one out and
 * answers it as cancelled. After an unplug the other end forgets its transfers, and so do we.
 */
#include "tests/rigs/parts/redir.h"

#include "scheduler/bytes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <usbredirparser.h>

enum { ENDPOINTS = 32, TRANSFER_MAX = 16 << 20, CONTROL_MAX = 4096 };
enum { DESCRIPTOR_ENDPOINT = 5, BULK = 2, VERSION_BCD = 0x0100 };

struct transfer {
        struct transfer *next;
        uint64_t id;
        struct usb_redir_bulk_packet_header header;
        uint8_t *data; /* OUT: what is sent; IN: room */
        size_t length;
};

struct redir {
        struct device *device;
        struct usbredirparser *parser;
        int listener, connection;
        bool is_greeted; /* hello has come: we may tell */
        struct transfer *pending;
};

/* --- what usbredirparser asks of its owner ------------------------------------------------- */

static void do_log(void *subject, int level, const char *text)
{
        const struct redir *redir = subject;

        if (level <= usbredirparser_warning)
                fprintf(stderr, "redir %s: %s\n", redir->device->name, text);
}

static int do_read(void *subject, uint8_t *data, int length)
{
        const struct redir *redir = subject;
        ssize_t got = recv(redir->connection, data, (size_t)length, MSG_DONTWAIT);

        if (got < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -1;
        return got == 0 ? -1 : (int)got;
}

static int do_write(void *subject, uint8_t *data, int length)
{
        const struct redir *redir = subject;
        ssize_t sent = send(redir->connection, data, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -1;
        return (int)sent;
}

/* --- telling what is there ----------------------------------------------------------------- */

/* usb-redir's index of an endpoint: OUT 0 to 15, IN 16 to 31. */
static unsigned slot_of(uint8_t endpoint)
{
        return (endpoint & 0x80 ? 16u : 0u) + (endpoint & 15);
}

static bool fill_endpoints(const struct device *device, struct usb_redir_ep_info_header *info)
{
        const struct device_kind *kind = device->kind;
        size_t at = 0;

        memset(info, 0, sizeof(*info));
        memset(info->type, usb_redir_type_invalid, sizeof(info->type));
        info->type[0] = info->type[slot_of(0x80)] = usb_redir_type_control;
        info->max_packet_size[0] = info->max_packet_size[slot_of(0x80)] = 64;
        for (; at < kind->descriptors_length; at += kind->descriptors[at]) {
                const uint8_t *d = kind->descriptors + at;
                unsigned slot = slot_of(d[2]);

                if (d[1] != DESCRIPTOR_ENDPOINT)
                        continue;
                if ((d[3] & 3) != BULK)
                        return false;
                info->type[slot] = usb_redir_type_bulk;
                info->interval[slot] = d[6];
                info->max_packet_size[slot] = load_le16(d + 4);
        }
        return true;
}

static void tell_interfaces(struct redir *redir)
{
        const uint8_t *d = device_interface(redir->device);
        struct usb_redir_interface_info_header interfaces = { .interface_count = 1,
                                                              .interface_class = { d[5] },
                                                              .interface_subclass = { d[6] },
                                                              .interface_protocol = { d[7] } };
        struct usb_redir_ep_info_header endpoints;

        (void)fill_endpoints(redir->device, &endpoints); /* redir_create() has looked */
        usbredirparser_send_interface_info(redir->parser, &interfaces);
        usbredirparser_send_ep_info(redir->parser, &endpoints);
}

static void tell_connected(struct redir *redir)
{
        const struct device *device = redir->device;
        struct usb_redir_device_connect_header header = {
                .speed = device->kind->mbit == 480 ? usb_redir_speed_high : usb_redir_speed_full,
                .device_class = device->kind->descriptors[4],
                .device_subclass = device->kind->descriptors[5],
                .device_protocol = device->kind->descriptors[6],
                .vendor_id = (uint16_t)device_vendor(device),
                .product_id = (uint16_t)device_product(device),
                .device_version_bcd = VERSION_BCD,
        };

        tell_interfaces(redir);
        usbredirparser_send_device_connect(redir->parser, &header);
}

static void on_hello(void *subject, struct usb_redir_hello_header *hello)
{
        struct redir *redir = subject;

        (void)hello;
        redir->is_greeted = true;
        if (!redir->device->is_gone)
                tell_connected(redir);
}

/* --- the control endpoint ------------------------------------------------------------------ */

static void on_reset(void *subject)
{
        struct redir *redir = subject;

        redir->device->kind->power_up(redir->device);
}

static void on_set_configuration(void *subject, uint64_t id,
                                 struct usb_redir_set_configuration_header *header)
{
        struct redir *redir = subject;
        struct usb_redir_configuration_status_header status = { usb_redir_success,
                                                                header->configuration };

        tell_interfaces(redir);
        usbredirparser_send_configuration_status(redir->parser, id, &status);
}

static void on_get_configuration(void *subject, uint64_t id)
{
        const struct redir *redir = subject;
        struct usb_redir_configuration_status_header status = { usb_redir_success, 1 };

        usbredirparser_send_configuration_status(redir->parser, id, &status);
}

static void on_set_alternate(void *subject, uint64_t id,
                             struct usb_redir_set_alt_setting_header *header)
{
        const struct redir *redir = subject;
        struct usb_redir_alt_setting_status_header status = { header->alt ? usb_redir_stall
                                                                          : usb_redir_success,
                                                              header->interface, header->alt };

        usbredirparser_send_alt_setting_status(redir->parser, id, &status);
}

static void on_get_alternate(void *subject, uint64_t id,
                             struct usb_redir_get_alt_setting_header *header)
{
        const struct redir *redir = subject;
        struct usb_redir_alt_setting_status_header status = { usb_redir_success, header->interface,
                                                              0 };

        usbredirparser_send_alt_setting_status(redir->parser, id, &status);
}

static void on_control(void *subject, uint64_t id, struct usb_redir_control_packet_header *header,
                       uint8_t *data, int length)
{
        struct redir *redir = subject;
        struct usb_redir_control_packet_header answer = *header;
        const uint8_t setup[8] = { header->requesttype,     header->request,
                                   (uint8_t)header->value,  (uint8_t)(header->value >> 8),
                                   (uint8_t)header->index,  (uint8_t)(header->index >> 8),
                                   (uint8_t)header->length, (uint8_t)(header->length >> 8) };
        bool is_in = header->requesttype & 0x80;
        uint8_t buffer[CONTROL_MAX] = { 0 };
        int r = -EPIPE;

        if (header->length <= sizeof(buffer)) {
                if (!is_in && data && length <= header->length)
                        memcpy(buffer, data, (size_t)length);
                r = device_control(redir->device, setup, buffer, header->length);
        }
        answer.status = r < 0 ? usb_redir_stall : usb_redir_success;
        answer.length = r < 0 ? 0 : (uint16_t)(is_in ? r : header->length);
        usbredirparser_send_control_packet(redir->parser, id, &answer, is_in ? buffer : NULL,
                                           is_in ? answer.length : 0);
        usbredirparser_free_packet_data(redir->parser, data);
}

/* --- bulk ---------------------------------------------------------------------------------- */

static struct transfer *transfer_free(struct transfer *transfer)
{
        struct transfer *next = transfer->next;

        free(transfer->data);
        free(transfer);
        return next;
}

static uint8_t status_of(int result)
{
        if (result >= 0)
                return usb_redir_success;
        switch (-result) {
        case EPIPE:
                return usb_redir_stall;
        case EOVERFLOW:
                return usb_redir_babble;
        default:
                return usb_redir_ioerror;
        }
}

static void answer_bulk(const struct redir *redir, struct transfer *transfer, uint8_t status,
                        size_t moved)
{
        struct usb_redir_bulk_packet_header header = transfer->header;
        bool is_in = header.endpoint & 0x80;

        header.status = status;
        header.length = (uint16_t)moved;
        header.length_high = (uint16_t)(moved >> 16);
        usbredirparser_send_bulk_packet(redir->parser, transfer->id, &header,
                                        is_in && moved ? transfer->data : NULL,
                                        is_in ? (int)moved : 0);
}

static void on_bulk(void *subject, uint64_t id, struct usb_redir_bulk_packet_header *header,
                    uint8_t *data, int length)
{
        struct redir *redir = subject;
        struct transfer *transfer = calloc(1, sizeof(*transfer)), **at = &redir->pending;
        bool is_in = header->endpoint & 0x80;

        INSIST(transfer);
        transfer->id = id;
        transfer->header = *header;
        transfer->length = header->length | (size_t)header->length_high << 16;
        if (!device_has_endpoint(redir->device, header->endpoint) ||
            transfer->length > TRANSFER_MAX || (!is_in && transfer->length != (size_t)length)) {
                answer_bulk(redir, transfer, usb_redir_inval, 0);
                usbredirparser_free_packet_data(redir->parser, data);
                transfer_free(transfer);
                return;
        }
        transfer->data = calloc(1, transfer->length + 1);
        INSIST(transfer->data);
        if (!is_in && length > 0)
                memcpy(transfer->data, data, transfer->length);
        usbredirparser_free_packet_data(redir->parser, data);
        while (*at)
                at = &(*at)->next;
        *at = transfer;
}

static void on_cancel(void *subject, uint64_t id)
{
        struct redir *redir = subject;
        struct transfer **at = &redir->pending;

        while (*at && (*at)->id != id)
                at = &(*at)->next;
        if (!*at)
                return; /* its answer is on the way */
        answer_bulk(redir, *at, usb_redir_cancelled, 0);
        *at = transfer_free(*at);
}

static int try_transfer(struct device *device, const struct transfer *transfer)
{
        uint8_t endpoint = transfer->header.endpoint;

        if (endpoint & 0x80)
                return device_in(device, now_ns(), endpoint, transfer->data, transfer->length);
        return device_out(device, now_ns(), transfer->data, transfer->length);
}

/* A NAKed transfer holds up those behind it on its own endpoint only. */
static void pump_transfers(struct redir *redir)
{
        uint32_t stuck = 0;

        for (struct transfer **at = &redir->pending; *at;) {
                struct transfer *transfer = *at;
                uint32_t bit = 1u << slot_of(transfer->header.endpoint);
                int r = stuck & bit ? -EAGAIN : try_transfer(redir->device, transfer);

                if (r == -EAGAIN) {
                        stuck |= bit;
                        at = &transfer->next;
                        continue;
                }
                answer_bulk(redir, transfer, status_of(r), r < 0 ? 0 : (size_t)r);
                *at = transfer_free(transfer);
        }
}

/* --- the connection ------------------------------------------------------------------------ */

static void hang_up(struct redir *redir)
{
        while (redir->pending)
                redir->pending = transfer_free(redir->pending);
        if (redir->parser)
                usbredirparser_destroy(redir->parser);
        if (redir->connection >= 0)
                close(redir->connection);
        redir->parser = NULL;
        redir->connection = -1;
        redir->is_greeted = false;
}

static void pick_up(struct redir *redir)
{
        uint32_t abilities[USB_REDIR_CAPS_SIZE] = { 0 };
        struct usbredirparser *parser = usbredirparser_create();

        INSIST(parser);
        redir->connection = accept4(redir->listener, NULL, NULL, SOCK_CLOEXEC);
        redir->parser = parser;
        parser->priv = redir;
        parser->log_func = do_log;
        parser->read_func = do_read;
        parser->write_func = do_write;
        parser->hello_func = on_hello;
        parser->reset_func = on_reset;
        parser->set_configuration_func = on_set_configuration;
        parser->get_configuration_func = on_get_configuration;
        parser->set_alt_setting_func = on_set_alternate;
        parser->get_alt_setting_func = on_get_alternate;
        parser->control_packet_func = on_control;
        parser->bulk_packet_func = on_bulk;
        parser->cancel_data_packet_func = on_cancel;
        usbredirparser_caps_set_cap(abilities, usb_redir_cap_connect_device_version);
        usbredirparser_caps_set_cap(abilities, usb_redir_cap_ep_info_max_packet_size);
        usbredirparser_caps_set_cap(abilities, usb_redir_cap_64bits_ids);
        usbredirparser_caps_set_cap(abilities, usb_redir_cap_32bits_bulk_length);
        usbredirparser_init(parser, "gangway rig", abilities, USB_REDIR_CAPS_SIZE,
                            usbredirparser_fl_usb_host);
}

struct redir *redir_create(struct device *device, const char *path)
{
        struct redir *redir = calloc(1, sizeof(*redir));
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct usb_redir_ep_info_header endpoints;

        INSIST(redir);
        redir->device = device;
        redir->connection = -1;
        if (!fill_endpoints(device, &endpoints)) {
                fprintf(stderr, "redir: a %s has an endpoint that is not bulk\n",
                        device->kind->name);
                free(redir);
                return NULL;
        }
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        redir->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (redir->listener < 0 ||
            bind(redir->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(redir->listener, 1) < 0) {
                perror(path);
                free(redir);
                return NULL;
        }
        return redir;
}

int redir_descriptor(const struct redir *redir, short *ret_events)
{
        *ret_events = POLLIN;
        if (!redir->parser)
                return redir->listener;
        if (usbredirparser_has_data_to_write(redir->parser))
                *ret_events |= POLLOUT;
        return redir->connection;
}

void redir_serve(struct redir *redir)
{
        if (!redir->parser)
                pick_up(redir);
        else if (usbredirparser_do_read(redir->parser) == usbredirparser_read_io_error)
                hang_up(redir);
}

uint64_t redir_pump(struct redir *redir)
{
        uint64_t wake_ns = UINT64_MAX;

        if (!redir->parser)
                return wake_ns;
        if (!redir->device->is_gone)
                pump_transfers(redir);
        if (redir->pending)
                wake_ns = device_wake_ns(redir->device, now_ns());
        if (usbredirparser_has_data_to_write(redir->parser) &&
            usbredirparser_do_write(redir->parser) < 0)
                hang_up(redir);
        return wake_ns;
}

void redir_unplug(struct redir *redir)
{
        redir->device->is_gone = true;
        while (redir->pending)
                redir->pending = transfer_free(redir->pending);
        if (redir->is_greeted)
                usbredirparser_send_device_disconnect(redir->parser);
}

void redir_plug(struct redir *redir)
{
        redir->device->is_gone = false;
        redir->device->kind->power_up(redir->device);
        if (redir->is_greeted)
                tell_connected(redir);
}
