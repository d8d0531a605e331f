/*
 * gangway capture show: what was said on a wire, a line an exchange, in words.
 */
#include "station/commands/command.h"

#include "drivers/capture_exchange.h"
#include "drivers/recorder.h"
#include "drivers/stlink.h"
#include "drivers/stlink_words.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/options.h"
#include "station/text.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 160u
#define HEX_MAX  512u /* bytes of a data phase shown with --json */

/* --- one exchange -------------------------------------------------------------------------- */

static bool has_status(const struct capture_exchange *exchange)
{
        return stlink_words(exchange->command).class == STLINK_STATUS && exchange->is_in &&
               exchange->data_length >= 2;
}

/* The kernel's word where the transfer failed, else the probe's where the answer has one. */
static const char *status_text(const struct capture_exchange *exchange, char *text, size_t capacity)
{
        const char *name = exchange->status ? strerrorname_np(-exchange->status) : NULL;

        if (exchange->status)
                snprintf(text, capacity, "%s", name ? name : "transfer failed");
        else if (!exchange->completed_ns)
                snprintf(text, capacity, "no end");
        else if (has_status(exchange))
                snprintf(text, capacity, "%02X %s", exchange->data[0],
                         stlink_status_name(exchange->data[0]));
        else
                text[0] = '\0';
        return text;
}

/* The value an answer of 8 bytes brings: READDEBUGREG and READ_DAP_REG (stlink.md 7.3, 8). */
static bool brings_value(const struct capture_exchange *exchange, uint32_t *ret_value)
{
        uint8_t op = exchange->command[1];

        if (exchange->command[0] != 0xF2 || (op != 0x36 && op != 0x45) || !exchange->is_in ||
            exchange->data_length < 8)
                return false;
        *ret_value = load_le32(exchange->data + 4);
        return true;
}

static const char *command_text(const struct capture_exchange *exchange, char *text,
                                size_t capacity)
{
        uint32_t value;
        size_t length;

        stlink_words_format(exchange->command, text, capacity);
        length = strlen(text);
        if (brings_value(exchange, &value))
                snprintf(text + length, capacity - length, " = 0x%08X", value);
        return text;
}

static uint64_t took_us(const struct capture_exchange *exchange)
{
        return exchange->completed_ns > exchange->submitted_ns
                       ? (exchange->completed_ns - exchange->submitted_ns) / NS_PER_US
                       : 0;
}

/* Clean UTF-8 on one line into a buffer; what is not becomes a question mark. */
static const char *clean(const void *text, size_t length, char *ret_text, size_t capacity)
{
        size_t at;

        if (length > capacity - 1)
                length = capacity - 1;
        if (length)
                memcpy(ret_text, text, length);
        ret_text[length] = '\0';
        while ((at = text_clean(ret_text, length)) < length)
                ret_text[at] = '?';
        return ret_text;
}

/* --- for people ---------------------------------------------------------------------------- */

static void print_comment(FILE *out, struct piece comment)
{
        char text[CAPTURE_COMMENT_MAX], *rest = text;

        clean(comment.data, comment.length, text, sizeof(text));
        for (const char *line; comment.length && (line = strsep(&rest, "\n"));)
                fprintf(out, "-- %s\n", line);
}

static void print_exchange(FILE *out, const struct capture_exchange *exchange, uint64_t first_ns)
{
        char command[TEXT_MAX], status[TEXT_MAX], data[24] = "";
        uint64_t at_us = (exchange->submitted_ns - first_ns) / NS_PER_US;

        print_comment(out, exchange->before);
        if (exchange->length)
                snprintf(data, sizeof(data), "%u %s", exchange->length,
                         exchange->is_in ? "in" : "out");
        fprintf(out, "%5llu.%06llu %8llu  %-42s %9s%s%s\n", (unsigned long long)(at_us / 1000000),
                (unsigned long long)(at_us % 1000000), (unsigned long long)took_us(exchange),
                command_text(exchange, command, sizeof(command)), data,
                *status_text(exchange, status, sizeof(status)) ? "  " : "", status);
        print_comment(out, exchange->after);
}

static void print_head(FILE *out, const char *path, const struct capture *capture,
                       const struct capture_exchanges *exchanges)
{
        const struct capture_about *about = &capture->about;
        char text[CAPTURE_COMMENT_MAX], line[CAPTURE_COMMENT_MAX], *rest = text;

        fprintf(out, "%s: %zu exchanges, %zu packets", path, exchanges->count, capture->count);
        if (exchanges->others)
                fprintf(out, ", %zu of them about something else", exchanges->others);
        if (capture->cut)
                fprintf(out, "; %u cut short", capture->cut);
        if (capture->dropped)
                fprintf(out, "; %llu earlier ones overwritten",
                        (unsigned long long)capture->dropped);
        snprintf(text, sizeof(text), "%s%s%s%s%s", about->interface,
                 about->description[0] ? ", " : "", about->description,
                 about->hardware[0] ? ", " : "", about->hardware);
        fprintf(out, "\n%s\n", clean(text, strlen(text), line, sizeof(line)));
        clean(about->comment, strlen(about->comment), text, sizeof(text));
        for (const char *said; about->comment[0] && (said = strsep(&rest, "\n"));)
                fprintf(out, "%s\n", said);
        fprintf(out, "\n%12s %8s  %-42s %9s  %s\n", "seconds", "took us", "command", "bytes",
                "status");
}

