/*
 * vendor_output.c - from the lines of STM32_Programmer_CLI to phases, facts and faults.
 *
 * A line is first made plain: without colours, control characters, bars and time stamps, with single
 * spaces. Then it is one of four: a progress bar, a "name : value" of the banner, an error or warning,
 * or a sentence that marks a phase. Of several errors the one that says most is kept: the tool ends
 * most failures with a general one, and tells the cause before it.
 */
#include "drivers/vendor_output.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- plain lines --------------------------------------------------------------------------- */

/* ECMA-48 section 5.4: a control sequence is ESC, '[', parameters, and one final byte from '@' on. */
static size_t escape_length(const char *text, size_t length)
{
        size_t i = 1;

        if (length < 2 || text[1] != '[')
                return 1;
        while (++i < length)
                if (text[i] >= '@' && text[i] <= '~')
                        return i + 1;
        return length;
}

/* The characters bars are made of, U+2580..U+259F: E2 96 80..9F in UTF-8. */
static bool is_block(const char *text, size_t length)
{
        return length >= 3 && (uint8_t)text[0] == 0xE2 && (uint8_t)text[1] == 0x96 &&
               (uint8_t)text[2] >= 0x80 && (uint8_t)text[2] <= 0x9F;
}

/* `plain` holds at least length + 1. A bar leaves its place as a '#'. */
static void make_plain(const char *text, size_t length, char *plain)
{
        size_t out = 0;

        for (size_t i = 0; i < length;) {
                size_t step = 1;
                char c = text[i];

                if (c == '\x1b') {
                        i += escape_length(text + i, length - i);
                        continue;
                }
                if (is_block(text + i, length - i)) {
                        c = '#';
                        step = 3;
                } else if ((uint8_t)c < 0x20 || c == 0x7F) {
                        c = ' ';
                }
                i += step;
                if (c == ' ' && (out == 0 || plain[out - 1] == ' '))
                        continue;
                plain[out++] = c;
        }
        while (out > 0 && plain[out - 1] == ' ')
                out--;
        plain[out] = '\0';
}

/* "17:13:15 : " or "16:37:27:317 : ", as logs of the tool's window have it. */
static const char *after_time_stamp(const char *plain)
{
        const char *at = plain;
        unsigned groups = 0;

        while (isdigit((unsigned char)at[0]) && isdigit((unsigned char)at[1])) {
                at += 2;
                if (isdigit((unsigned char)at[0]))
                        at++; /* milliseconds have three */
                groups++;
                if (at[0] != ':')
                        break;
                at++;
        }
        return groups >= 3 && strncmp(at, " : ", 3) == 0 ? at + 3 : plain;
}

static bool begins(const char *line, const char *words)
{
        return strncasecmp(line, words, strlen(words)) == 0;
}

static bool says(const char *line, const char *words)
{
        return strcasestr(line, words) != NULL;
}

/* As much of it as there is room for. */
static void keep(char *text, size_t capacity, const char *value)
{
        size_t length = strnlen(value, capacity - 1);

        memcpy(text, value, length);
        text[length] = '\0';
}

/* --- progress bars ------------------------------------------------------------------------- */

/* Nothing but a bar and a percentage: "[=====     ] 50%", "#### 100%". */
static bool take_bar(struct vendor_output *output, const char *line)
{
        const char *sign = strrchr(line, '%');
        unsigned value = 0;

        if (!sign || strspn(line, "[]=#-> .0123456789%") != strlen(line))
                return strspn(line, "[]=#- .") == strlen(line);
        while (sign > line && isdigit((unsigned char)sign[-1]))
                sign--;
        for (; *sign != '%'; sign++)
                value = value < 1000 ? value * 10 + (unsigned)(*sign - '0') : value;
        output->percent = value < 100 ? value : 100;
        return true;
}

/* --- the banner ---------------------------------------------------------------------------- */

/* "3.30V", "3,30V" */
static unsigned millivolts(const char *value)
{
        unsigned volts = 0, thousandths = 0, digits = 0;

        while (isdigit((unsigned char)*value) && volts < 100)
                volts = volts * 10 + (unsigned)(*value++ - '0');
        if (*value != '.' && *value != ',')
                return volts * 1000;
        for (value++; isdigit((unsigned char)*value) && digits < 3; value++, digits++)
                thousandths = thousandths * 10 + (unsigned)(*value - '0');
        for (; digits < 3; digits++)
                thousandths *= 10;
        return volts * 1000 + thousandths;
}

