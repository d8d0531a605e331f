/*
 * page.c - the page, part of the program, and what it is allowed to do in a browser.
 *
 * page.html is taken in whole by the assembler. Its one script and its one style sheet are inline,
 * so that a page is one request and a copy of the file can be opened for looking at; the policy
 * names them by hash (CSP Level 3 section 6.7.3), worked out here at start, so it cannot go stale.
 */
#include "web-status/page.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

__asm__(".pushsection .rodata\n"
        ".hidden gangway_page_start\n"
        ".globl gangway_page_start\n"
        "gangway_page_start:\n"
        ".incbin \"web-status/page.html\"\n"
        ".byte 0\n"
        ".popsection\n");

extern const char gangway_page_start[]; /* ends with a zero byte */

#define DIGEST_LENGTH 32u
#define BASE64_LENGTH (4u * ((DIGEST_LENGTH + 2u) / 3u))

/* The SHA-256 of what stands between `open` and `close`, in base 64. */
static int hash_between(const char *open, const char *close, char hash[static BASE64_LENGTH + 1])
{
        const char *from = strstr(gangway_page_start, open);
        const char *to = from ? strstr(from, close) : NULL;
        unsigned char digest[DIGEST_LENGTH];

        if (!from || !to)
                return fault(FAULT_SYSTEM, "the page lacks %s ... %s", open, close);
        from += strlen(open);
        if (EVP_Digest(from, (size_t)(to - from), digest, NULL, EVP_sha256(), NULL) != 1)
                return fault(FAULT_SYSTEM, "SHA-256 is not available");
        EVP_EncodeBlock((unsigned char *)hash, digest, sizeof(digest));
        return 0;
}

int page_open(struct page *ret_page)
{
        struct page page = { .html = gangway_page_start, .length = strlen(gangway_page_start) };
        char script[BASE64_LENGTH + 1], style[BASE64_LENGTH + 1];
        int r = hash_between("<script>", "</script>", script);

        if (r < 0)
                return r;
        r = hash_between("<style>", "</style>", style);
        if (r < 0)
                return r;
        snprintf(page.policy, sizeof(page.policy),
                 "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; "
                 "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                 "frame-ancestors 'none'; require-trusted-types-for 'script'",
                 script, style);
        *ret_page = page;
        return 0;
}
