/*
 * A call is a job for the pool: take a client that is free, tell libcurl where and what, perform,
 * judge, wipe, give the client back. There are as many clients as threads, so one is always free,
 * and each is in one thread's hands at a time. A client keeps its TLS session for the next call but
 * not its connection (license_server.h says why).
 *
 * What libcurl reports is told in two kinds: before the request left, nothing was asked; after,
 * the license may have been issued. It calls request_begins() between the two.
 */
#include "station/license_server.h"

#include "scheduler/bytes.h"
#include "scheduler/loop.h"
#include "scheduler/workers.h"
#include "station/license_answer.h"
#include "station/pinned.h"

#include <curl/curl.h>

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS    4u
#define CONNECT_MS 5000u       /* at most, TLS and all */
#define HEADER_MAX (16u << 10) /* bytes of header lines; libcurl itself has no sum */
#define NO_LIMIT   "*"         /* hosts no proxy is used for */
#define PART       "dev_certificate_file"

struct client {
        CURL *curl;
        char error[CURL_ERROR_SIZE];
        uint8_t body[LICENSE_ANSWER_MAX + 1]; /* one more: it was longer */
        size_t length, header_length;
        bool is_asked; /* the request may have left */
        struct client *next;
};

struct license_server {
        const struct settings_server *settings;
        struct workers *workers;
        atomic_bool is_closing;
        struct client clients[CLIENTS];
        pthread_mutex_t lock; /* of `free` */
        struct client *free;
};

struct call {
        struct license_server *server;
        const struct certificate *certificate;
        const char *firmware_id, *type;
        uint8_t *ret_license;
};

/* --- what libcurl calls -------------------------------------------------------------------- */

/* The number of bytes taken; fewer ends the transfer. */
static size_t take_body(char *data, size_t one, size_t length, void *subject)
{
        struct client *client = subject;
        size_t room = sizeof(client->body) - client->length;
        size_t taken = length < room ? length : room;

        (void)one; /* always 1 */
        memcpy(client->body + client->length, data, taken);
        client->length += taken;
        return client->length > LICENSE_ANSWER_MAX ? 0 : taken;
}

static size_t count_header(char *data, size_t one, size_t length, void *subject)
{
        struct client *client = subject;

        (void)data, (void)one;
        client->header_length += length;
        return client->header_length > HEADER_MAX ? 0 : length;
}

/* The server is the right one, the request goes out next. */
static int request_begins(void *subject, char *remote, char *local, int remote_port, int local_port)
{
        struct client *client = subject;

        (void)remote, (void)local, (void)remote_port, (void)local_port;
        client->is_asked = true;
        return CURL_PREREQFUNC_OK;
}

/* --- a client ------------------------------------------------------------------------------ */

#define SET(option, value)                                                                         \
        (is_set = curl_easy_setopt(client->curl, (option), (value)) == CURLE_OK && is_set)

/* Who is believed, and what must not happen. */
static bool set_trust(const struct client *client, const struct pinned *pinned)
{
        struct curl_blob authority = { pinned->pem.data, pinned->pem.length, CURL_BLOB_COPY };
        bool is_set = true;

        SET(CURLOPT_PROTOCOLS_STR, "https");
        SET(CURLOPT_CAINFO_BLOB, &authority);
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_PINNEDPUBLICKEY, pinned->key_hash);
        SET(CURLOPT_SSL_VERIFYPEER, 1L);
        SET(CURLOPT_SSL_VERIFYHOST, 2L);
        SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_PROXY, ""); /* nor any from the environment */
        SET(CURLOPT_NOPROXY, NO_LIMIT);
        SET(CURLOPT_FOLLOWLOCATION, 0L);
        SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        SET(CURLOPT_VERBOSE, 0L);
        return is_set;
}

