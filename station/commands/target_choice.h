/*
 * target_choice.h - which probe and which part a `gangway target` command means, in ST's words.
 *
 * ST's programmer writes `-c port=SWD mode=HOTPLUG sn=0123 freq=8000 ap=1`: words of a key and a
 * value, which may stand anywhere after -c. Nothing here waits.
 */
#pragma once

#include "station/commands/options.h"

/* clang-format off */
/* What a choice is before anything was read. */
#define TARGET_CHOICE { .clock_khz = TARGET_CLOCK_KHZ }

/* Rows of a command for it, before its own: words of the connection are for these. */
#define TARGET_ARGUMENTS(choice)                                                \
        { "connect", "c", .take = target_choice_connect, .context = (choice) }, \
        { .take = target_choice_word, .context = (choice) },                    \
        { "port-path", .text = &(choice)->path },                               \
        { "family", .text = &(choice)->family },                                \
        { "simulated", .text = &(choice)->simulated }

/* And for the RSS. */
#define TARGET_RSS_ARGUMENTS(choice)       \
        { "rss", .text = &(choice)->rss }, \
        { "rsse", .text = &(choice)->rsse }
/* clang-format on */

#define TARGET_USAGE "[-c port=SWD ...]\n"
#define TARGET_HELP                                                                                \
        "  -c port=SWD ...     ST's words: mode=HOTPLUG sn=SERIAL index=N freq=KHZ ap=N\n"         \
        "  --port-path PATH    the probe at this USB port, as 1-4.2\n"                             \
        "  --family NAME       instead of the device id's: configs/targets/NAME.conf\n"            \
        "  --simulated WHAT    a SIMULATED part: a family, or a folder to keep it in\n"
#define TARGET_RSS_HELP                                                                            \
        "  --rss NAME          RSS profile: its name or path (default: of the family)\n"           \
        "  -rsse FILE          RSSe, where one is wanted (default: of the profile)\n"

#define TARGET_CLOCK_KHZ     4000u /* ST's default with an ST-LINK/V2 */
#define TARGET_CLOCK_MAX_KHZ 24000u
#define TARGET_INDEX_MAX     127u
#define TARGET_PORT_MAX      255u /* ADIv5: APSEL has eight bits */

enum target_reset_way { TARGET_RESET_SOFTWARE, TARGET_RESET_PIN };

struct target_choice {
        char serial[64]; /* sn=; "": not given */
        bool has_index;
        uint32_t index;
        uint32_t clock_khz;
        bool has_access_port;
        uint32_t access_port;
        enum target_reset_way reset;
        /* borrowed from the command line; NULL: not given */
        const char *path, *family, *simulated, *rss, *rsse;
        bool is_json, is_sure;
};

/* What follows -c, and a word anywhere, into the choice that is the context. A word that is not of the
 * connection is another row's; behind -c it is a mistake.
 *      -FAULT_BAD_VALUE  a port, mode or number that cannot be; mode other than HOTPLUG */
argument_function target_choice_connect, target_choice_word;
