/*
 * capture.c - a pcapng file taken apart.
 *
 * The file is a row of blocks, each with its length at both ends. Section and interface come first;
 * then only packets and, at the end, statistics matter to us. A packet must hold usbmon's header
 * whole, and the data it announces. Offsets in sentences count from the beginning of the file.
 */
#include "drivers/capture.h"

#include "drivers/capture_format.h"

#include <stdio.h>
#include <stdlib.h>

#define INTERFACES_MAX 16u
#define BLOCK_MIN      12u
#define OPTIONS_MAX    64u
#define PACKETS_FIRST  1024u

struct interface {
        uint64_t ticks_per_s;
};

struct parser {
        const char *name;
        const uint8_t *data;
        size_t length, at; /* `at`: where the block begins */
        const uint8_t *body;
        size_t body_length;
        struct interface interfaces[INTERFACES_MAX];
        unsigned interface_count;
        size_t capacity;
        struct capture *capture;
};

#define refuse(parser, format, ...)                                                                \
        fault(FAULT_BAD_FILE, "%s: block at offset %zu: " format, (parser)->name, (parser)->at,    \
              ##__VA_ARGS__)

static uint64_t load_le64(const uint8_t *from)
{
        return load_le32(from) | (uint64_t)load_le32(from + 4) << 32;
}

/* --- options ------------------------------------------------------------------------------- */

struct option {
        uint16_t code, length;
        const uint8_t *value;
};

/* The next option of a block's tail (draft 3.5): 1, 0 at its end, or a fault. */
static int next_option(struct parser *parser, size_t *at, struct option *ret_option)
{
        size_t left = parser->body_length - *at;

        if (left < 4)
                return 0;
        ret_option->code = load_le16(parser->body + *at);
        ret_option->length = load_le16(parser->body + *at + 2);
        ret_option->value = parser->body + *at + 4;
        if (ret_option->code == OPTION_END)
                return 0;
        if (ret_option->length > left - 4)
                return refuse(parser, "an option of %u bytes reaches beyond its block",
                              ret_option->length);
        *at += 4 + (ret_option->length + 3u) / 4 * 4;
        if (*at > parser->body_length)
                *at = parser->body_length;
        return 1;
}

/* Each option of the block that begin at `at`, at most OPTIONS_MAX of them. */
static int each_option(struct parser *parser, size_t at,
                       int (*act)(struct parser *parser, const struct option *option))
{
        struct option option;

        for (unsigned i = 0; i < OPTIONS_MAX; i++) {
                int r = next_option(parser, &at, &option);

                if (r <= 0)
                        return r;
                r = act(parser, &option);
                if (r < 0)
                        return r;
        }
        return refuse(parser, "more than %u options", OPTIONS_MAX);
}

/* One terminated text, cut to what fits, without control characters but the line feed. */
static void keep_text(char *text, size_t capacity, const struct option *option)
{
        size_t length = option->length < capacity ? option->length : capacity - 1;

        for (size_t i = 0; i < length; i++) {
                uint8_t c = option->value[i];

                text[i] = (c < ' ' && c != '\n') || c == 0x7F ? '?' : (char)c;
        }
        text[length] = '\0';
}

/* --- blocks -------------------------------------------------------------------------------- */

static int section_option(struct parser *parser, const struct option *option)
{
        char *comment = parser->capture->about.comment;

        if (option->code == OPTION_COMMENT && !comment[0])
                keep_text(comment, CAPTURE_COMMENT_MAX, option);
        return 0;
}

static int read_section(struct parser *parser)
{
        unsigned major;

        if (parser->body_length < 16)
                return refuse(parser, "a section header of %zu bytes, wanted 16",
                              parser->body_length);
        major = load_le16(parser->body + 4);
        if (major != PCAPNG_MAJOR)
                return refuse(parser, "pcapng version %u, wanted 1", major);
        parser->interface_count = 0;
        return each_option(parser, 16, section_option);
}

/* if_tsresol (draft 4.2): a power of ten, or of two with the upper bit. */
static int ticks_of(struct parser *parser, uint8_t resolution, uint64_t *ret_ticks)
{
        uint64_t ticks = 1;

        if (resolution & 0x80u) {
                if ((resolution & 0x7Fu) > 32)
                        return refuse(parser, "timestamps of 2^-%u s", resolution & 0x7Fu);
                *ret_ticks = 1ull << (resolution & 0x7Fu);
                return 0;
        }
        if (resolution > 9)
                return refuse(parser, "timestamps of 10^-%u s, at most 10^-9 is read", resolution);
        for (unsigned i = 0; i < resolution; i++)
                ticks *= 10;
        *ret_ticks = ticks;
        return 0;
}

static int interface_option(struct parser *parser, const struct option *option)
{
        struct capture_about *about = &parser->capture->about;
        struct interface *interface = &parser->interfaces[parser->interface_count];

        if (option->code == OPTION_IF_TSRESOL && option->length >= 1)
                return ticks_of(parser, option->value[0], &interface->ticks_per_s);
        if (parser->interface_count)
                return 0; /* the first one's texts are shown */
        if (option->code == OPTION_IF_NAME)
                keep_text(about->interface, sizeof(about->interface), option);
        else if (option->code == OPTION_IF_DESCRIPTION)
                keep_text(about->description, sizeof(about->description), option);
        else if (option->code == OPTION_IF_HARDWARE)
                keep_text(about->hardware, sizeof(about->hardware), option);
        return 0;
}

static int read_interface(struct parser *parser)
{
        unsigned link;
        int r;

        if (parser->interface_count == INTERFACES_MAX)
                return refuse(parser, "more than %u interfaces", INTERFACES_MAX);
        if (parser->body_length < 8)
                return refuse(parser, "an interface of %zu bytes, wanted 8", parser->body_length);
        link = load_le16(parser->body);
        if (link != PCAPNG_USB_LINUX_MMAPPED)
                return refuse(parser,
                              "link type %u, wanted %u: capture on a usbmon interface of Linux",
                              link, PCAPNG_USB_LINUX_MMAPPED);
        /* microseconds unless the options say otherwise (draft 4.2) */
        parser->interfaces[parser->interface_count].ticks_per_s = 1000000;
        r = each_option(parser, 8, interface_option);
        parser->interface_count += r == 0;
        return r;
}

static struct capture_packet *add_packet(struct parser *parser)
{
        struct capture *capture = parser->capture;

        if (capture->count == parser->capacity) {
                parser->capacity = parser->capacity ? 2 * parser->capacity : PACKETS_FIRST;
                capture->packets =
                        realloc(capture->packets, parser->capacity * sizeof(*capture->packets));
                INSIST(capture->packets);
        }
        capture->packets[capture->count] = (struct capture_packet){ 0 };
        return &capture->packets[capture->count++];
}

static int packet_option(struct parser *parser, const struct option *option)
{
        struct capture_packet *packet = &parser->capture->packets[parser->capture->count - 1];

        if (option->code == OPTION_COMMENT && !packet->comment) {
                packet->comment = (const char *)option->value;
                packet->comment_length = option->length < CAPTURE_COMMENT_MAX
                                                 ? option->length
                                                 : CAPTURE_COMMENT_MAX - 1;
        }
        return 0;
}

static int read_header(struct parser *parser, struct capture_packet *packet, const uint8_t *header,
                       size_t captured)
{
        packet->id = load_le64(header + AT_ID);
        packet->type = (char)header[AT_TYPE];
        packet->transfer = header[AT_TRANSFER];
        packet->endpoint = header[AT_ENDPOINT];
        packet->device = header[AT_DEVICE];
        packet->bus = load_le16(header + AT_BUS);
        packet->has_data = header[AT_FLAG_DATA] == 0;
        packet->status = (int32_t)load_le32(header + AT_STATUS);
        packet->length = load_le32(header + AT_LENGTH);
        packet->data = header + USBMON_HEADER;
        packet->data_length = load_le32(header + AT_KEPT);
        if (packet->type != CAPTURE_SUBMIT && packet->type != CAPTURE_COMPLETE &&
            packet->type != 'E')
                return refuse(parser, "URB event 0x%02X, wanted S, C or E", header[AT_TYPE]);
        if (packet->data_length > captured - USBMON_HEADER)
                packet->data_length = (uint32_t)(captured - USBMON_HEADER);
        if (packet->data_length > CAPTURE_DATA_MAX)
                return refuse(parser, "%u bytes of data, at most %u are read", packet->data_length,
                              CAPTURE_DATA_MAX);
        parser->capture->cut += packet->has_data && packet->data_length < packet->length;
        return 0;
}

static int read_packet(struct parser *parser)
{
        const uint8_t *body = parser->body;
        struct capture_packet *packet;
        uint32_t interface, captured;
        uint64_t ticks, per_s;
        int r;

        if (parser->capture->count == CAPTURE_PACKETS_MAX)
                return fault(FAULT_TOO_LARGE, "%s: more than %u packets; cut it: editcap -r",
                             parser->name, CAPTURE_PACKETS_MAX);
        if (parser->body_length < 20)
                return refuse(parser, "a packet of %zu bytes, wanted 20", parser->body_length);
        interface = load_le32(body);
        captured = load_le32(body + 12);
        if (interface >= parser->interface_count)
                return refuse(parser, "a packet of interface %u, there are %u", interface,
                              parser->interface_count);
        if (captured < USBMON_HEADER || captured > parser->body_length - 20)
                return refuse(parser, "a packet with %u bytes captured, wanted %u to %zu", captured,
                              USBMON_HEADER, parser->body_length - 20);
        packet = add_packet(parser);
        per_s = parser->interfaces[interface].ticks_per_s;
        ticks = (uint64_t)load_le32(body + 4) << 32 | load_le32(body + 8);
        packet->time_ns = ticks / per_s * NS_PER_S + ticks % per_s * NS_PER_S / per_s;
        r = read_header(parser, packet, body + 20, captured);
        if (r < 0)
                return r;
        return each_option(parser, 20 + ((size_t)captured + 3) / 4 * 4, packet_option);
}

static int statistics_option(struct parser *parser, const struct option *option)
{
        if (option->code == OPTION_DROPPED && option->length == 8)
                parser->capture->dropped = load_le64(option->value);
        return 0;
}

static int read_block(struct parser *parser, uint32_t type)
{
        if (type == PCAPNG_SECTION)
                return read_section(parser);
        if (type == PCAPNG_INTERFACE)
                return read_interface(parser);
        if (type == PCAPNG_PACKET)
                return read_packet(parser);
        if (type == PCAPNG_STATISTICS && parser->body_length >= 12)
                return each_option(parser, 12, statistics_option);
        return 0;
}

/* Its length stands at both ends and is a multiple of 4 (draft 3.1). */
static int take_block(struct parser *parser)
{
        const uint8_t *block = parser->data + parser->at;
        size_t left = parser->length - parser->at;
        uint32_t length, again;
        int r;

        if (left < BLOCK_MIN)
                return refuse(parser,
                              "%zu bytes are left, a block has at least %u; the file is cut "
                              "off",
                              left, BLOCK_MIN);
        /* The magic says in which order the length before it stands (draft 4.1). */
        if (load_le32(block) == PCAPNG_SECTION && load_le32(block + 8) != PCAPNG_MAGIC)
                return refuse(parser,
                              "byte-order magic 0x%08X, wanted 0x%08X: only captures of "
                              "little-endian machines are read",
                              load_le32(block + 8), PCAPNG_MAGIC);
        length = load_le32(block + 4);
        if (length < BLOCK_MIN || length % 4 || length > left)
                return refuse(parser, "its length is %u, wanted a multiple of 4 from %u to %zu",
                              length, BLOCK_MIN, left);
        again = load_le32(block + length - 4);
        if (again != length)
                return refuse(parser, "its length is %u at its beginning and %u at its end", length,
                              again);
        parser->body = block + 8;
        parser->body_length = length - BLOCK_MIN;
        r = read_block(parser, load_le32(block));
        parser->at += length;
        return r;
}

int capture_parse(const char *name, const void *data, size_t length, struct capture *ret_capture)
{
        struct capture capture = { 0 };
        struct parser parser = {
                .name = name, .data = data, .length = length, .capture = &capture
        };
        int r = 0;

        if (length > CAPTURE_FILE_MAX)
                return fault(FAULT_TOO_LARGE,
                             "%s: %zu bytes; a capture has at most %u; cut it: "
                             "editcap -c",
                             name, length, CAPTURE_FILE_MAX);
        if (length < BLOCK_MIN || load_le32(data) != PCAPNG_SECTION)
                return fault(FAULT_BAD_FILE,
                             "%s is not a pcapng file: it does not begin with 0A 0D 0D 0A", name);
        while (r == 0 && parser.at < length)
                r = take_block(&parser);
        if (r < 0) {
                capture_free(&capture);
                return r;
        }
        *ret_capture = capture;
        return 0;
}

void capture_free(struct capture *capture)
{
        free(capture->packets);
        *capture = (struct capture){ 0 };
}
