/* Our own images sealed, parsed, opened and split again, and broken ones. ST's is in sfi_real.c. */
#include "tests/support/sealed.h"
#include "tests/support/test.h"

#include "crypto/sfi.h"
#include "scheduler/chance.h"
#include "scheduler/fiber.h"
#include "scheduler/workers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t key[GCM_KEY_LENGTH] = "sixteen key byte";
static const uint8_t nonce[SFI_NONCE_LENGTH] = "twelve nonce";

static struct sfi *parse(struct bytes file)
{
        struct sfi *sfi = NULL;
        int r = sfi_parse("test.sfi", file, &sfi);

        if (r < 0)
                print_message("# %s\n", fault_sentence(r));
        assert_int_equal(r, 0);
        return sfi;
}

/* --- the IV -------------------------------------------------------------------------------- */

/* What each policy makes of the index, written out (spec/secure-install.md 3.3). */
static const struct {
        enum sfi_iv_policy policy;
        const char *nonce;
        uint32_t index;
        const char *iv;
} pinned[] = {
        { SFI_IV_BIG_ENDIAN, "000102030405060708090A0B", 0, "000102030405060708090A0B" },
        { SFI_IV_BIG_ENDIAN, "000102030405060708090A0B", 1, "000102030405060708090A0C" },
        { SFI_IV_BIG_ENDIAN, "000102030405060708090A0B", 0x100, "000102030405060708090B0B" },
        { SFI_IV_BIG_ENDIAN, "0001020304050607FFFFFFFF", 1, "000102030405060800000000" },
        { SFI_IV_BIG_ENDIAN, "00010203FFFFFFFFFFFFFFFE", 3, "000102040000000000000001" },
        { SFI_IV_BIG_ENDIAN, "FFFFFFFFFFFFFFFFFFFFFFFF", 1, "000000000000000000000000" },
        { SFI_IV_BIG_ENDIAN, "FFFFFFFFFFFFFFFFFFFFFFFF", 4096, "000000000000000000000FFF" },
        { SFI_IV_LAST_WORD_LE, "000102030405060708090A0B", 0, "000102030405060708090A0B" },
        { SFI_IV_LAST_WORD_LE, "000102030405060708090A0B", 1, "000102030405060709090A0B" },
        { SFI_IV_LAST_WORD_LE, "000102030405060708090A0B", 0x100, "0001020304050607080A0A0B" },
        { SFI_IV_LAST_WORD_LE, "0001020304050607FFFF0A0B", 1, "000102030405060700000B0B" },
        { SFI_IV_LAST_WORD_LE, "0001020304050607FFFFFFFF", 1, "000102030405060700000000" },
        { SFI_IV_FIRST_WORD_LE, "000102030405060708090A0B", 0, "000102030405060708090A0B" },
        { SFI_IV_FIRST_WORD_LE, "000102030405060708090A0B", 1, "010102030405060708090A0B" },
        { SFI_IV_FIRST_WORD_LE, "FF0102030405060708090A0B", 1, "000202030405060708090A0B" },
        { SFI_IV_FIRST_WORD_LE, "FFFFFFFF0405060708090A0B", 2, "010000000405060708090A0B" },
        { SFI_IV_LAST_WORD_BE, "000102030405060708090A0B", 0, "000102030405060708090A0B" },
        { SFI_IV_LAST_WORD_BE, "000102030405060708090A0B", 1, "000102030405060708090A0C" },
        { SFI_IV_LAST_WORD_BE, "00010203040506070809FFFF", 1, "0001020304050607080A0000" },
        { SFI_IV_LAST_WORD_BE, "0001020304050607FFFFFFFF", 1, "000102030405060700000000" },
};

static void each_policy_adds_the_index_as_written_here(void **state)
{
        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(pinned); i++) {
                uint8_t start[SFI_NONCE_LENGTH], iv[GCM_IV_LENGTH];
                char text[25];

                assert_true(hex_decode(pinned[i].nonce, start, sizeof(start)));
                sfi_iv(start, pinned[i].index, pinned[i].policy, iv);
                assert_string_equal(hex_encode(iv, sizeof(iv), text), pinned[i].iv);
        }
}

