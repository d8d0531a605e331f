/*
 * otp_secrets.c - which OTP words of an STM32MP2 a customer may give, and the reference container.
 *
 * Values are secrets: sentences name words, never values.
 */
#include "crypto/otp_secrets.h"

#include "crypto/digest.h"
#include "crypto/firmware_reader.h"

#include <ctype.h>
#include <stdio.h>

#define MAGIC        "GWMP2SEC"
#define VERSION      1u
#define COUNT_OFFSET 12
#define WORDS_OFFSET 16
#define ENTRY_LENGTH 8
#define LOWER_END    128u
#define MIDDLE_END   256u

/* spec/targets.md section 12; words of one row belong together. */
static const struct range {
        unsigned first, last;
        const char *name;
        bool is_chips; /* written by ST or by the chip itself */
        bool is_whole; /* all of it or none */
} ranges[] = {
        { 0, 0, "check word", true, false },
        { 1, 1, "close", true, false },
        { 2, 3, "RMA", false, false },
        { 4, 4, "ECIES retry count", true, false },
        { 5, 7, "unique id", true, false },
        { 9, 9, "part number", true, false },
        { 16, 16, "NAND parameters", false, false },
        { 18, 18, "life cycle and ROM configuration", false, false },
        { 20, 20, "second NAND parameters", false, false },
        { 102, 102, "revision", true, false },
        { 122, 122, "package", true, false },
        { 124, 124, "HCONF1", false, false },
        { 144, 151, "public key hash (PKH)", false, true },
        { 260, 267, "FIP encryption key", false, true },
};

static const struct range *find_range(unsigned word)
{
        for (size_t i = 0; i < LENGTH_OF(ranges); i++)
                if (word >= ranges[i].first && word <= ranges[i].last)
                        return &ranges[i];
        return NULL;
}

enum otp_class otp_class(unsigned word)
{
        return word < LOWER_END ? OTP_LOWER : word < MIDDLE_END ? OTP_MIDDLE : OTP_UPPER;
}

const char *otp_class_name(enum otp_class class)
{
        switch (class) {
        case OTP_LOWER:
                return "lower, written bit by bit";
        case OTP_MIDDLE:
                return "middle, written once";
        case OTP_UPPER:
                return "upper, written once, secret";
        }
        INSIST(false);
        return NULL;
}

const char *otp_word_name(unsigned word)
{
        const struct range *range = find_range(word);

        return range ? range->name : NULL;
}

int otp_secrets_set(struct otp_secrets *secrets, const char *source, uint32_t word, uint32_t value)
{
        const struct range *range;

        if (word >= OTP_WORDS)
                return fault(FAULT_BAD_VALUE, "%s: OTP word %u, wanted 0 to %u", source, word,
                             OTP_WORDS - 1);
        range = find_range(word);
        if (range && range->is_chips)
                return fault(FAULT_BAD_VALUE,
                             "%s: OTP word %u is the %s, which is not for a customer to write",
                             source, word, range->name);
        if (secrets->is_given[word])
                return fault(FAULT_BAD_VALUE, "%s: OTP word %u is given twice", source, word);
        secrets->is_given[word] = true;
        secrets->values[word] = value;
        secrets->count++;
        return 0;
}

int otp_secrets_check(const struct otp_secrets *secrets)
{
        if (!secrets->count)
                return fault(FAULT_BAD_VALUE, "no OTP words are given");
        for (size_t i = 0; i < LENGTH_OF(ranges); i++) {
                unsigned given = 0, missing = 0;

                for (unsigned word = ranges[i].first; word <= ranges[i].last; word++) {
                        given += secrets->is_given[word];
                        if (!secrets->is_given[word])
                                missing = word;
                }
                if (ranges[i].is_whole && given && given <= ranges[i].last - ranges[i].first)
                        return fault(FAULT_BAD_VALUE,
                                     "OTP word %u is missing: the %s is words %u to %u, all or "
                                     "none",
                                     missing, ranges[i].name, ranges[i].first, ranges[i].last);
        }
        return 0;
}

/* --- CSV ----------------------------------------------------------------------------------- */

/* A number and what follows it, without blanks and one comma; false: not a 32-bit number. */
static bool take_number(const char **at, const char *end, uint32_t *ret_number)
{
        const char *p = *at;
        bool is_hex = end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x';
        uint64_t number = 0;
        const char *digits;

        p += is_hex ? 2 : 0;
        for (digits = p; p < end && isxdigit((unsigned char)*p); p++) {
                unsigned c = (unsigned char)*p;

                if (!is_hex && !isdigit((int)c))
                        return false;
                number = number * (is_hex ? 16 : 10) + (isdigit((int)c) ? c - 48 : (c | 0x20) - 87);
                if (number > UINT32_MAX)
                        return false;
        }
        if (p == digits)
                return false;
        while (p < end && isspace((unsigned char)*p))
                p++;
        if (p < end && *p++ != ',')
                return false;
        while (p < end && isspace((unsigned char)*p))
                p++;
        *at = p;
        *ret_number = (uint32_t)number;
        return true;
}

