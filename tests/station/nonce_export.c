#include "tests/support/test.h"

#include "station/nonce_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BE      SFI_IV_BIG_ENDIAN
#define LAST_LE SFI_IV_LAST_WORD_LE
#define LAST_BE SFI_IV_LAST_WORD_BE

#define NOW 1785499200 /* 2026-07-31T12:00:00Z */

static struct nonce_range range_of(const char *hex, enum sfi_iv_policy policy, uint32_t areas)
{
        struct nonce_range range = { .policy = policy, .areas = areas };

        assert_true(hex_decode(hex, range.nonce, sizeof(range.nonce)));
        return range;
}

/* Image `content` by this nonce under key `key`. */
static struct nonce_use use_of(const char *hex, enum sfi_iv_policy policy, uint32_t areas,
                               unsigned content, unsigned key)
{
        struct nonce_use use = { .reserved_s = NOW, .confirmed_s = -1 };

        use.range = range_of(hex, policy, areas);
        snprintf(use.key, sizeof(use.key), "%032x", key);
        snprintf(use.digest, sizeof(use.digest), "%064x", content);
        snprintf(use.name, sizeof(use.name), "image-%u.sfi", content);
        snprintf(use.host, sizeof(use.host), "bench");
        return use;
}

#define N1 "00112233445566778899AA00"

/* --- exports ------------------------------------------------------------------------------- */

static void add(struct nonce_list *list, struct nonce_use use)
{
        const char *previous = list->count ? list->uses[list->count - 1].link : "";

        memcpy(use.origin, list->ledger, sizeof(use.origin));
        nonce_use_link(previous, &use, use.link);
        assert_int_equal(nonce_list_add(list, &use), 0);
}

static void see(struct nonce_list *list, unsigned key, int64_t uses)
{
        struct nonce_seen seen = { .uses = uses };

        memcpy(seen.ledger, list->ledger, sizeof(seen.ledger));
        snprintf(seen.key, sizeof(seen.key), "%032x", key);
        assert_int_equal(nonce_list_see(list, &seen), 0);
}

static struct nonce_list example(void)
{
        struct nonce_use confirmed = use_of(N1, BE, 3, 1, 1);
        struct nonce_list list = { .ledger = "00112233445566778899aabbccddeeff" };

        confirmed.confirmed_s = NOW + 1;
        add(&list, confirmed);
        add(&list, use_of(N1, LAST_LE, 0, 2, 2));
        add(&list, use_of("00112233445566778899AB00", LAST_BE, 65535, 3, 1));
        see(&list, 1, 2);
        see(&list, 2, 1);
        return list;
}

static void assert_same_list(const struct nonce_list *a, const struct nonce_list *b)
{
        struct bytes left = nonce_export_text(a), right = nonce_export_text(b);

        assert_int_equal(left.length, right.length);
        assert_memory_equal(left.data, right.data, left.length);
        bytes_free(&left);
        bytes_free(&right);
}

static void an_export_reads_back_as_text_and_as_json(void **state)
{
        struct nonce_list list = example(), again;
        struct bytes text = nonce_export_text(&list);
        json_t *object = nonce_export_json(&list);
        char *json = json_dumps(object, JSON_INDENT(1));

        (void)state;
        assert_int_equal(nonce_export_parse("x", text.data, text.length, &again), 0);
        assert_same_list(&list, &again);
        nonce_list_free(&again);
        assert_int_equal(nonce_export_parse("x", json, strlen(json), &again), 0);
        assert_same_list(&list, &again);
        nonce_list_free(&again);
        free(json);
        json_decref(object);
        bytes_free(&text);
        nonce_list_free(&list);
}

static void every_changed_byte_of_an_export_is_noticed(void **state)
{
        struct nonce_list list = example(), again;
        struct bytes text = nonce_export_text(&list);

        (void)state;
        for (size_t i = 0; i < text.length; i++) {
                text.data[i] ^= 1;
                assert_true(nonce_export_parse("x", text.data, text.length, &again) < 0);
                text.data[i] ^= 1;
        }
        for (size_t length = 0; length < text.length; length++)
                assert_true(nonce_export_parse("x", text.data, length, &again) < 0);
        bytes_free(&text);
        nonce_list_free(&list);
}

/* Who makes a new digest for a changed list still has the links against him. */
static void an_export_without_one_use_does_not_hold(void **state)
{
        struct nonce_list list = example(), again;
        struct bytes text;

        (void)state;
        list.uses[0] = list.uses[1];
        list.uses[1] = list.uses[2];
        list.count = 2;
        list.seen_count = 0;
        text = nonce_export_text(&list);
        assert_fault(nonce_export_parse("x", text.data, text.length, &again), BAD_TAG,
                     "use 1 (image-2.sfi) does not follow");
        bytes_free(&text);
        nonce_list_free(&list);
}

static void exports_of_other_forms_are_refused(void **state)
{
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "", "it opens with other words" },
                { "SQLite format 3", "is a ledger itself" },
                { "gangway-nonces 2\n", "it opens with other words" },
                { "gangway-nonces 1\n", "does not name its ledger" },
                { "gangway-nonces 1\nledger\t00112233445566778899aabbccddeeff", "no line end" },
                { "gangway-nonces 1\nledger\t00112233445566778899aabbccddeeff\n", "it was cut" },
                { "gangway-nonces 1\nledger\t00112233445566778899AABBCCDDEEFF\n",
                  "line 2: not a line" },
                { "gangway-nonces 1\nuse\t1\n", "line 2: not a line" },
                { "{", "x line 1" },
                { "{}", "its format is not" },
                { "{\"a\":[[[[1]]]]}", "nested more than 3 deep" },
                { "{\"format\":\"gangway-nonces 1\"}", "does not name its ledger" },
                { "gangway-nonces 1\n\x01", "line 2: it is not UTF-8" },
        };
        struct nonce_list list;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(nonce_export_parse("x", cases[i].text, strlen(cases[i].text), &list),
                             BAD_FILE, cases[i].says);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_export_reads_back_as_text_and_as_json),
                cmocka_unit_test(every_changed_byte_of_an_export_is_noticed),
                cmocka_unit_test(an_export_without_one_use_does_not_hold),
                cmocka_unit_test(exports_of_other_forms_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
