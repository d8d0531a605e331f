/*
 * nonce_export.c - an export from another machine, text or JSON. What is accepted must write and
 * read back the same, in both forms, and can be searched for clashes.
 */
#include "tests/support/fuzz.h"

#include "station/nonce_export.h"

#include <stdlib.h>
#include <string.h>

static void expect_same(const struct nonce_list *list, const void *data, size_t length)
{
        struct bytes first CLEANUP(bytes_free) = nonce_export_text(list);
        struct bytes second CLEANUP(bytes_free) = { 0 };
        struct nonce_list again CLEANUP(nonce_list_free) = { 0 };

        INSIST(nonce_export_parse("again", data, length, &again) == 0);
        second = nonce_export_text(&again);
        INSIST(first.length == second.length);
        INSIST(memcmp(first.data, second.data, first.length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        struct bytes text CLEANUP(bytes_free) = { 0 };
        size_t *clashes = NULL;
        json_t *object;
        char *json;

        if (nonce_export_parse("fuzz", data, length, &list) < 0) {
                INSIST(!list.uses && !list.seen && !list.count);
                return 0;
        }
        text = nonce_export_text(&list);
        expect_same(&list, text.data, text.length);
        object = nonce_export_json(&list);
        json = json_dumps(object, 0);
        INSIST(json);
        expect_same(&list, json, strlen(json));
        free(json);
        json_decref(object);
        if (list.count < 64)
                (void)!nonce_list_clashes(&list, &clashes); /* a refusal is an answer too */
        free(clashes);
        return 0;
}