static void print_text(FILE *out, const char *path, const struct capture *capture,
                       const struct capture_exchanges *exchanges)
{
        print_head(out, path, capture, exchanges);
        for (size_t i = 0; i < exchanges->count; i++)
                print_exchange(out, &exchanges->items[i], exchanges->items[0].submitted_ns);
}

/* --- for programs -------------------------------------------------------------------------- */

static json_t *json_text(const void *text, size_t length)
{
        char buffer[CAPTURE_COMMENT_MAX];

        return json_string(clean(text, length, buffer, sizeof(buffer)));
}

static json_t *json_hex(const uint8_t *data, size_t length)
{
        char text[2 * HEX_MAX + 1];

        return json_string(hex_encode(data, length < HEX_MAX ? length : HEX_MAX, text));
}

static json_t *json_exchange(const struct capture_exchange *exchange)
{
        char command[TEXT_MAX], status[TEXT_MAX];
        json_t *object = json_pack(
                "{s:I, s:I, s:s, s:o, s:s, s:i, s:i, s:s}", "time_ns",
                (json_int_t)exchange->submitted_ns, "took_us", (json_int_t)took_us(exchange),
                "command", command_text(exchange, command, sizeof(command)), "bytes",
                json_hex(exchange->command, WIRE_COMMAND_LENGTH), "direction",
                !exchange->length ? "none"
                : exchange->is_in ? "in"
                                  : "out",
                "length", (int)exchange->length, "urb_status", (int)exchange->status, "status",
                status_text(exchange, status, sizeof(status)));

        if (!object)
                return NULL;
        if (exchange->data_length)
                json_object_set_new(object, "data",
                                    json_hex(exchange->data, exchange->data_length));
        if (exchange->before.length)
                json_object_set_new(object, "before",
                                    json_text(exchange->before.data, exchange->before.length));
        if (exchange->after.length)
                json_object_set_new(object, "after",
                                    json_text(exchange->after.data, exchange->after.length));
        return object;
}

static json_t *json_capture(const char *path, const struct capture *capture,
                            const struct capture_exchanges *exchanges)
{
        const struct capture_about *about = &capture->about;
        json_t *list = json_array();

        for (size_t i = 0; i < exchanges->count; i++)
                json_array_append_new(list, json_exchange(&exchanges->items[i]));
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "file",
                         json_text(path, strlen(path)), "comment",
                         json_text(about->comment, strlen(about->comment)), "interface",
                         json_text(about->interface, strlen(about->interface)), "probe",
                         json_text(about->description, strlen(about->description)), "firmware",
                         json_text(about->hardware, strlen(about->hardware)), "packets",
                         (json_int_t)capture->count, "others", (json_int_t)exchanges->others, "cut",
                         (json_int_t)capture->cut, "dropped",
                         (json_int_t)(capture->dropped & INT64_MAX), "exchanges", list);
}

/* ------------------------------------------------------------------------------------------- */

static int show(const char *path, const struct capture *capture, bool is_json)
{
        struct capture_exchanges exchanges CLEANUP(capture_exchanges_free) = { 0 };

        capture_exchanges(capture, &exchanges);
        if (!is_json) {
                print_text(stdout, path, capture, &exchanges);
                return EXIT_OK;
        }
        return answer_json(json_capture(path, capture, &exchanges), EXIT_OK);
}

static int run(int argc, char **argv)
{
        CLEANUP(bytes_free) struct bytes file = { 0 };
        struct capture capture CLEANUP(capture_free) = { 0 };
        const char *path = NULL;
        bool is_json = false;
        int r;

        r = options_one_file(argc, argv, &path, &is_json);
        if (r < 0)
                return r;
        r = file_read(path, CAPTURE_FILE_MAX, &file);
        if (r < 0)
                return r;
        r = capture_parse(path, file.data, file.length, &capture);
        return r < 0 ? r : show(path, &capture, is_json);
}

const struct command capture_show_command = {
        .words = "capture show",
        .summary = "print a probe's traffic as ST-LINK commands",
        .help = "usage: gangway capture show FILE [--json]\n"
                "\n"
                "Prints a capture of the station (DATA_DIRECTORY/captures) or of Linux usbmon, a\n"
                "line an exchange: when, how long, the command in words, the data's length, and\n"
                "the status: the probe's, or the kernel's word where the transfer failed. Lines\n"
                "with two dashes are the station's: the step it began, a resync, the fault. The\n"
                "bytes of a license are not in the file. Wireshark opens these files too.\n"
                "\n"
                "  --json  the same for programs; bytes in hexadecimal, at most 512 of a transfer\n"
                "\n"
                "Exit 0, or 2 when the file is no such capture.\n"
                "\n"
                "example: gangway capture show captures/DEMO-1/UNIT-1-TIME.pcapng\n",
        .run = run,
};