static void policies_have_names_and_are_found_by_them(void **state)
{
        enum sfi_iv_policy found = SFI_IV_POLICIES;

        (void)state;
        for (unsigned i = 0; i < SFI_IV_POLICIES; i++) {
                assert_true(sfi_iv_policy_find(sfi_iv_policy_name((enum sfi_iv_policy)i), &found));
                assert_int_equal(found, i);
        }
        assert_string_equal(sfi_iv_policy_name(SFI_IV_BIG_ENDIAN), "big-endian");
        assert_null(sfi_iv_policy_name(SFI_IV_POLICIES));
        assert_false(sfi_iv_policy_find("big", &found));
        assert_false(sfi_iv_policy_find("", &found));
        assert_string_equal(sfi_type_name('C'), "option bytes");
        assert_string_equal(sfi_type_name('x'), "unknown");
}

/* --- seal, parse, open --------------------------------------------------------------------- */

#define AREAS_MADE_MAX 100u

/* A recipe of `count` areas of random contents; every seventh is empty. */
struct made {
        struct sfi_plain_area areas[AREAS_MADE_MAX];
        struct sfi_recipe recipe;
        struct bytes content; /* of all areas, back to back */
};

static void make_recipe(struct made *made, uint64_t seed, size_t count, size_t longest)
{
        static const char types[] = "FFFMCEKx";
        struct chance chance = chance_fork(seed, "recipe", count);
        size_t at = 0;

        made->content = bytes_new(count * longest);
        chance_bytes(&chance, made->content.data, made->content.length);
        for (size_t i = 0; i < count; i++) {
                struct sfi_plain_area *area = &made->areas[i];

                area->type = types[i % 8];
                area->address = 0x08000000 + (uint32_t)at;
                area->data = made->content.data + at;
                area->length = i % 7 == 3 ? 0 : (size_t)chance_below(&chance, longest + 1);
                at += area->length;
        }
        made->content.length = at;
        made->recipe = (struct sfi_recipe){
                .protocol = 1,
                .version = 23,
                .areas = made->areas,
                .count = count,
        };
}

static struct bytes seal(const struct made *made, struct workers *workers)
{
        return sealed_file(&made->recipe, key, nonce, workers);
}

static void check_areas(const struct made *made, const struct sfi *sfi)
{
        assert_int_equal(sfi->protocol, made->recipe.protocol);
        assert_int_equal(sfi->count, made->recipe.count);
        for (unsigned i = 0; i < sfi->count; i++) {
                assert_int_equal(sfi->areas[i].type, made->areas[i].type);
                assert_int_equal(sfi->areas[i].version, 23);
                assert_int_equal(sfi->areas[i].length, made->areas[i].length);
                assert_int_equal(sfi->areas[i].address, made->areas[i].address);
        }
}

static void check_round_trip(const struct made *made)
{
        struct sfi *sfi = parse(seal(made, NULL));
        struct bytes plain = { 0 };

        check_areas(made, sfi);
        assert_int_equal(sfi_open(sfi, key, nonce, made->recipe.policy, &plain), 0);
        assert_int_equal(plain.length, made->content.length);
        assert_memory_equal(plain.data, made->content.data, plain.length);
        assert_int_equal(sfi_open(sfi, key, nonce, made->recipe.policy, NULL), 0);
        bytes_free(&plain);
        sfi_free(sfi);
}

static void what_was_sealed_is_parsed_and_opened_again(void **state)
{
        static const size_t counts[] = { 1, 2, 3, 7, 50, 100 };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(counts); i++) {
                struct made made;

                make_recipe(&made, 5, counts[i], 700);
                for (unsigned policy = 0; policy < SFI_IV_POLICIES; policy++) {
                        made.recipe.policy = (enum sfi_iv_policy)policy;
                        for (uint16_t protocol = 1; protocol <= 2; protocol++) {
                                made.recipe.protocol = protocol;
                                check_round_trip(&made);
                        }
                }
                bytes_free(&made.content);
        }
}

