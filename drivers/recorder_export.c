/*
 * recorder_export.c - the ring as a pcapng file.
 *
 * An exchange becomes the URBs libusb makes of it, one for the command and one for the data phase,
 * submitted together (stlink.md 3.3): submissions first, completions after. When the command was
 * taken is not seen at the seam, so its completion carries the time of the submission. A fault is
 * shown at the last URB of its exchange; which of the two met it is not seen either.
 *
 * Texts stand as comments at the submission of the command that followed; those nothing followed,
 * and the fault's sentence, at the completion of the last URB before them.
 */
#include "drivers/recorder_private.h"
#include "drivers/usb_identity.h"
#include "scheduler/loop.h"

#include <stdio.h>
#include <stdlib.h>

struct export
{
        const struct recorder *recorder;
        struct capture_writer writer;
        uint8_t out, in, device;
        uint16_t bus;
        uint64_t epoch_ns;      /* calendar less the loop's clock */
        uint64_t last_exchange; /* its offset */
        uint64_t id;
        const char *end;
        char comment[CAPTURE_COMMENT_MAX];
        uint8_t uniform[WIRE_DATA_MAX];
};

static void add_line(struct export *export, const void *text, size_t length)
{
        size_t end = strlen(export->comment);

        snprintf(export->comment + end, sizeof(export->comment) - end, "%s%.*s", end ? "\n" : "",
                 (int)length, (const char *)text);
}

/* Bus and port from "1-4.2". The kernel's device number is not known at the seam: the last port of
 * the path stands for it. Simulated probes, "sim-3", are on bus 0, which no host has. */
static void read_path(struct export *export)
{
        const char *path = export->recorder->identity.path;
        const char *digits = path + strlen(path);
        unsigned bus = 0;

        while (digits > path && digits[-1] >= '0' && digits[-1] <= '9')
                digits--;
        (void)sscanf(path, "%5u", &bus); /* 0 without */
        export->bus = (uint16_t)bus;
        export->device = (uint8_t)(1 + strtoul(digits, NULL, 10) % 127);
}

static void put(struct export *export, const struct entry *entry, char type, uint8_t endpoint,
                struct capture_packet packet)
{
        bool is_submission = type == CAPTURE_SUBMIT;

        packet.type = type;
        packet.transfer = CAPTURE_BULK;
        packet.endpoint = endpoint;
        packet.device = export->device;
        packet.bus = export->bus;
        packet.has_data = is_submission != (endpoint >= CAPTURE_IN) && packet.data_length;
        if (!packet.has_data)
                packet.data_length = 0;
        packet.comment = export->comment;
        packet.comment_length = (uint32_t)strlen(export->comment);
        packet.time_ns = export->epoch_ns + (is_submission || packet.id % 2 ? entry->submitted_ns
                                                                            : entry->completed_ns);
        if (is_submission)
                packet.status = CAPTURE_IN_PROGRESS;
        capture_put(&export->writer, &packet);
        export->comment[0] = '\0';
}

static const uint8_t *data_of(struct export *export, const struct entry *entry)
{
        if (!entry->is_uniform)
                return entry->data;
        memset(export->uniform, entry->data[0], entry->length);
        return export->uniform;
}

/* What is said behind the last URB of the exchange at `offset`. */
static void gather_after(struct export *export, uint64_t offset)
{
        const struct recorder *recorder = export->recorder;
        const struct entry *entry = recorder_entry(recorder, offset);

        for (uint64_t at = offset + entry->size; at < recorder->head; at += entry->size) {
                entry = recorder_entry(recorder, at);
                if (entry->kind == ENTRY_EXCHANGE)
                        break;
                if (entry->kind == ENTRY_FAULT ||
                    (entry->kind == ENTRY_TEXT && offset == export->last_exchange))
                        add_line(export, entry->data, entry->kept);
        }
        if (offset == export->last_exchange)
                add_line(export, export->end, strlen(export->end));
}

