/*
 * settings_server.c - the station file's group `license_server`: libcurl reads the address here, as it
 * will when it is used.
 */
#include "station/settings_parts.h"

#include <curl/curl.h>
#include <string.h>

/* One part of an address is there; libcurl reads the address, as it will when it is used. */
static bool has_part(CURLU *address, CURLUPart part)
{
        char *text = NULL;
        bool is_there = curl_url_get(address, part, &text, 0) == CURLUE_OK && text[0];

        curl_free(text);
        return is_there;
}

/* "https://licenses.example:8443/gangway": no name and password, no query, and the scheme in full,
 * for libcurl would guess one, and take a third slash for a slip. */
static bool is_https(const char *text)
{
        CURLU *address;
        bool is_good;

        if (strncmp(text, "https://", 8) != 0 || text[8] == '/')
                return false;
        address = curl_url();
        INSIST(address);
        is_good = curl_url_set(address, CURLUPART_URL, text, 0) == CURLUE_OK &&
                  has_part(address, CURLUPART_HOST) && !has_part(address, CURLUPART_USER) &&
                  !has_part(address, CURLUPART_PASSWORD) && !strpbrk(text, "?#");
        curl_url_cleanup(address);
        return is_good;
}

static int server_url_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        static const struct key key = {
                .name = "url", .kind = KIND_ASCII, .low = 1, .high = 256, .wanted = "an address"
        };
        struct settings_server *server = group;
        size_t length;
        int r;

        r = tree_read(tree, &key, setting, server->url);
        if (r < 0)
                return r;
        length = strlen(server->url);
        while (length && server->url[length - 1] == '/')
                server->url[--length] = '\0';
        if (!is_https(server->url))
                return tree_refuse(tree, tree_line(setting),
                                   "url is \"%s\", wanted https:// with a host as "
                                   "\"https://licenses.example:8443\", without user, query and "
                                   "fragment",
                                   config_setting_get_string(setting));
        return 0;
}

int settings_read_server(struct tree *tree, const config_setting_t *setting, void *group)
{
#define PLACE(member) offsetof(struct settings_server, member)
        static const struct key keys[] = {
                { "url", KIND_OTHER, 0, 0, 0, "\"https://HOST:PORT\"", server_url_read, true },
                { "certificate_file", KIND_PATH, PLACE(certificate_file), 1, 256,
                  "the server's certificate, PEM", NULL, true },
                { "user", KIND_ASCII, PLACE(user), 1, 64,
                  "this station's name for the server, printable ASCII", NULL, true },
                { "timeout_ms", KIND_UNSIGNED, PLACE(timeout_ms), 100, 600000, "milliseconds", NULL,
                  false },
        };
#undef PLACE
        struct settings *settings = group;

        return tree_read_group(tree, setting, keys, LENGTH_OF(keys), &settings->license_server);
}