static void an_image_may_be_one_empty_area(void **state)
{
        struct sfi_plain_area area = { .type = 'F', .address = 0xFFFFFFFF };
        struct made made = { 0 };

        (void)state;
        made.areas[0] = area;
        made.recipe = (struct sfi_recipe){
                .protocol = 2, .version = 23, .areas = made.areas, .count = 1
        };
        made.content = bytes_new(0);
        check_round_trip(&made);
        bytes_free(&made.content);
}

/* The sealed bytes, computed once more from the rules with gcm.h alone. */
static void check_by_the_rules(const struct piece *pieces, const uint8_t *payload)
{
        static const uint8_t header[] = "SFIMAGIC\x02\0\x02";
        static const uint8_t first[] = "F\x17\x01\0\x05\0\0\0\0\0\0\x08\x02";
        static const uint8_t second[] = "C\x17\x02\0\x03\0\0\0\0\0\0\0\x02";
        uint8_t sealed[5], tag[GCM_TAG_LENGTH], iv[GCM_IV_LENGTH];
        struct gcm_key *k = gcm_key_create(key);

        gcm_seal(k, nonce, header, 12, NULL, NULL, 0, tag);
        assert_memory_equal(pieces[0].data, header, 12);
        assert_memory_equal((const uint8_t *)pieces[0].data + 12, tag, GCM_TAG_LENGTH);
        sfi_iv(nonce, 1, SFI_IV_LAST_WORD_LE, iv);
        gcm_seal(k, iv, first, 14, payload, sealed, 5, tag);
        assert_memory_equal(pieces[1].data, first, 14);
        assert_memory_equal((const uint8_t *)pieces[1].data + 14, tag, GCM_TAG_LENGTH);
        assert_memory_equal(pieces[2].data, sealed, 5);
        sfi_iv(nonce, 2, SFI_IV_LAST_WORD_LE, iv);
        gcm_seal(k, iv, second, 14, payload, sealed, 3, tag);
        assert_memory_equal(pieces[3].data, second, 14);
        assert_memory_equal((const uint8_t *)pieces[3].data + 14, tag, GCM_TAG_LENGTH);
        assert_memory_equal(pieces[4].data, sealed, 3);
        gcm_key_destroy(k);
}

static void sealed_bytes_are_what_the_rules_say_and_lie_where_the_plain_ones_were(void **state)
{
        static const uint8_t payload[5] = { 1, 2, 3, 4, 5 };
        static const size_t lengths[] = { 28, 30, 5, 30, 3 };
        uint8_t one[7] = { 1, 2, 3, 4, 5, 'k', 'p' }, two[] = { 1, 2, 3 };
        const struct sfi_plain_area areas[] = {
                { 'F', 0x08000000, one, 5 },
                { 'C', 0, two, 3 },
        };
        const struct sfi_recipe recipe = { 2, 23, SFI_IV_LAST_WORD_LE, areas, 2 };
        struct sfi_sealed sealed;

        (void)state;
        assert_int_equal(sfi_seal(&recipe, key, nonce, NULL, &sealed), 0);
        assert_int_equal(sealed.count, LENGTH_OF(lengths));
        assert_int_equal(sealed.length, 28 + 30 + 5 + 30 + 3);
        for (unsigned i = 0; i < LENGTH_OF(lengths); i++)
                assert_int_equal(sealed.pieces[i].length, lengths[i]);
        assert_ptr_equal(sealed.pieces[2].data, one);
        assert_ptr_equal(sealed.pieces[4].data, two);
        check_by_the_rules(sealed.pieces, payload);
        assert_memory_equal(one + 5, "kp", 2); /* what lies behind is kept */
        sfi_sealed_free(&sealed);
        assert_null(sealed.pieces);
}

/* Does sealing two areas of `content` at these offsets, 4 and then 3 bytes long, end the program? */
static bool breaks_a_belief(uint8_t *content, size_t first, size_t second)
{
        const struct sfi_plain_area areas[] = { { 'F', 0, content + first, 4 },
                                                { 'F', 16, content + second, 3 } };
        const struct sfi_recipe recipe = { 2, 1, 0, areas, 2 };
        struct sfi_sealed sealed;
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                (void)close(STDERR_FILENO);
                IGNORE(sfi_seal(&recipe, key, nonce, NULL, &sealed));
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGABRT);
        return !WIFEXITED(status);
}

