/*
 * target_choice.c - one table of keys, each with the function that understands its value.
 *
 * What ST's programmer knows and we do not do is refused with the reason, never passed over: a script
 * that asks for a reset at connect must not get a hotplug in silence.
 */
#include "station/commands/target_choice.h"

#include "station/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int take_port(struct target_choice *choice, const char *value)
{
        (void)choice;
        if (strcasecmp(value, "swd") == 0)
                return 0;
        if (strcasecmp(value, "jtag") == 0)
                return fault(FAULT_BAD_VALUE,
                             "port=JTAG: the probe is spoken to over SWD only; give port=SWD");
        return fault(
                FAULT_BAD_VALUE,
                "port=%.40s: only port=SWD goes through a probe; boot loader ports (UART, USB, "
                "SPI, I2C, CAN) are not served",
                value);
}

static int take_mode(struct target_choice *choice, const char *value)
{
        (void)choice;
        if (strcasecmp(value, "hotplug") == 0)
                return 0;
        return fault(
                FAULT_BAD_VALUE,
                "mode=%.40s: an install wants mode=HOTPLUG, without a reset or halt at connect "
                "(AN5054 section 3.3.2), and there is no other here",
                value);
}

static int take_serial(struct target_choice *choice, const char *value)
{
        size_t length = strlen(value);

        if (length == 0 || length >= sizeof(choice->serial))
                return fault(FAULT_BAD_VALUE,
                             "sn= has %zu characters, wanted 1 to %zu: gangway target list shows "
                             "the serials",
                             length, sizeof(choice->serial) - 1);
        for (size_t i = 0; i < length; i++)
                if (!isalnum((unsigned char)value[i]))
                        return fault(FAULT_BAD_VALUE,
                                     "sn=: character %zu is no letter or digit; gangway target "
                                     "list shows the serials",
                                     i + 1);
        strcpy(choice->serial, value);
        return 0;
}

static int take_index(struct target_choice *choice, const char *value)
{
        choice->has_index = true;
        return options_number("index=", value, TARGET_INDEX_MAX, &choice->index);
}

static int take_clock(struct target_choice *choice, const char *value)
{
        int r = options_number("freq= (kHz)", value, TARGET_CLOCK_MAX_KHZ, &choice->clock_khz);

        if (r == 0 && choice->clock_khz == 0)
                r = fault(FAULT_BAD_VALUE, "freq= is 0, wanted 1 to %u kHz", TARGET_CLOCK_MAX_KHZ);
        return r;
}

static int take_access_port(struct target_choice *choice, const char *value)
{
        choice->has_access_port = true;
        return options_number("ap=", value, TARGET_PORT_MAX, &choice->access_port);
}

static int take_reset(struct target_choice *choice, const char *value)
{
        if (strcasecmp(value, "swrst") == 0)
                choice->reset = TARGET_RESET_SOFTWARE;
        else if (strcasecmp(value, "hwrst") == 0)
                choice->reset = TARGET_RESET_PIN;
        else
                return fault(FAULT_BAD_VALUE,
                             "reset=%.40s, wanted SWrst or HWrst; a core reset leaves the rest of "
                             "the part as it was and is not offered",
                             value);
        return 0;
}

static const struct {
        const char *key;
        int (*take)(struct target_choice *choice, const char *value);
} keys[] = {
        { "port", take_port },   { "mode", take_mode },  { "sn", take_serial },
        { "index", take_index }, { "freq", take_clock }, { "ap", take_access_port },
        { "reset", take_reset },
};

int target_choice_word(void *context, struct options *options)
{
        const char *word = options->value;
        size_t length = strcspn(word, "=");
        int r;

        for (size_t i = 0; i < LENGTH_OF(keys) && word[length]; i++) {
                if (strlen(keys[i].key) != length || strncasecmp(word, keys[i].key, length) != 0)
                        continue;
                r = keys[i].take(context, word + length + 1);
                return r < 0 ? r : 1;
        }
        return 0;
}

int target_choice_connect(void *context, struct options *options)
{
        int r = target_choice_word(context, options);
        const char *word = options->value, *names[LENGTH_OF(keys)], *nearest;
        char key[24];

        if (r != 0)
                return r;
        for (size_t i = 0; i < LENGTH_OF(keys); i++)
                names[i] = keys[i].key;
        snprintf(key, sizeof(key), "%.*s", (int)strcspn(word, "="), word);
        nearest = text_nearest(key, names, sizeof(*names), LENGTH_OF(names));
        return fault(FAULT_BAD_VALUE,
                     "-c %.60s: wanted KEY=VALUE of port, mode, sn, index, freq, ap, reset%s%s%s",
                     word, nearest ? "; did you mean " : "", nearest ? nearest : "",
                     nearest ? "=?" : "");
}
