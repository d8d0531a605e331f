/*
 * Answers of a license server: two bytes of status, a letter for what was asked, the body. A
 * license comes out only of 200 and of itself; a refusal is told in a line that can be printed.
 */
#include "station/license_answer.h"

#include "scheduler/bytes.h"
#include "tests/support/fuzz.h"

#include <string.h>

static void check_sentence(int r)
{
        const char *sentence = fault_sentence(r);

        INSIST(sentence[0] && strlen(sentence) < 300);
        for (const char *c = sentence; *c; c++)
                INSIST(*c >= ' ' && *c < 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static const char *const types[] = { "SFI", "SFIA", "SMU", "SSP" };
        uint8_t license[LICENSE_LENGTH] = { 0 };
        const uint8_t *body = data + 3;
        const char *type;
        unsigned status;
        int r;

        if (length < 3)
                return 0;
        status = load_le16(data);
        type = types[data[2] % LENGTH_OF(types)];
        r = license_answer_read(status, body, length - 3, type, license);
        if (r == 0) {
                INSIST(status == 200 && length - 3 == LICENSE_LENGTH);
                INSIST(!memcmp(license, body, LICENSE_LENGTH) && !memcmp(license, type, 3));
        } else {
                INSIST((r == -FAULT_SERVER_REFUSED) == (status / 100 == 4));
                INSIST(r == -FAULT_SERVER_REFUSED || r == -FAULT_SERVER);
                INSIST(license[0] == 0);
                check_sentence(r);
        }
        return 0;
}
