/*
 * Station files from anyone: taken with every value in range, or refused with file and line.
 */
#include "station/settings.h"

#include "station/text.h"
#include "tests/support/fuzz.h"

#include <string.h>

/* libconfig 1.5 loses a text it has read ahead when it then stops at a syntax error (name "x";).
 * The station exits on such a file; every other leak is a finding. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
        return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static void check_taken(const struct settings *settings)
{
        INSIST(text_is_name(settings->station, sizeof(settings->station)));
        INSIST(settings->site_count >= 1 && settings->site_count <= SETTINGS_SITES_MAX);
        INSIST(settings->workers <= SETTINGS_WORKERS_MAX);
        INSIST((settings->hardware == HARDWARE_USB) == (settings->reader_count > 0));
        INSIST(settings->family_file[0] == '/' && settings->orders_directory[0] == '/');
        INSIST(!settings->is_virtual_time ||
               (settings->hardware == HARDWARE_SIMULATED && settings->seed));
        for (unsigned i = 0; i < settings->site_count; i++)
                INSIST(settings->sites[i].name[0] && settings->sites[i].path[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static struct settings settings;
        int r = settings_parse("/etc/gangway/line.conf", data, length, &settings);

        if (r == 0)
                check_taken(&settings);
        else
                INSIST(!strncmp(fault_sentence(r), "/etc/gangway/line.conf:", 23));
        return 0;
}
