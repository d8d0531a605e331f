/*
 * capture_write.c - pcapng blocks, one behind the other, into a buffer that grows.
 *
 * A block is its type, its length, its body padded to 32 bits, and its length again; the length is
 * filled in when the block is closed.
 */
#include "drivers/capture.h"

#include "drivers/capture_format.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOM_FIRST (64u << 10)

static uint8_t *append(struct capture_writer *writer, const void *data, size_t length)
{
        uint8_t *at;

        while (writer->bytes.length - writer->length < length)
                bytes_grow(&writer->bytes,
                           writer->bytes.length ? 2 * writer->bytes.length : ROOM_FIRST);
        at = writer->bytes.data + writer->length;
        if (data && length)
                memcpy(at, data, length);
        writer->length += length;
        return at;
}

static void append_le16(struct capture_writer *writer, uint32_t value)
{
        store_le16(append(writer, NULL, 2), (uint16_t)value);
}

static void append_le32(struct capture_writer *writer, uint32_t value)
{
        store_le32(append(writer, NULL, 4), value);
}

static void append_le64(struct capture_writer *writer, uint64_t value)
{
        append_le32(writer, (uint32_t)value);
        append_le32(writer, (uint32_t)(value >> 32));
}

/* Timestamps have their upper half first (draft 4.3). */
static void append_time(struct capture_writer *writer, uint64_t time_ns)
{
        append_le32(writer, (uint32_t)(time_ns >> 32));
        append_le32(writer, (uint32_t)time_ns);
}

/* The buffer may hold older bytes where it grew, so padding is written. */
static void append_padding(struct capture_writer *writer)
{
        static const uint8_t zeros[3] = { 0 };

        append(writer, zeros, (4 - writer->length % 4) % 4);
}

static void append_option(struct capture_writer *writer, uint32_t code, const void *value,
                          size_t length)
{
        INSIST(length <= UINT16_MAX);
        append_le16(writer, code);
        append_le16(writer, (uint32_t)length);
        append(writer, value, length);
        append_padding(writer);
}

static void append_text(struct capture_writer *writer, uint32_t code, const char *text)
{
        if (text[0])
                append_option(writer, code, text, strlen(text));
}

static size_t open_block(struct capture_writer *writer, uint32_t type)
{
        size_t start = writer->length;

        append_le32(writer, type);
        append_le32(writer, 0);
        return start;
}

static void close_block(struct capture_writer *writer, size_t start)
{
        uint32_t length;

        append_padding(writer);
        length = (uint32_t)(writer->length + 4 - start);
        append_le32(writer, length);
        store_le32(writer->bytes.data + start + 4, length);
}

void capture_begin(struct capture_writer *writer, const struct capture_about *about, uint32_t snap)
{
        static const uint8_t nanoseconds = 9;
        size_t block = open_block(writer, PCAPNG_SECTION);

        append_le32(writer, PCAPNG_MAGIC);
        append_le16(writer, PCAPNG_MAJOR);
        append_le16(writer, 0);
        append_le64(writer, UINT64_MAX); /* the section's length is not said */
        append_text(writer, OPTION_COMMENT, about->comment);
        append_text(writer, OPTION_APPLICATION, "gangwayd " GANGWAY_VERSION);
        append_option(writer, OPTION_END, NULL, 0);
        close_block(writer, block);

        block = open_block(writer, PCAPNG_INTERFACE);
        append_le16(writer, PCAPNG_USB_LINUX_MMAPPED);
        append_le16(writer, 0);
        append_le32(writer, USBMON_HEADER + snap);
        append_text(writer, OPTION_IF_NAME, about->interface);
        append_text(writer, OPTION_IF_DESCRIPTION, about->description);
        append_option(writer, OPTION_IF_TSRESOL, &nanoseconds, 1);
        append_text(writer, OPTION_IF_HARDWARE, about->hardware);
        append_option(writer, OPTION_END, NULL, 0);
        close_block(writer, block);
}

