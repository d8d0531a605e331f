/*
 * receipt.c - a receipt from somebody else, as it is; and its lines once more under a chain made for
 * them, since no mutation gets past SHA-256. What is accepted adds up, and is refused again when its
 * last byte is gone.
 */
#include "tests/support/fuzz.h"

#include "station/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *text, size_t length)
{
        struct receipt_facts facts;
        unsigned record;

        if (receipt_check(text, length, &facts, &record) < 0)
                return;
        INSIST(record == 0 && facts.records >= 2);
        INSIST(facts.balance.issued ==
               facts.balance.installed + facts.balance.in_hand + facts.balance.lost);
        INSIST(receipt_check(text, length - 1, &facts, &record) == -FAULT_BAD_TAG);
        INSIST(record > 0);
}

/* The lines, without whatever digits they open with, under digits that fit. */
static void check_chained(const char *at, size_t length)
{
        const char *end = at + length;
        char hash[RECEIPT_HASH_TEXT] = "", *text = NULL;
        size_t text_length = 0;
        FILE *out = open_memstream(&text, &text_length);

        INSIST(out);
        memset(hash, '0', sizeof(hash) - 1);
        while (at < end) {
                const char *stop = memchr(at, '\n', (size_t)(end - at)), *json;

                if (!stop)
                        stop = end;
                json = memchr(at, '{', (size_t)(stop - at));
                if (!json)
                        json = at;
                receipt_link(hash, json, (size_t)(stop - json), hash);
                fprintf(out, "%s ", hash);
                fwrite(json, 1, (size_t)(stop - json), out);
                fputc('\n', out);
                at = stop + 1;
        }
        INSIST(fclose(out) == 0);
        check(text, text_length);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        check((const char *)data, length);
        check_chained((const char *)data, length);
        return 0;
}