static bool set_manner(struct client *client, const struct settings_server *settings)
{
        unsigned total = settings->timeout_ms;
        bool is_set = true;

        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
        SET(CURLOPT_PATH_AS_IS, 1L);
        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs has no more time than others */
        SET(CURLOPT_TIMEOUT_MS, (long)total);
        SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(total < CONNECT_MS ? total : CONNECT_MS));
        SET(CURLOPT_USERAGENT, "gangway/" GANGWAY_VERSION);
        SET(CURLOPT_ERRORBUFFER, client->error);
        SET(CURLOPT_WRITEFUNCTION, take_body);
        SET(CURLOPT_WRITEDATA, client);
        SET(CURLOPT_HEADERFUNCTION, count_header);
        SET(CURLOPT_HEADERDATA, client);
        SET(CURLOPT_PREREQFUNCTION, request_begins);
        SET(CURLOPT_PREREQDATA, client);
        return is_set;
}
#undef SET

static int client_init(struct client *client, const struct settings_server *settings,
                       const struct pinned *pinned)
{
        client->curl = curl_easy_init();
        INSIST(client->curl);
        if (set_trust(client, pinned) && set_manner(client, settings))
                return 0;
        return fault(FAULT_SYSTEM,
                     "%s cannot pin the certificate of a license server; use libcurl 7.87 or "
                     "later, built with OpenSSL",
                     curl_version());
}

static struct client *client_take(struct license_server *server)
{
        struct client *client;

        pthread_mutex_lock(&server->lock);
        client = server->free;
        INSIST(client); /* as many as threads */
        server->free = client->next;
        pthread_mutex_unlock(&server->lock);
        return client;
}

static void client_give(struct license_server *server, struct client *client)
{
        pthread_mutex_lock(&server->lock);
        client->next = server->free;
        server->free = client;
        pthread_mutex_unlock(&server->lock);
}

/* --- a call -------------------------------------------------------------------------------- */

static char *escaped(const char *text)
{
        char *escaped = curl_easy_escape(NULL, text, 0);

        INSIST(escaped);
        return escaped;
}

static void set_url(const struct client *client, const struct call *call)
{
        char *firmware_id = escaped(call->firmware_id), *url;
        char *user = escaped(call->server->settings->user);
        char type[8] = "";
        int length;

        for (size_t i = 0; call->type[i] && i + 1 < sizeof(type); i++)
                type[i] = (char)tolower((uint8_t)call->type[i]);
        length = asprintf(&url, "%s/fw/%s/%s/get/license?user=%s", call->server->settings->url,
                          type, firmware_id, user);
        INSIST(length > 0);
        /* copied; fails for want of memory only, or is told by the transfer */
        (void)curl_easy_setopt(client->curl, CURLOPT_URL, url);
        free(url);
        curl_free(firmware_id);
        curl_free(user);
}

static curl_mime *form_of(const struct client *client, const struct certificate *certificate)
{
        curl_mime *form = curl_mime_init(client->curl);
        curl_mimepart *part = form ? curl_mime_addpart(form) : NULL;

        INSIST(part);
        INSIST(curl_mime_name(part, PART) == CURLE_OK);
        INSIST(curl_mime_filename(part, "certificate.bin") == CURLE_OK);
        INSIST(curl_mime_type(part, "application/octet-stream") == CURLE_OK);
        INSIST(curl_mime_data(part, (const char *)certificate->bytes, CERTIFICATE_LENGTH) ==
               CURLE_OK);
        return form;
}

/* The call ended without a whole answer. */
static int broken_off(const struct client *client, const struct call *call, CURLcode code)
{
        const struct settings_server *settings = call->server->settings;
        const char *said = client->error[0] ? client->error : curl_easy_strerror(code);
        const char *state =
                client->is_asked ? "a license may have been issued" : "nothing was asked";

        switch ((int)code) {
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
                return fault(
                        FAULT_SERVER,
                        "it does not prove to be the server of certificate_file %.100s (%.120s); "
                        "%s; find out who answers there before the file is changed",
                        settings->certificate_file, said, state);
        case CURLE_OPERATION_TIMEDOUT:
                return fault(FAULT_SERVER, "no answer in time, timeout_ms is %u (%.120s); %s",
                             settings->timeout_ms, said, state);
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
                return fault(FAULT_SERVER,
                             "it cannot be reached (%.120s); %s; is the network up, and url right?",
                             said, state);
        default: /* libcurl's numbers, not an enum of ours */
                return fault(FAULT_SERVER, "the connection failed (%.120s); %s", said, state);
        }
}