static void areas_may_lie_in_any_order_but_not_over_each_other(void **state)
{
        uint8_t content[16] = "some firmware";

        (void)state;
        assert_false(breaks_a_belief(content, 0, 4));
        assert_false(breaks_a_belief(content, 3, 0));
        assert_false(breaks_a_belief(content, 9, 2));
        assert_true(breaks_a_belief(content, 0, 3));
        assert_true(breaks_a_belief(content, 2, 0));
        assert_true(breaks_a_belief(content, 5, 5));
}

/* Both engines, and pools of 0, 1 and 2 threads; large enough to be spread at all. */
static int seal_with_pools(void *subject)
{
        const struct made *made = subject;
        struct bytes wanted = seal(made, NULL);

        for (unsigned threads = 0; threads <= 2; threads++) {
                struct workers *workers;

                assert_int_equal(workers_create("test", threads, NULL, &workers), 0);
                for (unsigned round = 0; round < 5; round++) {
                        struct bytes file = seal(made, workers);

                        assert_int_equal(file.length, wanted.length);
                        assert_memory_equal(file.data, wanted.data, wanted.length);
                        bytes_free(&file);
                }
                assert_null(workers_destroy(workers));
        }
        bytes_free(&wanted);
        return 0;
}

static void any_number_of_workers_gives_the_same_bytes(void **state)
{
        static const size_t longest[] = { 300, 20000, 80000 }; /* the first stays on this thread */
        struct made made;

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(longest); i++) {
                make_recipe(&made, 6, 100, longest[i]);
                assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, seal_with_pools, &made), 0);
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, seal_with_pools, &made), 0);
                bytes_free(&made.content);
        }
}

static void either_engine_gives_the_same_image(void **state)
{
        struct bytes one, two;
        struct made made;

        (void)state;
        make_recipe(&made, 7, 40, 3000);
        assert_int_equal(gcm_engine_select("openssl"), 0);
        one = seal(&made, NULL);
        if (gcm_engine_select("ipsec-mb") == 0) {
                two = seal(&made, NULL);
                assert_int_equal(one.length, two.length);
                assert_memory_equal(one.data, two.data, one.length);
                bytes_free(&two);
        }
        assert_int_equal(gcm_engine_select(NULL), 0);
        bytes_free(&one);
        bytes_free(&made.content);
}

/* Opening refuses: another key, nonce, policy, or any change, and says which unit. */
static void opening_names_the_unit_that_does_not_verify(void **state)
{
        uint8_t other_key[GCM_KEY_LENGTH], other_nonce[SFI_NONCE_LENGTH];
        struct bytes plain = { 0 };
        struct made made;
        struct sfi *sfi;

        (void)state;
        make_recipe(&made, 8, 3, 500);
        sfi = parse(seal(&made, NULL));
        memcpy(other_key, key, sizeof(key));
        other_key[15] ^= 1;
        memcpy(other_nonce, nonce, sizeof(nonce));
        other_nonce[0] ^= 1;
        assert_fault(sfi_open(sfi, other_key, nonce, 0, &plain), BAD_TAG, "image header");
        assert_fault(sfi_open(sfi, key, other_nonce, 0, &plain), BAD_TAG, "image header");
        assert_fault(sfi_open(sfi, key, nonce, SFI_IV_FIRST_WORD_LE, &plain), BAD_TAG, "area 1");
        sfi->file.data[sfi->areas[1].offset + 9] ^= 1; /* its address */
        assert_fault(sfi_open(sfi, key, nonce, 0, &plain), BAD_TAG, "area 2 (firmware");
        assert_fault(sfi_open(sfi, key, nonce, 0, NULL), BAD_TAG, "area 2 (firmware");
        sfi->file.data[sfi->areas[1].offset + 9] ^= 1;
        sfi->file.data[sfi->file.length - 1] ^= 1;
        assert_fault(sfi_open(sfi, key, nonce, 0, &plain), BAD_TAG, "area 3");
        assert_null(plain.data);
        sfi_free(sfi);
        bytes_free(&made.content);
}

