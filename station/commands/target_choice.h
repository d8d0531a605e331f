/*
 * target_choice.h - which probe and which part a `gangway target` command means, in ST's words.
 *
 * ST's programmer writes `-c port=SWD mode=HOTPLUG sn=0123 freq=8000 ap=1`: words of a key and a
 * value, which may stand anywhere after -c. Nothing here waits.
 */
#pragma once

#include "station/commands/options.h"

#define TARGET_KEYS (OPTIONS_KEYS + 0x100)
enum {
        TARGET_KEY_CONNECT = TARGET_KEYS,
        TARGET_KEY_PATH,
        TARGET_KEY_FAMILY,
        TARGET_KEY_SIMULATED,
        TARGET_KEY_JSON,
        TARGET_KEY_YES,
        TARGET_KEY_RSS,
        TARGET_KEY_RSSE,
};

/* Rows for the table of a command. */
#define TARGET_OPTIONS                                                                             \
        { "connect", "c", true, false, TARGET_KEY_CONNECT },                                       \
                { "port-path", NULL, true, false, TARGET_KEY_PATH },                               \
                { "family", NULL, true, false, TARGET_KEY_FAMILY },                                \
        {                                                                                          \
                "simulated", NULL, true, false, TARGET_KEY_SIMULATED                               \
        }
#define TARGET_JSON_OPTION                                                                         \
        {                                                                                          \
                "json", NULL, false, false, TARGET_KEY_JSON                                        \
        }
#define TARGET_YES_OPTION                                                                          \
        {                                                                                          \
                "yes", "y", false, false, TARGET_KEY_YES                                           \
        }
#define TARGET_RSS_OPTIONS                                                                         \
        { "rss", NULL, true, false, TARGET_KEY_RSS },                                              \
        {                                                                                          \
                "rsse", NULL, true, false, TARGET_KEY_RSSE                                         \
        }

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

void target_choice_init(struct target_choice *choice);

/* One word. 1 when it was of the connection, 0 when it is something else.
 *      -FAULT_BAD_VALUE  a port, mode or number that cannot be; mode other than HOTPLUG */
int target_choice_word(struct target_choice *choice, const char *word) MUST_USE;

/* An option of the table above, or a word of the connection. 1, 0, or a fault as above. */
int target_choice_take(struct target_choice *choice, int key, const char *value) MUST_USE;
