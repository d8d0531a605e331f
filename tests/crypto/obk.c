#include "tests/support/test.h"

#include "crypto/obk.h"

#include <stdio.h>
#include <stdlib.h>

static struct bytes read_data(const char *name)
{
        char path[128];
        uint8_t buffer[4096];
        FILE *file;
        size_t length;

        snprintf(path, sizeof(path), "obk/%s", name);
        file = fopen(test_data(path), "rb");
        assert_non_null(file);
        length = fread(buffer, 1, sizeof(buffer), file);
        fclose(file);
        return bytes_copy(buffer, length);
}

static const struct expectation {
        const char *file;
        uint32_t destination;
        bool is_encrypted;
        size_t length;
        enum obk_kind kind;
        enum obk_hash hash;
        unsigned records, hide_level, slot;
} expected[] = {
        { "DA/Binary/DA_Config.obk", 0x00510008, true, 96, OBK_DA_CERTIFICATE, OBK_HASH_CORRECT, 1,
          0, 8 },
        { "DA/Binary/DA_ConfigWithPassword.obk", 0x008A0008, true, 96, OBK_DA_PASSWORD,
          OBK_HASH_CORRECT, 1, 0, 8 },
        { "DA/Binary/DA_ConfigLock.obk", 0x00B40008, true, 32, OBK_DA_LOCK, OBK_HASH_ABSENT, 0, 0,
          8 },
        { "OEMiROT/Binary/OEMiROT_AHK_OPEN.obk", 0x00000100, false, 96, OBK_PLAIN, OBK_HASH_ABSENT,
          0, 1, 0 },
        { "OEMiROT/Binary/OEMiROT_Config.obk", 0x00000108, true, 224, OBK_PLAIN, OBK_HASH_CORRECT,
          1, 1, 8 },
        { "OEMiROT/Binary/OEMiROT_Data.obk", 0x0000010F, true, 192, OBK_PLAIN, OBK_HASH_CORRECT, 2,
          1, 15 },
        { "OEMiROT/Binary/OEMiROT_Data_OPEN.obk", 0x0000010F, false, 192, OBK_PLAIN,
          OBK_HASH_CORRECT, 2, 1, 15 },
};

static void all_seven_files_of_st_are_what_they_say(void **state)
{
        (void)state;
        for (size_t i = 0; i < LENGTH_OF(expected); i++) {
                const struct expectation *want = &expected[i];
                struct bytes file = read_data(want->file);
                struct obk_facts facts;
                struct obk obk;

                assert_int_equal(obk_parse(want->file, file.data, file.length, &obk), 0);
                assert_int_equal(obk.destination, want->destination);
                assert_int_equal(obk.is_encrypted, want->is_encrypted);
                assert_int_equal(obk.length, want->length);
                obk_examine(&obk, &facts);
                assert_int_equal(facts.kind, want->kind);
                assert_int_equal(facts.hash, want->hash);
                assert_int_equal(facts.records, want->records);
                assert_string_equal(facts.family, "STM32H7RS");
                assert_int_equal(facts.hide_level, want->hide_level);
                assert_int_equal(facts.place, want->slot);
                assert_string_equal(facts.problem, "");
                bytes_free(&file);
        }
}

/* The XML's Permission 0x80000000000000000000000000004007, and the digest of "0123456789012345" by
 * sha256sum. */
static void records_hold_permission_and_credential(void **state)
{
        static const char password[] =
                "184AA46D813411727DA0DC9E64186BB9907289B5AAB4B320D26FFF5EA45D8E3D";
        static const uint8_t permission[16] = { 0x07, 0x40, [15] = 0x80 };
        struct bytes file = read_data("DA/Binary/DA_Config.obk");
        uint8_t digest[DIGEST_LENGTH];
        struct obk_facts facts;
        struct obk obk;

        (void)state;
        assert_int_equal(obk_parse("a", file.data, file.length, &obk), 0);
        obk_examine(&obk, &facts);
        assert_memory_equal(facts.permission, permission, sizeof(permission));
        bytes_free(&file);
        file = read_data("DA/Binary/DA_ConfigWithPassword.obk");
        assert_int_equal(obk_parse("b", file.data, file.length, &obk), 0);
        obk_examine(&obk, &facts);
        assert_true(hex_decode(password, digest, sizeof(digest)));
        assert_memory_equal(facts.credential, digest, sizeof(digest));
        bytes_free(&file);
}

static void what_is_built_is_what_was_read(void **state)
{
        struct bytes file = read_data("OEMiROT/Binary/OEMiROT_Config.obk"), again;
        struct obk obk;

        (void)state;
        assert_int_equal(obk_parse("a", file.data, file.length, &obk), 0);
        again = obk_build(obk.destination, obk.is_encrypted, obk.payload, obk.length);
        assert_int_equal(again.length, file.length);
        assert_memory_equal(again.data, file.data, file.length);
        bytes_free(&again);
        bytes_free(&file);
}