static void recipes_that_are_no_image_are_refused(void **state)
{
        uint8_t bytes[2] = "ab";
        struct sfi_plain_area area = { 'F', 0x08000000, bytes, 2 };
        struct sfi_recipe recipe = { 1, 0, 0, &area, 1 };
        struct sfi_sealed sealed = { 0 };

        (void)state;
        recipe.protocol = 3;
        assert_fault(sfi_seal(&recipe, key, nonce, NULL, &sealed), BAD_VALUE, "version 3");
        recipe.protocol = 0;
        assert_fault(sfi_seal(&recipe, key, nonce, NULL, &sealed), BAD_VALUE, "1 and 2");
        recipe.protocol = 1;
        recipe.count = 0;
        assert_fault(sfi_seal(&recipe, key, nonce, NULL, &sealed), BAD_VALUE, "at least 1");
        recipe.count = SFI_AREAS_MAX + 1;
        assert_fault(sfi_seal(&recipe, key, nonce, NULL, &sealed), TOO_LARGE, "4097 areas");
        recipe.count = 1;
        area.address = 0xFFFFFFFF;
        assert_fault(sfi_seal(&recipe, key, nonce, NULL, &sealed), BAD_VALUE, "0xFFFFFFFF");
        area.address = 0xFFFFFFFE;
        area.length = SFI_FILE_MAX - 57; /* 28 + 30 + this is one too many; never read */
        assert_fault(sfi_seal(&recipe, key, nonce, NULL, &sealed), TOO_LARGE, "area 1");
        area.length = SIZE_MAX;
        assert_fault(sfi_seal(&recipe, key, nonce, NULL, &sealed), TOO_LARGE, "area 1");
        assert_memory_equal(bytes, "ab", 2); /* nothing was encrypted, nothing given */
        assert_null(sealed.pieces);
        area.length = 2;
        assert_int_equal(sfi_seal(&recipe, key, nonce, NULL, &sealed), 0);
        sfi_sealed_free(&sealed);
}

/* --- bad files ----------------------------------------------------------------------------- */

/* A small good image: F of 20 bytes, P and R of 32, C of 8 (spec/secure-install.md 2.4). */
static struct bytes small_image(void)
{
        uint8_t data[32] = "some contents";
        const struct sfi_plain_area areas[] = {
                { 'F', 0x08000000, data, 20 },
                { 'P', 0x081FF000, data, 32 },
                { 'R', 0x081FF000, data, 32 },
                { 'C', 0, data, 8 },
        };
        const struct sfi_recipe recipe = { 1, 23, 0, areas, LENGTH_OF(areas) };

        return sealed_file(&recipe, key, nonce, NULL);
}

#define SECOND 78u /* offset of area 2: 28 + 30 + 20 */

/* One changed field each: offset, bytes, the fault, and what its sentence must say. */
static const struct {
        size_t offset;
        const char *bytes;
        enum fault code;
        const char *sentence;
} broken[] = {
        { 0, "58", FAULT_BAD_FILE, "offset 0x0: found the bytes 5846494D41474943" },
        { 7, "44", FAULT_BAD_FILE, "wanted \"SFIMAGIC\"" },
        { 8, "0000", FAULT_BAD_VALUE,
          "offset 0x8: found protocol version 0, supported are 1 and 2" },
        { 8, "0300", FAULT_BAD_VALUE, "found protocol version 3" },
        { 8, "0001", FAULT_BAD_VALUE, "found protocol version 256" },
        { 10, "0000", FAULT_BAD_FILE, "offset 0xA: found 0 areas" },
        { 10, "0110", FAULT_TOO_LARGE, "offset 0xA: found 4097 areas" },
        { 10, "FFFF", FAULT_TOO_LARGE, "65535" },
        { 10, "0500", FAULT_BAD_FILE, "area 1: found a total of 4 areas, wanted 5" },
        { 10, "0300", FAULT_BAD_FILE, "area 1: found a total of 4 areas, wanted 3" },
        { SECOND + 1, "18", FAULT_BAD_FILE, "offset 0x4F: area 2: found image version 24" },
        { SECOND + 2, "0100", FAULT_BAD_FILE, "offset 0x50: area 2: found index 1, wanted 2" },
        { SECOND + 2, "0300", FAULT_BAD_FILE, "area 2: found index 3, wanted 2" },
        { 30, "0000", FAULT_BAD_FILE, "offset 0x1E: area 1: found index 0, wanted 1" },
        { SECOND + 4, "FFFFFFFF", FAULT_BAD_FILE, "offset 0x52: area 2: found a payload of" },
        { SECOND + 4, "00000080", FAULT_BAD_FILE, "payload of 2147483648 bytes" },
        { SECOND + 8, "E1FFFFFF", FAULT_BAD_FILE, "offset 0x56: area 2: 32 bytes at 0xFFFFFFE1" },
        { SECOND + 12, "0300", FAULT_BAD_FILE, "offset 0x5A: area 2: found a total of 3" },
};