/* "2 MBytes", "512 KBytes (default)" */
static void take_flash_size(struct vendor_output *output, const char *value)
{
        unsigned long number = strtoul(value, NULL, 10);

        if (number > 1u << 20)
                return;
        output->flash_kib = (unsigned)number * (says(value, "MByte") ? 1024 : 1);
        output->is_flash_default = says(value, "default");
}

/* The value of "name : value" when the line is one of that name. Spaces may be missing (figure 59). */
static const char *value_of(const char *line, const char *name)
{
        size_t length = strlen(name);

        if (!begins(line, name))
                return NULL;
        line += length;
        line += strspn(line, " ");
        if (*line == ':')
                line++;
        else if (line[-1] != ' ')
                return NULL;
        return line + strspn(line, " ");
}

static bool take_device(struct vendor_output *output, const char *line)
{
        const char *value;

        if ((value = value_of(line, "Device ID"))) {
                unsigned long id = strtoul(value, NULL, 16);

                output->device_id = id <= 0xFFFF ? (uint16_t)id : 0;
                if (output->phase < VENDOR_CONNECTED)
                        output->phase = VENDOR_CONNECTED;
        } else if ((value = value_of(line, "Device name")))
                keep(output->device_name, sizeof(output->device_name), value);
        else if ((value = value_of(line, "Revision ID")))
                keep(output->revision, sizeof(output->revision), value);
        else if ((value = value_of(line, "Device CPU")))
                keep(output->core, sizeof(output->core), value);
        else if ((value = value_of(line, "Flash size")))
                take_flash_size(output, value);
        else if ((value = value_of(line, "SFSP Version")))
                keep(output->sfsp, sizeof(output->sfsp), value);
        else
                return false;
        return true;
}

static bool take_banner(struct vendor_output *output, const char *line)
{
        const char *value;

        if ((value = value_of(line, "ST-LINK SN")))
                keep(output->serial, sizeof(output->serial), value);
        else if ((value = value_of(line, "ST-LINK FW")))
                keep(output->firmware, sizeof(output->firmware), value);
        else if ((value = value_of(line, "Board")))
                keep(output->board, sizeof(output->board), value);
        else if ((value = value_of(line, "Voltage")))
                output->voltage_mv = millivolts(value);
        else if ((value = value_of(line, "STM32CubeProgrammer API")) ||
                 (value = value_of(line, "STM32CubeProgrammer")))
                keep(output->version, sizeof(output->version), value);
        else
                return take_device(output, line);
        return true;
}

/* --- errors -------------------------------------------------------------------------------- */

struct known_error {
        const char *words;
        enum fault fault;
        unsigned weight;
};

/*
 * Each line with where it was seen, "td-p/N" and "qa-N" being threads of community.st.com and of
 * qa-community.st.com by their number, "log: X" those of spec/secure-install.md section 17. Weight 1 is
 * said after every failure, 2 is a symptom, 3 a cause.
 */