/* Every single bit of every file with a hash or a lock is seen, wherever it flips. */
static void every_flipped_bit_of_a_payload_is_seen(void **state)
{
        (void)state;
        for (size_t i = 0; i < LENGTH_OF(expected); i++) {
                struct bytes file;

                if (expected[i].kind == OBK_PLAIN && expected[i].hash == OBK_HASH_ABSENT)
                        continue; /* a bare key */
                file = read_data(expected[i].file);
                for (size_t bit = 8 * OBK_HEADER_LENGTH; bit < 8 * file.length; bit++) {
                        struct obk_facts facts;
                        struct obk obk;

                        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                        assert_int_equal(obk_parse("a", file.data, file.length, &obk), 0);
                        obk_examine(&obk, &facts);
                        assert_true(facts.problem[0] != '\0');
                        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
                bytes_free(&file);
        }
}

static void broken_containers_are_refused(void **state)
{
        uint8_t file[44] = { [4] = 32, [8] = 1 };
        struct obk obk = { .length = 77 };

        (void)state;
        assert_fault(obk_parse("a", file, 11, &obk), BAD_FILE, "11 bytes, an .obk has at least 12");
        assert_fault(obk_parse("a", file, 43, &obk), BAD_FILE,
                     "offset 4: a payload of 32 bytes is announced, 31 follow");
        assert_fault(obk_parse("a", file, 44 - 31, &obk), BAD_FILE, "1 follow");
        file[8] = 2;
        assert_fault(obk_parse("a", file, 44, &obk), BAD_FILE, "offset 8: do-encryption is 0x2");
        memset(file + 4, 0xFF, 4);
        assert_fault(obk_parse("a", file, 44, &obk), BAD_FILE, "at most 65536");
        assert_int_equal(obk.length, 77);
}

static void examine_payload(uint32_t destination, const void *payload, size_t length,
                            struct obk_facts *ret_facts)
{
        struct bytes file = obk_build(destination, true, payload, length);
        struct obk obk;

        assert_int_equal(obk_parse("a", file.data, file.length, &obk), 0);
        obk_examine(&obk, ret_facts);
        bytes_free(&file);
}

static void destinations_of_h5_have_names_and_offsets(void **state)
{
        static const struct {
                uint32_t destination;
                const char *name;
                unsigned hide_level;
        } cases[] = {
                { 0x0FFD0100, "debug authentication", 1 },
                { 0x0FFD0160, "OEMiRoT configuration", 1 },
                { 0x0FFD0200, "STiRoT configuration", 1 },
                { 0x0FFD0A50, "OEMuRoT data", 2 },
                { 0x0FFD0A80, "Secure Manager general configuration", 2 },
                { 0x0FFD0000, "unknown", 0 },
        };
        uint8_t payload[96] = { 0 };
        struct obk_facts facts;

        (void)state;
        digest_sha256(payload + 32, 64, payload);
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                examine_payload(cases[i].destination, payload, sizeof(payload), &facts);
                assert_string_equal(facts.family, "STM32H5");
                assert_string_equal(facts.name, cases[i].name);
                assert_int_equal(facts.hide_level, cases[i].hide_level);
                assert_int_equal(facts.place, cases[i].destination & 0xFFF);
                assert_int_equal(facts.hash, OBK_HASH_CORRECT);
                assert_string_equal(facts.problem, "");
        }
}

static void what_does_not_fit_its_destination_is_said(void **state)
{
        uint8_t payload[128] = { 0 };
        struct obk_facts facts;

        (void)state;
        digest_sha256(payload + 32, 96, payload);
        examine_payload(0x00510008, payload, 128, &facts);
        assert_non_null(strstr(facts.problem, "128 bytes, debug authentication has 96"));
        payload[80] = 1;
        digest_sha256(payload + 32, 64, payload);
        examine_payload(0x00510008, payload, 96, &facts);
        assert_non_null(strstr(facts.problem, "last 16 bytes of the record"));
        examine_payload(0x00B40008, payload, 32, &facts);
        assert_non_null(strstr(facts.problem, "STDALOCKMGC"));
        examine_payload(0x0FFD0BF0, payload, 96, &facts);
        assert_non_null(strstr(facts.problem, "beyond the OB-key area"));
        examine_payload(0x0FFD0900, payload, 96, &facts);
        assert_non_null(strstr(facts.problem, "not a signed image"));
        examine_payload(0xFFFFFFFF, payload, 0, &facts);
        assert_string_equal(facts.family, "unknown");
        assert_int_equal(facts.hash, OBK_HASH_UNKNOWN);
        assert_string_equal(facts.problem, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_seven_files_of_st_are_what_they_say),
                cmocka_unit_test(records_hold_permission_and_credential),
                cmocka_unit_test(what_is_built_is_what_was_read),
                cmocka_unit_test(every_flipped_bit_of_a_payload_is_seen),
                cmocka_unit_test(broken_containers_are_refused),
                cmocka_unit_test(destinations_of_h5_have_names_and_offsets),
                cmocka_unit_test(what_does_not_fit_its_destination_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