static void each_broken_field_is_named_with_its_offset(void **state)
{
        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(broken); i++) {
                struct bytes file = small_image();
                struct sfi *sfi = NULL;
                int r;

                assert_true(hex_decode(broken[i].bytes, file.data + broken[i].offset,
                                       strlen(broken[i].bytes) / 2));
                r = sfi_parse("shelf/bad.sfi", file, &sfi);
                test_assert_fault(r, broken[i].code, broken[i].sentence, __FILE__, __LINE__);
                assert_non_null(strstr(fault_sentence(r), "shelf/bad.sfi: offset "));
                assert_null(sfi);
        }
}

/* The last byte an address may name is 0xFFFFFFFF. */
static void an_area_may_end_at_the_last_address(void **state)
{
        struct bytes file = small_image();

        (void)state;
        store_le32(file.data + SECOND + 8, 0xFFFFFFE0);
        sfi_free(parse(file));
}

static void a_file_cut_anywhere_is_refused(void **state)
{
        struct bytes whole = small_image();

        (void)state;
        for (size_t length = 0; length < whole.length; length++) {
                struct sfi *sfi;

                assert_fault(sfi_parse("cut.sfi", bytes_copy(whole.data, length), &sfi), BAD_FILE,
                             "cut.sfi: offset ");
                assert_null(strstr(fault_sentence(-FAULT_BAD_FILE), "after the last area"));
        }
        sfi_free(parse(bytes_copy(whole.data, whole.length)));
        bytes_free(&whole);
}

static void bytes_after_the_last_area_are_refused(void **state)
{
        struct bytes whole = small_image(), longer = bytes_new(whole.length + 1);
        struct sfi *sfi;

        (void)state;
        memcpy(longer.data, whole.data, whole.length);
        assert_fault(sfi_parse("long.sfi", longer, &sfi), BAD_FILE, "found 1 bytes after the last");
        bytes_free(&whole);
}

static void a_file_above_the_limit_is_refused_unread(void **state)
{
        struct sfi *sfi;

        (void)state;
        assert_fault(sfi_parse("big.sfi", bytes_new((size_t)SFI_FILE_MAX + 1), &sfi), TOO_LARGE,
                     "67108865");
}

static void unknown_letters_are_kept(void **state)
{
        struct bytes file = small_image();
        struct sfi *sfi;

        (void)state;
        file.data[SFI_HEADER_LENGTH] = 'z';
        sfi = parse(file);
        assert_int_equal(sfi->areas[0].type, 'z');
        sfi_free(sfi);
}

/* --- parts --------------------------------------------------------------------------------- */