static const struct known_error known_errors[] = {
        /* --- of an install --- */
        /* the tool names two causes in one line; only one of them can be tried again: log H753, H7A/B */
        { "License is invalid", FAULT_BAD_LICENSE, 3 },
        { "Execution of RSS CMD failed", FAULT_RSS, 3 },         /* log U535 */
        { "RSS internal system error", FAULT_RSS, 3 },           /* log H753 */
        { "Failed to get RSSe Status", FAULT_RSS_SILENT, 3 },    /* log SM 1.2 */
        { "Cannot launch RSSe", FAULT_RSS, 2 },                  /* log SM 1.2 */
        { "SFI command is not supported", FAULT_WRONG_PART, 3 }, /* log SM 1.2 */
        /* an H743, which has no SECURITY bit to set: td-p/741489 */
        { "Activating security Fail", FAULT_OPTION_BYTES, 3 },
        /* the U5 that was given no RSSe (log: U599) */
        { "no active configuration for this device", FAULT_OPTION_BYTES, 3 },
        { "SECURITY State Fail", FAULT_RSS, 2 },             /* log H753 */
        { "Invalid state after SFI install", FAULT_RSS, 2 }, /* log H753 */
        { "Install Operation Failure", FAULT_RSS, 1 },       /* log SM 1.2 */

        /* --- option bytes, the flash, the memory outside --- */
        /* an H7B3: qa-53653; without "Error:": community.st.com, thread 33955 */
        { "Expected value for Option Byte", FAULT_OPTION_BYTES, 3 },
        { "Option Byte Programming failed", FAULT_OPTION_BYTES, 2 },
        { "Initializing the option bytes failed", FAULT_TARGET_ACCESS, 3 }, /* qa-125609 */
        { "failed to erase memory", FAULT_FLASH, 3 },                       /* td-p/865533, v2.20 */
        { "failed to erase sectors", FAULT_FLASH, 3 },     /* an external loader: qa-112345 */
        { "Mass erase operation failed", FAULT_FLASH, 3 }, /* qa-132429, v2.16 */
        { "Write failed at address", FAULT_FLASH, 3 },     /* td-p/605983, v2.10 */
        { "failed to download Segment", FAULT_FLASH, 3 },  /* the same; STM32CubeWB issue 6, v2.4 */
        { "failed to download the File", FAULT_FLASH, 2 }, /* the same */
        { "Failed to download data", FAULT_FLASH, 3 },     /* td-p/137642, v2.13 */
        { "Data mismatch found at address", FAULT_FLASH, 3 }, /* qa-49640, v2.2 */
        { "Download verification failed", FAULT_FLASH, 2 },   /* the same */
        { "Fail to read Flash Size", FAULT_TARGET_ACCESS, 2 },
        { "Data read failed", FAULT_TARGET_ACCESS, 2 },
        /* community.st.com, question 0D50X0000C9h1fV, v2.3 */
        { "failed to read the requested memory content", FAULT_TARGET_ACCESS, 2 },

        /* --- reaching part and probe --- */
        { "No STM32 target found", FAULT_NO_TARGET, 3 },
        { "Unable to get core ID", FAULT_NO_TARGET, 3 },          /* td-p/865533, v2.20 */
        { "unknown or unsupported device", FAULT_WRONG_PART, 3 }, /* qa-49640, v2.2 */
        { "DEV_TARGET_CMD_ERR", FAULT_NO_TARGET, 3 },
        { "DEV_TARGET_RESET_ERR", FAULT_TARGET_LOST, 3 },
        { "DEV_TARGET_HELD_UNDER_RESET", FAULT_NO_TARGET, 3 }, /* qa-132429, v2.16 */
        { "DEV_TARGET_NOT_HALTED", FAULT_TARGET_ACCESS, 3 },   /* td-p/829103, qa-23750 */
        { "DEV_UNKNOWN_MCU_TARGET", FAULT_WRONG_PART, 3 },
        { "DEV_USB_COMM_ERR", FAULT_PROBE, 3 },        /* qa-60011, v2.1 */
        { "DEV_CONNECT_ERR", FAULT_PROBE, 3 },         /* td-p/605983, v2.10 */
        { "while trying to connect", FAULT_PROBE, 2 }, /* qa-60011 */
        { "No debug probe detected", FAULT_PROBE, 3 },
};

static const struct known_error unknown_error = { "", FAULT_PROBE, 2 };

static const struct known_error *find_error(const char *line)
{
        for (size_t i = 0; i < LENGTH_OF(known_errors); i++)
                if (says(line, known_errors[i].words))
                        return &known_errors[i];
        return NULL;
}

static void take_error(struct vendor_output *output, const char *line)
{
        const struct known_error *found = &unknown_error;

        output->errors++;
        if (says(line, "failed to reconnect after reset")) {
                output->lost_debug = true;
                return;
        }
        if (find_error(line))
                found = find_error(line);
        if (says(line, "Install Operation Failure"))
                output->says_failure = true;
        if (found->weight <= output->weight)
                return;
        output->fault = found->fault;
        output->weight = found->weight;
        keep(output->line, sizeof(output->line), line);
}

/* "Connection to device 0x480 is lost" is a warning, and may be all that is said of it (qa-53653). */
static void take_warning(struct vendor_output *output, const char *line)
{
        output->warnings++;
        if (says(line, "Could not verify security state"))
                output->could_not_verify = true;
        if (says(line, "Connection to device") && says(line, "is lost"))
                output->lost_debug = true;
}

/* Not every version puts "Error:" before it (ST-LINK error: td-p/605983; option bytes: thread 33955), and
 * where it stands on a line of its own, the failure of the whole names the file first. */
static bool take_complaint(struct vendor_output *output, const char *line)
{
        if (begins(line, "Warning"))
                take_warning(output, line);
        else if (begins(line, "Error") || begins(line, "ST-LINK error") || find_error(line))
                take_error(output, line);
        else
                return false;
        return true;
}

/* --- phases -------------------------------------------------------------------------------- */

struct mark {
        const char *words;
        enum vendor_phase phase;
};

