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

static void check_server(const struct settings *settings)
{
        const struct settings_server *server = &settings->license_server;

        if (!server->url[0])
                return;
        INSIST(!strncmp(server->url, "https://", 8) && !strpbrk(server->url, "?# @"));
        INSIST(server->url[8] && server->url[strlen(server->url) - 1] != '/');
        INSIST(server->certificate_file[0] == '/');
        INSIST(text_is_ascii(server->user, sizeof(server->user)));
        INSIST(server->timeout_ms >= 100 && server->timeout_ms <= 600000);
        INSIST(!settings->is_virtual_time);
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
        check_server(settings);
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
