/*
 * Answers to discovery, packed as ST's service for the N6 sends them and padded as Arm's does; and what is refused.
 */
#include "tests/support/test.h"

#include "drivers/debug_discovery.h"

#include <stdio.h>

struct answer {
        uint8_t bytes[600];
        size_t length;
        unsigned unit;
};

static void add(struct answer *answer, uint16_t type, const void *value, uint32_t length)
{
        uint8_t *to = answer->bytes + answer->length;

        store_le16(to + 2, type);
        store_le32(to + 4, length);
        memcpy(to + 8, value, length);
        answer->length += 8 + (length + answer->unit - 1) / answer->unit * answer->unit;
}

/* What a log of an H563 shows (community.st.com, td-p/694861). */
static struct answer of_an_h563(unsigned unit)
{
        static const uint8_t soc_id[16] = { 0x5E, 0x00, 0x3D, 0x00, 0x17, 0x51,
                                            0x32, 0x33, 0x36, 0x32, 0x36, 0x38 };
        struct answer answer = { .unit = unit };

        add(&answer, 0x0001, "\1\0", 2);
        add(&answer, 0x0002, "\x20\0", 2);
        add(&answer, 0x0003, "\x84\x04\0\0", 4);
        add(&answer, 0x0004, soc_id, 16);
        add(&answer, 0x0007, "\x77\x50\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
        add(&answer, 0x0008, "\x72\x30", 2);
        add(&answer, 0x000A, "\2\4\0\0", 4);
        add(&answer, 0x0100, "\0\2", 2);
        add(&answer, 0x0101, "\1\2", 2);
        add(&answer, 0x0102, "\1", 1);
        add(&answer, 0x8000, "\xF5\xF5\xF5\xF5", 4);
        add(&answer, 0x8001, "\1\0\0\0", 4);
        answer.length = (answer.length + 3) / 4 * 4;
        return answer;
}

static void both_forms_are_read(void **state)
{
        struct debug_discovery found;
        char text[40];

        (void)state;
        for (unsigned unit = 1; unit <= 4; unit += 3) {
                struct answer answer = of_an_h563(unit);

                assert_int_equal(debug_discovery_parse(answer.bytes, answer.length, &found), 0);
                assert_int_equal(found.soc_class, 0x484);
                assert_string_equal(found.unique_id_text, "3836323633325117003D005E");
                assert_string_equal(adac_permission_text(found.permissions, text), "0x5077");
                assert_int_equal(found.methods, BY_CERTIFICATE);
                assert_int_equal(found.service[1], 4);
                assert_true(found.has_integrity);
                assert_int_equal(found.integrity, INTEGRITY_MISSING);
                assert_string_equal(debug_life_cycle_name(found.life_cycle), "secured");
        }
}

static void what_is_no_answer_is_refused(void **state)
{
        struct answer answer = of_an_h563(4);
        struct debug_discovery found;

        (void)state;
        assert_fault(debug_discovery_parse(answer.bytes, 0, &found), RSS, "no SoC class");
        assert_fault(debug_discovery_parse(answer.bytes, DISCOVERY_MAX + 1, &found), RSS,
                     "at most 512");
        answer.bytes[4] = 3;
        assert_fault(debug_discovery_parse(answer.bytes, answer.length, &found), RSS,
                     "type 0x0001 has 3 bytes, wanted 2");
        answer = of_an_h563(4);
        answer.bytes[0] = 1;
        assert_fault(debug_discovery_parse(answer.bytes, answer.length, &found), RSS,
                     "offset 0 of");
        answer = of_an_h563(4);
        for (size_t cut = 1; cut < answer.length; cut++) /* no cut may crash; a few still read */
                if (debug_discovery_parse(answer.bytes, cut, &found) < 0)
                        continue;
        answer = (struct answer){ .unit = 4 };
        for (unsigned i = 0; i < 40; i++)
                add(&answer, 0x4000, "", 0);
        assert_fault(debug_discovery_parse(answer.bytes, answer.length, &found), RSS,
                     "more than 32 pieces");
}

static void life_cycles_have_names(void **state)
{
        (void)state;
        assert_string_equal(debug_life_cycle_name(0x2017), "provisioning");
        assert_string_equal(debug_life_cycle_name(0x10DE), "assembly and test");
        assert_string_equal(debug_life_cycle_name(0x5027), "debug");
        assert_string_equal(debug_life_cycle_name(0x60FF), "decommissioned");
        assert_string_equal(debug_life_cycle_name(0), "not known");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_forms_are_read),
                cmocka_unit_test(what_is_no_answer_is_refused),
                cmocka_unit_test(life_cycles_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