static int read_row(const char *source, const char *at, const char *end,
                    struct otp_secrets *secrets)
{
        uint32_t word, value;
        int r;

        if (!take_number(&at, end, &word) || at == end)
                return fault(FAULT_BAD_FILE,
                             "%s: wanted OTP word, comma, value and more values, each a 32-bit "
                             "number, decimal or with 0x",
                             source);
        while (at < end) {
                if (!take_number(&at, end, &value))
                        return fault(FAULT_BAD_FILE,
                                     "%s: the value of OTP word %u is no 32-bit number, wanted "
                                     "decimal or 0x",
                                     source, word);
                r = otp_secrets_set(secrets, source, word, value);
                if (r < 0)
                        return r;
                word++;
        }
        return 0;
}

int otp_secrets_read_csv(const char *name, const void *text, size_t length,
                         struct otp_secrets *secrets)
{
        struct text_lines lines = { .at = text, .end = (const char *)text + length };

        if (length > OTP_CSV_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at most %u", name, length,
                             OTP_CSV_MAX);
        while (text_lines_next(&lines)) {
                const char *at = lines.text, *end = lines.text + lines.length;
                char source[160];
                int r;

                while (at < end && isspace((unsigned char)*at))
                        at++;
                while (end > at && isspace((unsigned char)end[-1]))
                        end--;
                if (at == end || *at == '#')
                        continue;
                snprintf(source, sizeof(source), "%.120s line %u", name, lines.line);
                r = read_row(source, at, end, secrets);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- container ----------------------------------------------------------------------------- */

struct bytes otp_secrets_build(const struct otp_secrets *secrets)
{
        size_t length = WORDS_OFFSET + ENTRY_LENGTH * secrets->count;
        struct bytes file = bytes_new(length + DIGEST_LENGTH);
        uint8_t *at = file.data + WORDS_OFFSET;

        memcpy(file.data, MAGIC, strlen(MAGIC));
        store_le32(file.data + strlen(MAGIC), VERSION);
        store_le32(file.data + COUNT_OFFSET, (uint32_t)secrets->count);
        for (unsigned word = 0; word < OTP_WORDS; word++) {
                if (!secrets->is_given[word])
                        continue;
                store_le16(at, (uint16_t)word);
                store_le32(at + 4, secrets->values[word]);
                at += ENTRY_LENGTH;
        }
        digest_sha256(file.data, length, at);
        return file;
}

static int head_check(const char *name, const uint8_t *bytes, size_t length)
{
        uint8_t digest[DIGEST_LENGTH];
        uint32_t count;

        if (length < WORDS_OFFSET + DIGEST_LENGTH || memcmp(bytes, MAGIC, strlen(MAGIC)) != 0)
                return fault(FAULT_BAD_FILE,
                             "%s: not a secrets file of the reference layout (\"" MAGIC "\")",
                             name);
        if (load_le32(bytes + strlen(MAGIC)) != VERSION)
                return fault(FAULT_BAD_FILE, "%s offset %zu: version %u, wanted %u", name,
                             strlen(MAGIC), load_le32(bytes + strlen(MAGIC)), VERSION);
        count = load_le32(bytes + COUNT_OFFSET);
        if (count > OTP_WORDS || length != WORDS_OFFSET + ENTRY_LENGTH * count + DIGEST_LENGTH)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: %u words are announced, the file has %zu bytes", name,
                             COUNT_OFFSET, count, length);
        digest_sha256(bytes, length - DIGEST_LENGTH, digest);
        if (memcmp(digest, bytes + length - DIGEST_LENGTH, DIGEST_LENGTH) != 0)
                return fault(FAULT_BAD_FILE, "%s: the SHA-256 at its end does not match", name);
        return 0;
}

int otp_secrets_parse(const char *name, const void *file, size_t length,
                      struct otp_secrets *ret_secrets)
{
        struct otp_secrets parsed CLEANUP(otp_secrets_wipe) = { .count = 0 };
        const uint8_t *bytes = file;
        uint32_t count, previous = 0;
        int r = head_check(name, bytes, length);

        if (r < 0)
                return r;
        count = load_le32(bytes + COUNT_OFFSET);
        for (uint32_t i = 0; i < count; i++) {
                const uint8_t *entry = bytes + WORDS_OFFSET + ENTRY_LENGTH * i;
                uint32_t word = load_le16(entry);

                if (load_le16(entry + 2) != 0 || (i && word <= previous))
                        return fault(FAULT_BAD_FILE,
                                     "%s offset %zu: OTP word %u out of order, or a reserved "
                                     "field is not 0",
                                     name, (size_t)(entry - bytes), word);
                r = otp_secrets_set(&parsed, name, word, load_le32(entry + 4));
                if (r < 0)
                        return r;
                previous = word;
        }
        *ret_secrets = parsed;
        return 0;
}

void otp_secrets_wipe(struct otp_secrets *secrets)
{
        wipe(secrets, sizeof(*secrets));
}