static int judge(const struct client *client, const struct call *call, CURLcode code)
{
        long status = 0;
        bool is_whole = code == CURLE_OK || client->length > LICENSE_ANSWER_MAX;

        (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status); /* 0 without one */
        /* a refusal stands, however its text ended */
        if (is_whole || status / 100 == 4)
                return license_answer_read((unsigned)status, client->body, client->length,
                                           call->type, call->ret_license);
        return broken_off(client, call, code);
}

static int client_ask(struct client *client, const struct call *call)
{
        curl_mime *form = form_of(client, call->certificate);
        CURLcode code;
        int r;

        client->length = client->header_length = 0;
        client->is_asked = false;
        client->error[0] = '\0';
        set_url(client, call);
        (void)curl_easy_setopt(client->curl, CURLOPT_MIMEPOST, form);
        code = curl_easy_perform(client->curl);
        r = judge(client, call, code);
        (void)curl_easy_setopt(client->curl, CURLOPT_MIMEPOST, NULL);
        curl_mime_free(form);
        wipe(client->body, sizeof(client->body));
        return fault_prefix(r, "license server %.100s", call->server->settings->url);
}

static int call_run(void *argument)
{
        const struct call *call = argument;
        struct client *client;
        int r;

        if (atomic_load(&call->server->is_closing))
                return fault(FAULT_CANCELLED,
                             "license server %.100s: nothing was asked, the station is closing",
                             call->server->settings->url);
        client = client_take(call->server);
        r = client_ask(client, call);
        client_give(call->server, client);
        return r;
}

/* --- the server ---------------------------------------------------------------------------- */

static int fill(struct license_server *server)
{
        CLEANUP(pinned_free) struct pinned pinned = { 0 };
        int r = pinned_load(server->settings->certificate_file, &pinned);

        if (r < 0)
                return fault_prefix(r, "certificate_file of the license server");
        for (unsigned i = 0; i < CLIENTS; i++) {
                r = client_init(&server->clients[i], server->settings, &pinned);
                if (r < 0)
                        return r;
                client_give(server, &server->clients[i]);
        }
        return workers_create("licenses", CLIENTS, NULL, &server->workers);
}

int license_server_open(const struct settings_server *settings, struct license_server **ret_server)
{
        struct license_server *server;
        int r;

        if (loop_is_virtual())
                return fault(FAULT_BAD_VALUE, "a license server has no place under virtual time");
        /* libcurl would write the keys of every TLS session to the file it names */
        INSIST(unsetenv("SSLKEYLOGFILE") == 0);
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return fault(FAULT_SYSTEM, "%s does not start", curl_version());
        server = calloc(1, sizeof(*server));
        INSIST(server);
        server->settings = settings;
        INSIST(pthread_mutex_init(&server->lock, NULL) == 0);
        r = fill(server);
        if (r < 0) {
                (void)license_server_close(server);
                return r;
        }
        *ret_server = server;
        return 0;
}

struct license_server *license_server_close(struct license_server *server)
{
        if (!server)
                return NULL;
        atomic_store(&server->is_closing, true);
        server->workers = workers_destroy(server->workers);
        for (unsigned i = 0; i < CLIENTS; i++)
                curl_easy_cleanup(server->clients[i].curl); /* NULL is fine */
        pthread_mutex_destroy(&server->lock);
        free(server);
        curl_global_cleanup();
        return NULL;
}

int license_server_ask(struct license_server *server, const struct certificate *certificate,
                       const char *firmware_id, const char *type,
                       uint8_t ret_license[static LICENSE_LENGTH])
{
        struct call call = { server, certificate, firmware_id, type, ret_license };

        if (!firmware_id[0] || !strcmp(firmware_id, ".") || !strcmp(firmware_id, ".."))
                return fault(FAULT_BAD_VALUE,
                             "the firmware identifier \"%s\" cannot stand in the address of a "
                             "license; seal the image with another",
                             firmware_id);
        return workers_run(server->workers, call_run, &call);
}