/* `struct usbmon_packet`, field by field; bulk transfers have no setup, interval or descriptors. */
static void append_header(struct capture_writer *writer, const struct capture_packet *packet)
{
        uint8_t *header = append(writer, NULL, USBMON_HEADER);
        char other_way = packet->endpoint & CAPTURE_IN ? '<' : '>';
        uint64_t seconds = packet->time_ns / NS_PER_S;

        memset(header, 0, USBMON_HEADER);
        store_le32(header + AT_ID, (uint32_t)packet->id);
        store_le32(header + AT_ID + 4, (uint32_t)(packet->id >> 32));
        header[AT_TYPE] = (uint8_t)packet->type;
        header[AT_TRANSFER] = packet->transfer;
        header[AT_ENDPOINT] = packet->endpoint;
        header[AT_DEVICE] = packet->device;
        store_le16(header + AT_BUS, packet->bus);
        header[AT_FLAG_SETUP] = '-';
        header[AT_FLAG_DATA] = packet->has_data ? 0 : (uint8_t)other_way;
        store_le32(header + AT_SECONDS, (uint32_t)seconds);
        store_le32(header + AT_SECONDS + 4, (uint32_t)(seconds >> 32));
        store_le32(header + AT_MICROSECONDS, (uint32_t)(packet->time_ns % NS_PER_S / NS_PER_US));
        store_le32(header + AT_STATUS, (uint32_t)packet->status);
        store_le32(header + AT_LENGTH, packet->length);
        store_le32(header + AT_KEPT, packet->data_length);
}

void capture_put(struct capture_writer *writer, const struct capture_packet *packet)
{
        size_t block = open_block(writer, PCAPNG_PACKET);
        uint32_t comment = packet->comment_length > CAPTURE_COMMENT_MAX - 1
                                   ? CAPTURE_COMMENT_MAX - 1
                                   : packet->comment_length;

        append_le32(writer, 0); /* the only interface */
        append_time(writer, packet->time_ns);
        append_le32(writer, USBMON_HEADER + packet->data_length);
        append_le32(writer, USBMON_HEADER + (packet->has_data ? packet->length : 0));
        append_header(writer, packet);
        append(writer, packet->data, packet->data_length);
        append_padding(writer);
        if (comment) {
                append_option(writer, OPTION_COMMENT, packet->comment, comment);
                append_option(writer, OPTION_END, NULL, 0);
        }
        close_block(writer, block);
        if (!writer->packets++)
                writer->first_ns = packet->time_ns;
        writer->last_ns = packet->time_ns;
}

/* Block, header, data, comment and their padding. */
size_t capture_packet_room(const struct capture_packet *packet)
{
        return 32 + USBMON_HEADER + packet->data_length + 3 + packet->comment_length + 11;
}

static void append_time_option(struct capture_writer *writer, uint32_t code, uint64_t time_ns)
{
        uint8_t bytes[8];

        store_le32(bytes, (uint32_t)(time_ns >> 32));
        store_le32(bytes + 4, (uint32_t)time_ns);
        append_option(writer, code, bytes, sizeof(bytes));
}

static void append_count_option(struct capture_writer *writer, uint32_t code, uint64_t count)
{
        uint8_t bytes[8];

        store_le32(bytes, (uint32_t)count);
        store_le32(bytes + 4, (uint32_t)(count >> 32));
        append_option(writer, code, bytes, sizeof(bytes));
}

void capture_end(struct capture_writer *writer, uint64_t dropped)
{
        size_t block = open_block(writer, PCAPNG_STATISTICS);

        append_le32(writer, 0);
        append_time(writer, writer->last_ns);
        append_time_option(writer, OPTION_STARTED, writer->first_ns);
        append_time_option(writer, OPTION_ENDED, writer->last_ns);
        append_count_option(writer, OPTION_RECEIVED, writer->packets + dropped);
        append_count_option(writer, OPTION_DROPPED, dropped);
        append_option(writer, OPTION_END, NULL, 0);
        close_block(writer, block);
        writer->bytes.length = writer->length;
}
