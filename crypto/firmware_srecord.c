/*
 * Motorola S-record (M68000 Family Programmer's Reference Manual, appendix C).
 *
 * A line is 'S', a type digit, then pairs of digits: count of the bytes that follow, address, data,
 * checksum; count, address, data and checksum together are 0xFF modulo 256. S0 is a header, S1, S2,
 * S3 hold data at 16, 24, 32-bit addresses, S5 and S6 count the data records so far, S7, S8, S9 end
 * the file and hold a start address, which has no place in an image. S4 is reserved.
 */
#include "crypto/firmware_reader.h"

#define COUNTED_MAX 255u /* bytes after the count byte */

struct record {
        char type;
        unsigned address_length;
        uint32_t address;
        const uint8_t *data;
        size_t length;
        uint8_t bytes[1 + COUNTED_MAX]; /* from the count byte on */
};

struct srecord_reader {
        struct firmware_reader *reader;
        uint32_t records; /* of data */
        bool has_ended;
};

static unsigned address_length_of(char type)
{
        switch (type) {
        case '0':
        case '1':
        case '5':
        case '9':
                return 2;
        case '2':
        case '6':
        case '8':
                return 3;
        case '3':
        case '7':
                return 4;
        default:
                return 0;
        }
}

static int decode_bytes(const char *name, const struct text_lines *lines, struct record *ret_record)
{
        size_t count = (lines->length - 2) / 2;
        uint8_t sum = 0;

        if (lines->length % 2 || count < 2 || count > 1 + COUNTED_MAX)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: %zu characters, wanted an even number from 6 to %u", name,
                             lines->line, lines->length, 2 + 2 * (1 + COUNTED_MAX));
        for (size_t i = 0; i < count; i++) {
                int byte = text_hex_byte(lines->text + 2 + 2 * i);

                if (byte < 0)
                        return fault(FAULT_BAD_FILE,
                                     "%s line %u column %zu: wanted two hexadecimal digits", name,
                                     lines->line, 3 + 2 * i);
                ret_record->bytes[i] = (uint8_t)byte;
                if (i + 1 < count)
                        sum = (uint8_t)(sum + byte);
        }
        if (count - 1 != ret_record->bytes[0])
                return fault(FAULT_BAD_FILE,
                             "%s line %u: %zu bytes follow the count, wanted %u as it says", name,
                             lines->line, count - 1, ret_record->bytes[0]);
        sum = (uint8_t)~sum;
        if (ret_record->bytes[count - 1] != sum)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the checksum is %02X, wanted %02X for these bytes", name,
                             lines->line, ret_record->bytes[count - 1], sum);
        return 0;
}

static int decode_line(const char *name, const struct text_lines *lines, struct record *ret_record)
{
        int r;

        if (lines->length < 2 || lines->text[0] != 'S')
                return fault(FAULT_BAD_FILE, "%s line %u: begins with byte 0x%02X, wanted 'S'",
                             name, lines->line, (uint8_t)lines->text[0]);
        ret_record->type = lines->text[1];
        ret_record->address_length = address_length_of(ret_record->type);
        if (!ret_record->address_length)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: record type byte 0x%02X, wanted S0 to S3 or S5 to S9",
                             name, lines->line, (uint8_t)ret_record->type);
        r = decode_bytes(name, lines, ret_record);
        if (r < 0)
                return r;
        if (ret_record->bytes[0] < ret_record->address_length + 1)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: count %u of an S%c record, wanted at least %u for its "
                             "address and checksum",
                             name, lines->line, ret_record->bytes[0], ret_record->type,
                             ret_record->address_length + 1);
        ret_record->address = 0;
        for (unsigned i = 0; i < ret_record->address_length; i++)
                ret_record->address = ret_record->address << 8 | ret_record->bytes[1 + i];
        ret_record->data = &ret_record->bytes[1 + ret_record->address_length];
        ret_record->length = ret_record->bytes[0] - ret_record->address_length - 1;
        return 0;
}

static int check_count(const struct srecord_reader *srecord, unsigned line,
                       const struct record *record)
{
        uint32_t wanted = srecord->records & (record->type == '5' ? 0xFFFFu : 0xFFFFFFu);

        if (record->address != wanted)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: it counts %u data records, wanted %u as were read: lines "
                             "are missing or doubled",
                             srecord->reader->name, line, record->address, wanted);
        return 0;
}

static int take_record(struct srecord_reader *srecord, unsigned line, const struct record *record)
{
        if (record->type >= '5' && record->length)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: an S%c record with %zu data bytes, wanted none",
                             srecord->reader->name, line, record->type, record->length);
        switch (record->type) {
        case '0':
                return 0;
        case '1':
        case '2':
        case '3':
                srecord->records++;
                return firmware_reader_put(srecord->reader, line, record->address, record->data,
                                           record->length);
        case '5':
        case '6':
                return check_count(srecord, line, record);
        default:
                srecord->has_ended = true;
                return 0;
        }
}

static int read_lines(struct srecord_reader *srecord, struct text_lines *lines)
{
        const char *name = srecord->reader->name;
        struct record record;
        int r;

        while (text_lines_next(lines)) {
                if (srecord->has_ended)
                        return fault(FAULT_BAD_FILE,
                                     "%s line %u: text after the end record, wanted nothing: split "
                                     "joined files",
                                     name, lines->line);
                r = decode_line(name, lines, &record);
                if (r < 0)
                        return r;
                r = take_record(srecord, lines->line, &record);
                if (r < 0)
                        return r;
        }
        if (!srecord->has_ended)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the file ends without an S7, S8 or S9 record: it was cut "
                             "off, copy it again",
                             name, lines->line);
        return 0;
}

int firmware_read_srecord(struct firmware_reader *reader, const void *data, size_t length)
{
        struct srecord_reader srecord = { .reader = reader };
        struct text_lines lines = { .at = data, .end = (const char *)data + length };

        reader->unit = "line";
        return read_lines(&srecord, &lines);
}
