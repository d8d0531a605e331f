/*
 * request.c - is this a request we answer, and which?
 *
 * In this order: size, whom it was meant for (Host), who sent it (Origin), the path, the verb, and
 * for verbs that change something the header that no foreign page can set without asking first (a
 * custom header makes a browser send a preflight request, which we refuse: Fetch standard,
 * "CORS-preflight fetch"). A stranger learns nothing about paths.
 */
#include "web-status/request.h"

#include <string.h>
#include <strings.h>

#define HEADER_MAX 8192u
#define BODY_MAX   1024u

static const struct {
        const char *path;
        enum request_kind kind;
        bool changes; /* POST; the others GET and HEAD */
} fixed_paths[] = {
        { "/", REQUEST_PAGE, false },
        { "/status.json", REQUEST_STATUS, false },
        { "/events", REQUEST_EVENTS, false },
        { "/health", REQUEST_HEALTH, false },
        { "/lot/stop", REQUEST_STOP_LOT, true },
};

static unsigned refuse(struct request_answer *answer, unsigned status, const char *sentence)
{
        answer->sentence = sentence;
        return status;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "left%203" up to `end` into `name`. Printable ASCII only, never a slash; false when it does not
 * fit or is empty. */
static bool name_decode(const char *from, const char *end, char *name, size_t capacity)
{
        size_t length = 0;

        while (from < end) {
                int c = (unsigned char)*from++;

                if (c == '%') {
                        int high = end - from >= 2 ? hex_digit(from[0]) : -1;
                        int low = high >= 0 ? hex_digit(from[1]) : -1;

                        if (low < 0)
                                return false;
                        c = high << 4 | low;
                        from += 2;
                }
                if (c < ' ' || c > '~' || c == '/' || length + 1 >= capacity)
                        return false;
                name[length++] = (char)c;
        }
        name[length] = '\0';
        return length > 0;
}

/* "/sites/NAME/clear" */
static bool site_path(const char *path, char *site, size_t capacity)
{
        static const char head[] = "/sites/", tail[] = "/clear";
        size_t length = strlen(path);

        if (length < sizeof(head) + sizeof(tail) - 2 ||
            strncmp(path, head, sizeof(head) - 1) != 0 ||
            strcmp(path + length - (sizeof(tail) - 1), tail) != 0)
                return false;
        return name_decode(path + sizeof(head) - 1, path + length - (sizeof(tail) - 1), site,
                           capacity);
}

static bool path_find(const char *path, struct request_answer *answer, bool *ret_changes)
{
        for (size_t i = 0; i < LENGTH_OF(fixed_paths); i++)
                if (strcmp(path, fixed_paths[i].path) == 0) {
                        answer->kind = fixed_paths[i].kind;
                        *ret_changes = fixed_paths[i].changes;
                        return true;
                }
        if (!site_path(path, answer->site, sizeof(answer->site)))
                return false;
        answer->kind = REQUEST_CLEAR_SITE;
        *ret_changes = true;
        return true;
}

/* No request needs a body; one that is announced and small is taken and ignored. */
static unsigned body_check(const struct request *request, struct request_answer *answer)
{
        const char *digits = request->content_length;
        unsigned long length = 0;

        if (request->transfer_encoding)
                return refuse(answer, 411, "say the length of the body in Content-Length");
        if (!digits)
                return 200;
        if (!*digits)
                return refuse(answer, 400, "Content-Length is not a number");
        for (; *digits; digits++) {
                if (*digits < '0' || *digits > '9')
                        return refuse(answer, 400, "Content-Length is not a number");
                length = length * 10 + (unsigned long)(*digits - '0');
                if (length > BODY_MAX)
                        return refuse(answer, 413, "the body is longer than 1024 bytes");
        }
        return 200;
}

/* Ours are http://HOST with the Host of the same request; "null" and other schemes are foreign. */
static bool origin_is_ours(const struct address *server, const struct request *request)
{
        static const char scheme[] = "http://";

        if (!request->origin)
                return true;
        return strncasecmp(request->origin, scheme, sizeof(scheme) - 1) == 0 &&
               address_is_named(server, request->origin + sizeof(scheme) - 1) &&
               strcasecmp(request->origin + sizeof(scheme) - 1, request->host) == 0;
}

static bool verb_is_right(const char *method, bool changes)
{
        if (changes)
                return strcmp(method, "POST") == 0;
        return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

unsigned request_check(const struct address *server, const struct request *request,
                       struct request_answer *ret_answer)
{
        struct request_answer answer = { .kind = REQUEST_PAGE };
        bool changes = false;
        unsigned status;

        if (request->header_length > HEADER_MAX)
                status = refuse(&answer, 431, "the headers are longer than 8192 bytes");
        else if (!request->host)
                status = refuse(&answer, 400, "the header Host is missing");
        else if (!address_is_named(server, request->host))
                status = refuse(&answer, 403,
                                "the header Host does not name this station; use its address "
                                "in numbers, localhost, or its host name");
        else if (!origin_is_ours(server, request))
                status = refuse(&answer, 403, "the request comes from a foreign page");
        else if (!path_find(request->path, &answer, &changes))
                status = refuse(&answer, 404, "there is nothing under this path");
        else if (!verb_is_right(request->method, changes)) {
                answer.allow = changes ? "POST" : "GET, HEAD";
                status = refuse(&answer, 405, "this path does not know this verb");
        } else if (changes && (!request->gangway || strcmp(request->gangway, "1") != 0))
                status = refuse(&answer, 403, "the header \"X-Gangway: 1\" is missing");
        else
                status = body_check(request, &answer);
        *ret_answer = answer;
        return status;
}