/* Letters of an image, and its parts as "first+count=length". Payloads are one byte each. */
static const struct {
        const char *letters;
        const char *parts; /* NULL: refused */
        const char *sentence;
} splits[] = {
        { "F", "0+1=31", NULL },
        { "FFC", "0+3=93", NULL },
        { "FPRC", "0+2=62 2+2=62", NULL },
        { "FFPRFPRC", "0+3=93 3+3=93 6+2=62", NULL },
        { "PR", "0+1=31 1+1=31", NULL },
        { "FPRPRC", "0+2=62 2+2=62 4+2=62", NULL },
        { "FP", NULL, "area 2 is a pause, wanted a resume" },
        { "P", NULL, "area 1 is a pause" },
        { "R", NULL, "area 1 is a resume, wanted a pause before it" },
        { "FRC", NULL, "area 2 is a resume" },
        { "FPFR", NULL, "area 2 is a pause" },
        { "FPPR", NULL, "area 2 is a pause" },
        { "FPRR", NULL, "area 4 is a resume" },
        { "RPF", NULL, "area 1 is a resume" },
};

static struct sfi *image_of_letters(const char *letters, uint32_t step)
{
        struct sfi_plain_area areas[16];
        struct sfi_recipe recipe = { 1, 23, 0, areas, strlen(letters) };
        char byte = 'x';

        for (size_t i = 0; i < recipe.count; i++)
                areas[i] = (struct sfi_plain_area){ letters[i], step * (uint32_t)i, &byte, 1 };
        return parse(sealed_file(&recipe, key, nonce, NULL));
}

static void images_split_where_pause_meets_resume(void **state)
{
        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(splits); i++) {
                struct sfi *sfi = image_of_letters(splits[i].letters, 0);
                struct sfi_part parts[8];
                char text[128] = "", *at = text;
                int count = sfi_parts(sfi, parts, LENGTH_OF(parts));

                if (!splits[i].parts) {
                        assert_fault(count, BAD_FILE, splits[i].sentence);
                } else {
                        for (int part = 0; part < count; part++)
                                at += sprintf(at, "%s%u+%u=%zu", part ? " " : "", parts[part].first,
                                              parts[part].count, parts[part].length);
                        assert_string_equal(text, splits[i].parts);
                }
                sfi_free(sfi);
        }
}

static void more_parts_than_room_are_refused(void **state)
{
        struct sfi *sfi = image_of_letters("FPRFPRC", 0);
        struct sfi_part parts[3];

        (void)state;
        assert_int_equal(sfi_parts(sfi, parts, 3), 3);
        assert_fault(sfi_parts(sfi, parts, 2), BAD_FILE, "more than 2 parts");
        assert_fault(sfi_parts(sfi, parts, 0), BAD_FILE, "more than 0 parts");
        sfi_free(sfi);
}

static void pause_and_resume_must_name_one_address(void **state)
{
        struct sfi *sfi = image_of_letters("FPRC", 16);
        struct sfi_part parts[3];

        (void)state;
        assert_fault(sfi_parts(sfi, parts, 3), BAD_FILE,
                     "area 2 pauses at 0x00000010, area 3 resumes at 0x00000020");
        sfi_free(sfi);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_policy_adds_the_index_as_written_here),
                cmocka_unit_test(policies_have_names_and_are_found_by_them),
                cmocka_unit_test(
                        sealed_bytes_are_what_the_rules_say_and_lie_where_the_plain_ones_were),
                cmocka_unit_test(areas_may_lie_in_any_order_but_not_over_each_other),
                cmocka_unit_test(what_was_sealed_is_parsed_and_opened_again),
                cmocka_unit_test(an_image_may_be_one_empty_area),
                cmocka_unit_test(any_number_of_workers_gives_the_same_bytes),
                cmocka_unit_test(either_engine_gives_the_same_image),
                cmocka_unit_test(opening_names_the_unit_that_does_not_verify),
                cmocka_unit_test(recipes_that_are_no_image_are_refused),
                cmocka_unit_test(each_broken_field_is_named_with_its_offset),
                cmocka_unit_test(an_area_may_end_at_the_last_address),
                cmocka_unit_test(a_file_cut_anywhere_is_refused),
                cmocka_unit_test(bytes_after_the_last_area_are_refused),
                cmocka_unit_test(a_file_above_the_limit_is_refused_unread),
                cmocka_unit_test(unknown_letters_are_kept),
                cmocka_unit_test(images_split_where_pause_meets_resume),
                cmocka_unit_test(more_parts_than_room_are_refused),
                cmocka_unit_test(pause_and_resume_must_name_one_address),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
