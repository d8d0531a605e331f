/*
 * http.c - what a stranger can put into a request, past the library that reads the bytes.
 *
 * The input is lines: the address the server is bound to, then method, path, Host, Origin,
 * X-Gangway, Content-Length, Transfer-Encoding; a line that is missing is a header that was not
 * sent. A verb is let through only as the rules have it, whatever the rest looks like.
 */
#include "tests/support/fuzz.h"
#include "web-status/request.h"

#include <stdlib.h>
#include <string.h>

enum { BOUND, METHOD, PATH, HOST, ORIGIN, GANGWAY, LENGTH, ENCODING, LINES };

static void check_answer(const struct address *server, const struct request *request)
{
        struct request_answer answer;
        unsigned status = request_check(server, request, &answer);

        if (status != 200) {
                INSIST(answer.sentence && status >= 400 && status < 500);
                return;
        }
        INSIST(address_is_named(server, request->host));
        INSIST(!request->origin || strstr(request->origin, request->host) ||
               strcasestr(request->origin, request->host));
        if (strcmp(request->method, "POST") != 0) {
                INSIST(answer.kind != REQUEST_CLEAR_SITE && answer.kind != REQUEST_STOP_LOT);
                return;
        }
        INSIST(strcmp(request->gangway, "1") == 0 && !request->transfer_encoding);
        if (answer.kind == REQUEST_CLEAR_SITE) {
                INSIST(answer.site[0] && memchr(answer.site, '\0', sizeof(answer.site)));
                for (const char *c = answer.site; *c; c++)
                        INSIST(*c >= ' ' && *c <= '~' && *c != '/');
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        char *text = calloc(1, length + 1), *rest = text, *lines[LINES] = { NULL };
        char shown[ADDRESS_TEXT_MAX];
        struct address server, again;

        INSIST(text);
        memcpy(text, data, length);
        for (unsigned i = 0; i < LINES && rest; i++)
                lines[i] = strsep(&rest, "\n");
        if (address_parse(lines[BOUND], &server) == 0 && lines[METHOD] && lines[PATH]) {
                const struct request request = {
                        .method = lines[METHOD],
                        .path = lines[PATH],
                        .host = lines[HOST],
                        .origin = lines[ORIGIN] && *lines[ORIGIN] ? lines[ORIGIN] : NULL,
                        .gangway = lines[GANGWAY],
                        .content_length = lines[LENGTH] && *lines[LENGTH] ? lines[LENGTH] : NULL,
                        .transfer_encoding = lines[ENCODING],
                        .header_length = length,
                };

                INSIST(address_parse(address_text(&server, shown), &again) == 0);
                check_answer(&server, &request);
        }
        free(text);
        return 0;
}
