#include "tests/support/test.h"

#include "scheduler/chance.h"
#include "station/nonce_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BE       SFI_IV_BIG_ENDIAN
#define LAST_LE  SFI_IV_LAST_WORD_LE
#define FIRST_LE SFI_IV_FIRST_WORD_LE
#define LAST_BE  SFI_IV_LAST_WORD_BE

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

/* Sorting all IVs and comparing ranges pairwise must tell the same story. */
static void clashes_agree_with_the_arithmetic(void **state)
{
        struct chance chance = chance_fork(5, "clashes", 0);

        (void)state;
        for (unsigned round = 0; round < 200; round++) {
                struct nonce_list list = { 0 };
                size_t *clashes;
                unsigned wanted = 0, found = 0;
                uint32_t x, y;

                for (unsigned i = 0; i < 24; i++) {
                        struct nonce_use use =
                                use_of(N1, (enum sfi_iv_policy)chance_below(&chance, 4),
                                       (uint32_t)chance_below(&chance, 6), i,
                                       (unsigned)chance_below(&chance, 2));

                        use.range.nonce[11] = (uint8_t)chance_u64(&chance);
                        assert_int_equal(nonce_list_add(&list, &use), 0);
                }
                assert_true(nonce_list_clashes(&list, &clashes) >= 0);
                for (size_t i = 0; i < list.count; i++) {
                        bool is_met = false;

                        for (size_t k = 0; k < i; k++)
                                is_met |= strcmp(list.uses[i].key, list.uses[k].key) == 0 &&
                                          nonce_range_meet(&list.uses[i].range, &list.uses[k].range,
                                                           &x, &y);
                        wanted += is_met;
                        found += clashes[i] != SIZE_MAX;
                        assert_int_equal(is_met, clashes[i] != SIZE_MAX);
                        if (is_met)
                                assert_true(nonce_range_meet(&list.uses[i].range,
                                                             &list.uses[clashes[i]].range, &x, &y));
                }
                assert_int_equal(wanted, found);
                free(clashes);
                nonce_list_free(&list);
        }
}

/* --- fresh nonces -------------------------------------------------------------------------- */

/* Draws used ones, then neighbours before, then a free one. */
static int draw(void *context, uint8_t nonce[static SFI_NONCE_LENGTH])
{
        static const char *const draws[] = {
                N1,
                "00112233445566778899AA03",
                "00112233445566778898AA01", /* an image of 65535 areas would get there */
                "00002233445566778899AA00",
                "00112233445566778899AA04",
        };
        unsigned *count = context;

        assert_true(*count < LENGTH_OF(draws));
        assert_true(hex_decode(draws[(*count)++], nonce, SFI_NONCE_LENGTH));
        return 0;
}

static int draw_the_same(void *context, uint8_t nonce[static SFI_NONCE_LENGTH])
{
        (void)context;
        assert_true(hex_decode(N1, nonce, SFI_NONCE_LENGTH));
        return 0;
}

static void a_fresh_nonce_is_free_for_any_image(void **state)
{
        struct nonce_use use = use_of(N1, BE, 3, 1, 1);
        struct nonce_list list = { 0 };
        uint8_t nonce[SFI_NONCE_LENGTH];
        unsigned count = 0;

        (void)state;
        assert_int_equal(nonce_list_add(&list, &use), 0);
        assert_int_equal(nonce_list_draw(&list, use.key, draw, &count, nonce), 0);
        assert_int_equal(count, 5);
        assert_fault(nonce_list_draw(&list, use.key, draw_the_same, NULL, nonce), SYSTEM,
                     "source of chance");
        nonce_list_free(&list);
}

static void labels_and_dates_are_kept_to_their_form(void **state)
{
        static const char *const bad[] = { "",
                                           "2026-02-30T00:00:00Z",
                                           "2026-07-31T24:00:00Z",
                                           "2026-07-31T12:00:60Z",
                                           "2026-07-31 12:00:00Z",
                                           "2026-7-31T12:00:00ZZ",
                                           " 026-07-31T12:00:00Z",
                                           "1969-12-31T23:59:59Z" };
        char text[NONCE_DATE_TEXT], label[8];
        int64_t seconds;

        (void)state;
        assert_string_equal(nonce_date(NOW, text), "2026-07-31T12:00:00Z");
        assert_true(nonce_date_parse(text, &seconds));
        assert_int_equal(seconds, NOW);
        for (size_t i = 0; i < LENGTH_OF(bad); i++)
                assert_false(nonce_date_parse(bad[i], &seconds));
        nonce_label("a\tb\n\x7F", label, sizeof(label));
        assert_string_equal(label, "a?b??");
        nonce_label("123456\xC3\xA4", label, sizeof(label)); /* cut within a character */
        assert_string_equal(label, "123456?");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(labels_and_dates_are_kept_to_their_form),
                cmocka_unit_test(clashes_agree_with_the_arithmetic),
                cmocka_unit_test(a_fresh_nonce_is_free_for_any_image),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
