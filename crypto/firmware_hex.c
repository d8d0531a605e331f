/*
 * Intel HEX (Intel, Hexadecimal Object File Format Specification, revision A, 1988).
 *
 * A line is ':', then pairs of digits: length, 16-bit offset, type, data, checksum; all bytes
 * together are 0 modulo 256. Types: 00 data, 01 end of file, 02 extended segment address, 03 start
 * segment address, 04 extended linear address, 05 start linear address. Start addresses say where
 * a loader jumps to; they are checked for form and have no place in an image.
 *
 * The wrap rules differ: after type 02 the offset wraps within its 64 KiB segment, after type 04
 * (and before any) the address wraps at 4 GiB. A record that wraps is two pieces.
 */
#include "crypto/firmware_reader.h"

/* Length byte, offset, type and checksum around at most 255 bytes. */
#define RECORD_FRAME 5u
#define RECORD_MAX   (RECORD_FRAME + 255u)

enum { DATA, END_OF_FILE, EXTENDED_SEGMENT, START_SEGMENT, EXTENDED_LINEAR, START_LINEAR, TYPES };

struct hex_reader {
        struct firmware_reader *reader;
        uint32_t base;
        bool is_segmented; /* the last base came from type 02 */
        bool has_ended;
};

struct record {
        uint8_t length, type;
        uint16_t offset;
        uint8_t bytes[RECORD_MAX];
        const uint8_t *data;
};

static int check_sum(const char *name, unsigned line, const uint8_t *bytes, size_t count)
{
        uint8_t sum = 0;

        for (size_t i = 0; i + 1 < count; i++)
                sum = (uint8_t)(sum + bytes[i]);
        sum = (uint8_t)-sum;
        if (bytes[count - 1] != sum)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the checksum is %02X, wanted %02X for these bytes", name,
                             line, bytes[count - 1], sum);
        return 0;
}

static int decode_line(const char *name, const struct text_lines *lines, struct record *ret_record)
{
        size_t count = (lines->length - 1) / 2;

        if (lines->text[0] != ':')
                return fault(FAULT_BAD_FILE, "%s line %u: begins with byte 0x%02X, wanted ':'",
                             name, lines->line, (uint8_t)lines->text[0]);
        if (lines->length % 2 == 0 || count < RECORD_FRAME || count > RECORD_MAX)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: %zu characters after ':', wanted an even number from %u "
                             "to %u",
                             name, lines->line, lines->length - 1, 2 * RECORD_FRAME,
                             2 * RECORD_MAX);
        for (size_t i = 0; i < count; i++) {
                int byte = text_hex_byte(lines->text + 1 + 2 * i);

                if (byte < 0)
                        return fault(FAULT_BAD_FILE,
                                     "%s line %u column %zu: wanted two hexadecimal digits", name,
                                     lines->line, 2 + 2 * i);
                ret_record->bytes[i] = (uint8_t)byte;
        }
        if (count != RECORD_FRAME + ret_record->bytes[0])
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the record has %zu data bytes, wanted %u as its length "
                             "says",
                             name, lines->line, count - RECORD_FRAME, ret_record->bytes[0]);
        ret_record->length = ret_record->bytes[0];
        ret_record->offset = load_be16(&ret_record->bytes[1]);
        ret_record->type = ret_record->bytes[3];
        ret_record->data = &ret_record->bytes[4];
        return check_sum(name, lines->line, ret_record->bytes, count);
}

static int check_shape(const char *name, unsigned line, const struct record *record)
{
        static const uint8_t lengths[TYPES] = {
                [END_OF_FILE] = 0,     [EXTENDED_SEGMENT] = 2, [START_SEGMENT] = 4,
                [EXTENDED_LINEAR] = 2, [START_LINEAR] = 4,
        };

        if (record->type >= TYPES)
                return fault(FAULT_BAD_FILE, "%s line %u: record type %02X, wanted 00 to 05", name,
                             line, record->type);
        if (record->type == DATA)
                return 0;
        if (record->length != lengths[record->type])
                return fault(FAULT_BAD_FILE,
                             "%s line %u: a record of type %02X with %u data bytes, wanted %u",
                             name, line, record->type, record->length, lengths[record->type]);
        /* Old tools put the start address into the end record, so only that one may have one. */
        if (record->offset != 0 && record->type != END_OF_FILE)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: a record of type %02X with offset %04X, wanted 0000",
                             name, line, record->type, record->offset);
        return 0;
}

static int put_data(struct hex_reader *hex, unsigned line, const struct record *record)
{
        uint32_t address = hex->base + record->offset; /* modulo 4 GiB */
        uint64_t room = hex->is_segmented ? 0x10000u - record->offset : (1ull << 32) - address;
        size_t here = record->length < room ? record->length : (size_t)room;
        int r;

        r = firmware_reader_put(hex->reader, line, address, record->data, here);
        if (r < 0)
                return r;
        return firmware_reader_put(hex->reader, line, hex->is_segmented ? hex->base : 0,
                                   record->data + here, record->length - here);
}

static int take_record(struct hex_reader *hex, unsigned line, const struct record *record)
{
        switch (record->type) {
        case DATA:
                return put_data(hex, line, record);
        case END_OF_FILE:
                hex->has_ended = true;
                return 0;
        case EXTENDED_SEGMENT:
                hex->base = (uint32_t)load_be16(record->data) << 4;
                hex->is_segmented = true;
                return 0;
        case EXTENDED_LINEAR:
                hex->base = (uint32_t)load_be16(record->data) << 16;
                hex->is_segmented = false;
                return 0;
        default: /* start addresses */
                return 0;
        }
}

static int read_lines(struct hex_reader *hex, struct text_lines *lines)
{
        const char *name = hex->reader->name;
        struct record record;
        int r;

        while (text_lines_next(lines)) {
                if (hex->has_ended)
                        return fault(FAULT_BAD_FILE,
                                     "%s line %u: text after the end-of-file record, wanted "
                                     "nothing: split joined files",
                                     name, lines->line);
                r = decode_line(name, lines, &record);
                if (r < 0)
                        return r;
                r = check_shape(name, lines->line, &record);
                if (r < 0)
                        return r;
                r = take_record(hex, lines->line, &record);
                if (r < 0)
                        return r;
        }
        if (!hex->has_ended)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the file ends without an end-of-file record, wanted "
                             ":00000001FF: it was cut off, copy it again",
                             name, lines->line);
        return 0;
}

int firmware_read_hex(struct firmware_reader *reader, const void *data, size_t length)
{
        struct hex_reader hex = { .reader = reader };
        struct text_lines lines = { .at = data, .end = (const char *)data + length };

        reader->unit = "line";
        return read_lines(&hex, &lines);
}
