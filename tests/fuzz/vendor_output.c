/*
 * What STM32_Programmer_CLI prints: one byte of what was asked and how it ended, the rest as it came. No
 * line makes the progress fall, and success takes the tool's words, its exit code, and no error.
 */
#include "drivers/vendor_output.h"
#include "tests/support/fuzz.h"

#include <string.h>

static void check_sentence(int r)
{
        const char *sentence = fault_sentence(r);

        INSIST(sentence[0] && strlen(sentence) < 512);
        for (const char *c = sentence; *c; c++)
                INSIST((unsigned char)*c >= ' ' && *c != 0x7F);
}

static void check_texts(const struct vendor_output *output)
{
        INSIST(memchr(output->line, 0, sizeof(output->line)));
        INSIST(memchr(output->last, 0, sizeof(output->last)));
        INSIST(memchr(output->serial, 0, sizeof(output->serial)));
        INSIST(memchr(output->sfsp, 0, sizeof(output->sfsp)));
        INSIST(memchr(output->device_name, 0, sizeof(output->device_name)));
        INSIST(output->progress <= 1000 && output->percent <= 100);
        INSIST((output->fault == FAULT_NONE) == (output->line[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static const enum vendor_action actions[] = { VENDOR_IDENTIFY, VENDOR_GET_CERTIFICATE,
                                                      VENDOR_INSTALL };
        struct vendor_output output = { 0 };
        struct process_end end = { .was_started = true };
        enum vendor_action action;
        const char *text = (const char *)data + 1;
        int r;

        if (length == 0)
                return 0;
        action = actions[data[0] % 3];
        end.code = data[0] >> 4 & 3;
        end.was_killed = data[0] >> 7;
        output.parts = data[0] >> 2 & 3;
        for (size_t left = length - 1; left > 0;) {
                const char *stop = memchr(text, '\n', left);
                size_t line = stop ? (size_t)(stop - text) : left;
                unsigned before = output.progress;

                vendor_output_take(&output, text, line);
                check_texts(&output);
                INSIST(output.progress >= before);
                line += stop != NULL;
                text += line;
                left -= line;
        }
        r = vendor_judge(action, &output, &end);
        if (r == 0) {
                INSIST(end.code == 0 && !end.was_killed && output.fault == FAULT_NONE);
                INSIST(action != VENDOR_INSTALL || (output.says_success && !output.says_failure &&
                                                    output.externals >= output.externals_begun));
        } else {
                check_sentence(r);
        }
        return 0;
}