/* AN5054 figures 59 and 65; logs U535, L562, H533. The first that fits counts. */
static const struct mark marks[] = {
        { "SFI File Information", VENDOR_PARSING },
        { "SFI parsing file started", VENDOR_PARSING },
        { "Parsing Area", VENDOR_PARSING },
        { "Requesting Chip Certificate", VENDOR_CERTIFICATE },
        { "Starting Firmware Install", VENDOR_PREPARING },
        { "Activating security", VENDOR_PREPARING },
        { "Setting write mode to SFI", VENDOR_PREPARING },
        { "Opening and parsing file", VENDOR_LOADING },
        { "Get RSSe status", VENDOR_LOADING },
        { "Starting SFI part", VENDOR_WRITING },
        { "Writing license", VENDOR_WRITING },
        { "Writing Img header", VENDOR_WRITING },
        { "License Install", VENDOR_WRITING },
        { "Installing Areas", VENDOR_AT_WORK },
        { "RSS process started", VENDOR_AT_WORK },
        { "RSS command execution OK", VENDOR_CHECKING },
        { "Succeed to write Areas", VENDOR_CHECKING },
        { "Requesting security state", VENDOR_CHECKING },
        { "data for external flash", VENDOR_EXTERNAL },
        { "Data download complete", VENDOR_EXTERNAL },
        { "SFI Process Finished", VENDOR_FINISHED },
};

/* Where each phase begins in the whole, of 1000; by the times of figures 59 and 65. */
static const unsigned begin_of[] = {
        [VENDOR_STARTING] = 0,     [VENDOR_CONNECTED] = 20,  [VENDOR_PARSING] = 30,
        [VENDOR_CERTIFICATE] = 50, [VENDOR_PREPARING] = 70,  [VENDOR_LOADING] = 150,
        [VENDOR_WRITING] = 200,    [VENDOR_AT_WORK] = 250,   [VENDOR_CHECKING] = 850,
        [VENDOR_EXTERNAL] = 880,   [VENDOR_FINISHED] = 1000,
};

/* The phases from writing to external are gone through once for each part of the image. */
static void note_progress(struct vendor_output *output)
{
        const unsigned first = begin_of[VENDOR_WRITING], last = begin_of[VENDOR_FINISHED];
        unsigned now = begin_of[output->phase];

        if (output->phase >= VENDOR_WRITING && output->phase < VENDOR_FINISHED &&
            output->parts > 1 && output->part >= 1 && output->part <= output->parts)
                now = first + ((output->part - 1) * (last - first) + (now - first)) / output->parts;
        if (now > output->progress)
                output->progress = now;
}

static unsigned number_after(const char *line, const char *words)
{
        const char *at = strcasestr(line, words);
        unsigned long number = at ? strtoul(at + strlen(words), NULL, 10) : 0;

        return number <= 1000000 ? (unsigned)number : 0;
}

/* "RSS complete Value = 0x0" (figure 65). */
static void take_complete_value(struct vendor_output *output, const char *line)
{
        const char *equals = strchr(line, '=');

        if (!equals || strtoul(equals + 1, NULL, 0) == 0 || output->weight >= 3)
                return;
        output->errors++;
        output->fault = FAULT_RSS;
        output->weight = 3;
        keep(output->line, sizeof(output->line), line);
}

/* "Downloading area [3] data for external flash memory at address 0x90000000..", "Data download complete":
 * figure 65. */
static void take_external(struct vendor_output *output, const char *line)
{
        if (says(line, "Downloading area") && says(line, "external flash"))
                output->externals_begun++;
        else if (says(line, "Data download complete"))
                output->externals++;
}

/* Its last word must be the last of the line, for a file name may say anything. */
static bool is_success(const char *line)
{
        static const char words[] = "Install Operation Success";
        const char *at = strcasestr(line, words);

        return at && strspn(at + strlen(words), " !.") == strlen(at + strlen(words));
}

static void take_sentence(struct vendor_output *output, const char *line)
{
        for (size_t i = 0; i < LENGTH_OF(marks); i++)
                if (says(line, marks[i].words)) {
                        output->phase = marks[i].phase;
                        break;
                }
        if (is_success(line)) {
                output->says_success = true;
                output->phase = VENDOR_FINISHED;
        } else if (says(line, "Get Certificate done successfully"))
                output->has_certificate = true;
        else if (says(line, "RSS complete Value"))
                take_complete_value(output, line);
        else if (says(line, "total number of areas"))
                output->areas = number_after(line, ": ");
        else if (says(line, "Parsing Area"))
                output->areas_parsed = number_after(line, "Parsing Area ");
        else if (says(line, "Starting SFI part"))
                output->part = number_after(line, "Starting SFI part ");
        else
                take_external(output, line);
        note_progress(output);
}

