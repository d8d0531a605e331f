#include "station/commands/line_fetch.h"

#include "scheduler/bytes.h"
#include "web-status/web.h"

#include <curl/curl.h>
#include <stdlib.h>

#define URL_MAX        512u
#define BODY_MAX       (4u << 20)
#define TIMEOUT_MS     5000L
#define CONNECT_MS     2000L
#define PATH           "/status.json"
#define LOCAL_NO_PROXY "localhost,127.0.0.1,::1"

struct line_source {
        CURL *curl;
        char url[URL_MAX + sizeof(PATH)];
        char error[CURL_ERROR_SIZE];
        char *body;
        size_t length, capacity;
};

/* curl's shape: the number of bytes taken; fewer ends the transfer. */
static size_t take_body(char *data, size_t one, size_t length, void *subject)
{
        struct line_source *source = subject;

        (void)one; /* always 1 */
        if (length > BODY_MAX - source->length)
                return 0;
        if (source->length + length + 1 > source->capacity) {
                source->capacity = 2 * (source->length + length + 1);
                source->body = realloc(source->body, source->capacity);
                INSIST(source->body);
        }
        memcpy(source->body + source->length, data, length);
        source->length += length;
        source->body[source->length] = '\0';
        return length;
}

int line_source_open(const char *url, struct line_source **ret_source)
{
        struct line_source *source;
        size_t length = strlen(url);

        while (length && url[length - 1] == '/')
                length--;
        if (!length || length > URL_MAX)
                return fault(FAULT_BAD_VALUE, "--url wants an address like %s", LINE_URL_DEFAULT);
        source = calloc(1, sizeof(*source));
        INSIST(source);
        memcpy(source->url, url, length);
        memcpy(source->url + length, PATH, sizeof(PATH));
        source->curl = curl_easy_init();
        INSIST(source->curl);
        /* Options fail only for want of memory or of a feature; the transfer then tells. */
        (void)curl_easy_setopt(source->curl, CURLOPT_URL, source->url);
        (void)curl_easy_setopt(source->curl, CURLOPT_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(source->curl, CURLOPT_NOPROXY, LOCAL_NO_PROXY);
        (void)curl_easy_setopt(source->curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(source->curl, CURLOPT_FAILONERROR, 1L);
        (void)curl_easy_setopt(source->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
        (void)curl_easy_setopt(source->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
        (void)curl_easy_setopt(source->curl, CURLOPT_ERRORBUFFER, source->error);
        (void)curl_easy_setopt(source->curl, CURLOPT_WRITEFUNCTION, take_body);
        (void)curl_easy_setopt(source->curl, CURLOPT_WRITEDATA, source);
        *ret_source = source;
        return 0;
}

struct line_source *line_source_close(struct line_source *source)
{
        if (!source)
                return NULL;
        curl_easy_cleanup(source->curl);
        free(source->body);
        free(source);
        return NULL;
}

int line_fetch(struct line_source *source, struct snapshot *ret_snapshot, const char **ret_json)
{
        CURLcode code;

        source->length = 0;
        source->error[0] = '\0';
        code = curl_easy_perform(source->curl);
        if (code == CURLE_HTTP_RETURNED_ERROR || code == CURLE_WRITE_ERROR)
                return fault(FAULT_BAD_FILE, "%s is not a station's page: %s", source->url,
                             source->error[0] ? source->error : curl_easy_strerror(code));
        if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
                return fault(FAULT_BAD_VALUE, "--url wants an address like %s, not %.100s",
                             LINE_URL_DEFAULT, source->url);
        if (code != CURLE_OK)
                return fault(FAULT_TIMEOUT,
                             "no station answers at %s: %s; is gangwayd running, and web_address "
                             "in its station file this one?",
                             source->url,
                             source->error[0] ? source->error : curl_easy_strerror(code));
        if (ret_json)
                *ret_json = source->body ? source->body : "";
        return snapshot_parse(source->body ? source->body : "", source->length, ret_snapshot);
}
