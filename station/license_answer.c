/*
 * The status decides first: 200 must carry a license, 4xx is a refusal whose text a person should
 * read, everything else is a server in trouble. A license is held against length, type and version;
 * nothing of it but the four characters of its type ever enters a sentence.
 */
#include "station/license_answer.h"

#include "scheduler/bytes.h"

#include <stdio.h>
#include <string.h>

#define TYPE_LENGTH    4u
#define VERSION_OFFSET 8u /* license.h */
#define VERSION        1u
#define TEXT_MAX       120u

/* ": TEXT" of what can be printed, runs of anything else as one space; "" when nothing can. */
static void text_take(const uint8_t *body, size_t length, char ret_text[static TEXT_MAX + 3])
{
        size_t end = 2;

        memcpy(ret_text, ": ", 3);
        for (size_t i = 0; i < length && end < TEXT_MAX + 2; i++) {
                if (body[i] > ' ' && body[i] < 0x7F)
                        ret_text[end++] = (char)body[i];
                else if (ret_text[end - 1] != ' ')
                        ret_text[end++] = ' ';
        }
        if (ret_text[end - 1] == ' ')
                end--;
        ret_text[end > 2 ? end : 0] = '\0';
}

static bool is_type(const uint8_t *license, const char *type)
{
        char wanted[TYPE_LENGTH + 1];

        if (!strcmp(type, "SFIA") && !memcmp(license, "SFI.", TYPE_LENGTH))
                return true;
        snprintf(wanted, sizeof(wanted), "%s....", type);
        return !memcmp(license, wanted, TYPE_LENGTH);
}

static int license_check(const uint8_t *body, size_t length, const char *type)
{
        char found[2 * TYPE_LENGTH + 1];

        if (length > LICENSE_ANSWER_MAX)
                return fault(FAULT_SERVER,
                             "it answered more than %u bytes, a license has %d; one may have been "
                             "issued; is url the address of a license server?",
                             LICENSE_ANSWER_MAX, LICENSE_LENGTH);
        if (length != LICENSE_LENGTH)
                return fault(
                        FAULT_SERVER,
                        "it answered %zu bytes, a license has %d; one may have been issued; is "
                        "url the address of a license server?",
                        length, LICENSE_LENGTH);
        if (!is_type(body, type))
                return fault(FAULT_SERVER,
                             "it answered a license of type %s in hexadecimal, asked was %s; does "
                             "it have such licenses for this firmware identifier?",
                             hex_encode(body, TYPE_LENGTH, found), type);
        if (load_le32(body + VERSION_OFFSET) != VERSION)
                return fault(FAULT_SERVER,
                             "it answered a license of version %u, known is %u; this station is "
                             "too old for it",
                             load_le32(body + VERSION_OFFSET), VERSION);
        return 0;
}

int license_answer_read(unsigned status, const uint8_t *body, size_t length, const char *type,
                        uint8_t ret_license[static LICENSE_LENGTH])
{
        char text[TEXT_MAX + 3];
        int r;

        if (status == 200) {
                r = license_check(body, length, type);
                if (r == 0)
                        memcpy(ret_license, body, LICENSE_LENGTH);
                return r;
        }
        text_take(body, length, text);
        if (status / 100 == 4)
                return fault(FAULT_SERVER_REFUSED, "it refused with status %u%s", status, text);
        if (status / 100 == 3)
                return fault(FAULT_SERVER,
                             "it answered status %u, a redirect, and none is followed; put the "
                             "final address into url",
                             status);
        return fault(FAULT_SERVER,
                     "it answered status %u, wanted 200 with a license; it may have been issued%s",
                     status, text);
}