void vendor_output_take(struct vendor_output *output, const char *text, size_t length)
{
        char plain[PROCESS_LINE_MAX + 1];
        const char *line;

        if (length > PROCESS_LINE_MAX)
                length = PROCESS_LINE_MAX;
        make_plain(text, length, plain);
        line = after_time_stamp(plain);
        if (!*line)
                return;
        output->lines++;
        keep(output->last, sizeof(output->last), line);
        if (!take_bar(output, line) && !take_complaint(output, line) && !take_banner(output, line))
                take_sentence(output, line);
}

/* --- the verdict --------------------------------------------------------------------------- */

static const char *did(enum vendor_action action)
{
        switch (action) {
        case VENDOR_IDENTIFY:
                return "connecting";
        case VENDOR_GET_CERTIFICATE:
                return "reading the certificate";
        case VENDOR_INSTALL:
                return "the install";
        }
        return "";
}

static bool is_done(enum vendor_action action, const struct vendor_output *output)
{
        switch (action) {
        case VENDOR_IDENTIFY:
                return output->device_id != 0;
        case VENDOR_GET_CERTIFICATE:
                return output->has_certificate;
        case VENDOR_INSTALL:
                return output->says_success && !output->says_failure &&
                       output->externals >= output->externals_begun;
        }
        return false;
}

/* Has an install gone so far that the part may have been changed? */
static bool has_begun(enum vendor_action action, const struct vendor_output *output)
{
        return action == VENDOR_INSTALL && output->phase >= VENDOR_PREPARING;
}

/* An error whose meaning is not known proves nothing about a part that is half installed; neither does a
 * probe that fell silent. */
static int judge_error(enum vendor_action action, const struct vendor_output *output)
{
        enum fault code = output->fault;

        if (code == FAULT_PROBE && has_begun(action, output))
                code = FAULT_NOT_PROVABLE;
        return fault(code, "STM32_Programmer_CLI said \"%s\" in %s", output->line, did(action));
}

static int judge_silence(enum vendor_action action, const struct vendor_output *output,
                         const struct process_end *end)
{
        enum fault code = has_begun(action, output) ? FAULT_NOT_PROVABLE : FAULT_PROBE;

        if (end->was_killed)
                return fault(code, "STM32_Programmer_CLI was ended by signal %d (%s) during %s",
                             end->code, strsignal(end->code), did(action));
        if (output->lost_debug && !output->says_success)
                return fault(
                        has_begun(action, output) ? FAULT_NOT_PROVABLE : FAULT_TARGET_LOST,
                        "STM32_Programmer_CLI said \"failed to reconnect after reset\" and did "
                        "not report success of %s (exit code %d)",
                        did(action), end->code);
        if (action == VENDOR_INSTALL && output->externals < output->externals_begun)
                return fault(code,
                             "STM32_Programmer_CLI began to program %u areas of external flash and "
                             "reported %u as complete",
                             output->externals_begun, output->externals);
        if (is_done(action, output))
                return fault(code,
                             "STM32_Programmer_CLI reported success of %s but its exit code is %d, "
                             "wanted 0",
                             did(action), end->code);
        return fault(code, "STM32_Programmer_CLI did not report success of %s (exit code %d)",
                     did(action), end->code);
}

int vendor_judge(enum vendor_action action, const struct vendor_output *output,
                 const struct process_end *end)
{
        if (output->fault != FAULT_NONE)
                return judge_error(action, output);
        if (!end->was_killed && end->code == 0 && is_done(action, output))
                return 0;
        return judge_silence(action, output, end);
}

const char *vendor_phase_name(enum vendor_phase phase)
{
        switch (phase) {
        case VENDOR_STARTING:
        case VENDOR_CONNECTED:
        case VENDOR_PARSING:
        case VENDOR_CERTIFICATE:
                return "start the install";
        case VENDOR_PREPARING:
                return "activate security";
        case VENDOR_LOADING:
                return "load the RSSe";
        case VENDOR_WRITING:
        case VENDOR_AT_WORK:
        case VENDOR_CHECKING:
        case VENDOR_EXTERNAL:
        case VENDOR_FINISHED:
                return "install";
        }
        return "";
}