static void put_exchange(struct export *export, const struct entry *entry, uint64_t offset)
{
        struct capture_packet command = { .id = export->id + 1,
                                          .length = WIRE_COMMAND_LENGTH,
                                          .data = entry->command,
                                          .data_length = WIRE_COMMAND_LENGTH };
        struct capture_packet data = { .id = export->id + 2,
                                       .length = entry->length,
                                       .data = data_of(export, entry),
                                       .data_length =
                                               entry->is_uniform ? entry->length : entry->kept };
        uint8_t endpoint = entry->is_in ? export->in : export->out;
        int32_t status = recorder_status_of(-(int)entry->fault);

        export->id += 2;
        if (!entry->length)
                command.id = data.id; /* an even id completes when the exchange does */
        put(export, entry, CAPTURE_SUBMIT, export->out, command);
        if (!entry->length) {
                command.status = status;
                gather_after(export, offset);
                put(export, entry, CAPTURE_COMPLETE, export->out, command);
                return;
        }
        put(export, entry, CAPTURE_SUBMIT, endpoint, data);
        put(export, entry, CAPTURE_COMPLETE, export->out, command);
        data.status = status;
        if (entry->fault)
                data.length = 0; /* how much moved is not known */
        gather_after(export, offset);
        put(export, entry, CAPTURE_COMPLETE, endpoint, data);
}

/* At most what put_exchange adds for it, its texts left out. */
static size_t room_of(const struct entry *entry)
{
        struct capture_packet command = { .data_length = WIRE_COMMAND_LENGTH }, none = { 0 };
        struct capture_packet data = { .data_length =
                                               entry->is_uniform ? entry->length : entry->kept };

        if (entry->kind != ENTRY_EXCHANGE)
                return entry->kept + 16;
        return capture_packet_room(&command) + capture_packet_room(&data) +
               2 * capture_packet_room(&none);
}

/* Where to begin so that the file keeps its limit, how many exchanges that leaves out, and which is
 * the last. */
static uint64_t find_start(struct export *export, uint64_t *ret_left_out)
{
        const struct recorder *recorder = export->recorder;
        const struct entry *entry;
        size_t total = 2 * sizeof(struct capture_about) + CAPTURE_COMMENT_MAX;
        uint64_t start = recorder->tail;

        export->last_exchange = UINT64_MAX;
        for (uint64_t at = recorder->tail; at < recorder->head; at += entry->size) {
                entry = recorder_entry(recorder, at);
                if (entry->kind == ENTRY_SKIP)
                        continue;
                total += room_of(entry);
                if (entry->kind == ENTRY_EXCHANGE)
                        export->last_exchange = at;
        }
        for (; total > CAPTURE_FILE_MAX && start < recorder->head; start += entry->size) {
                entry = recorder_entry(recorder, start);
                if (entry->kind == ENTRY_SKIP)
                        continue;
                total -= room_of(entry);
                *ret_left_out += entry->kind == ENTRY_EXCHANGE;
        }
        return start;
}

static void fill_about(const struct recorder *recorder, struct capture_about *about)
{
        const struct wire_identity *identity = &recorder->identity;
        const struct usb_product *product = usb_product_find(USB_VENDOR_ST, identity->product);

        snprintf(about->description, sizeof(about->description), "%s %s at %s%s",
                 product ? product->name : "probe", identity->serial, identity->path,
                 identity->is_simulated ? ", simulated" : "");
}

static struct export *export_new(const struct recorder *recorder, const char *end)
{
        const struct usb_product *product =
                usb_product_find(USB_VENDOR_ST, recorder->identity.product);
        struct export *export = calloc(1, sizeof(*export)); /* too large for a fiber's stack */

        INSIST(export);
        export->recorder = recorder;
        export->out = product ? product->out : 0x01;
        export->in = product ? product->in : 0x81;
        export->end = end;
        export->epoch_ns = clock_calendar_us() * NS_PER_US - clock_now_ns();
        read_path(export);
        return export;
}

size_t recorder_export(const struct recorder *recorder, const struct capture_about *about,
                       const char *end, struct bytes *ret_file)
{
        struct export *export = export_new(recorder, end);
        struct capture_about whole = *about;
        uint64_t dropped = recorder->dropped;
        const struct entry *entry;
        size_t count = 0;

        fill_about(recorder, &whole);
        capture_begin(&export->writer, &whole, recorder->snap);
        for (uint64_t at = find_start(export, &dropped); at < recorder->head; at += entry->size) {
                entry = recorder_entry(recorder, at);
                if (entry->kind == ENTRY_TEXT)
                        add_line(export, entry->data, entry->kept);
                if (entry->kind != ENTRY_EXCHANGE)
                        continue;
                put_exchange(export, entry, at);
                count++;
        }
        capture_end(&export->writer, 4 * dropped);
        *ret_file = export->writer.bytes;
        free(export);
        return count;
}
