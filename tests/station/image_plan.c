#include "tests/support/test.h"

#include "station/commands/image_plan.h"

#include <stdlib.h>

static struct family h75x(void)
{
        return (struct family){
                .name = "STM32H75x",
                .device_id = 0x450,
                .bank_address = { 0x08000000, 0x08100000 },
                .banks = 2,
                .bank_length = 0x100000,
                .word_length = 32,
        };
}

/* A plan of internal firmware and option bytes alone; what it borrows goes to `kept`. */
static struct image_inputs *kept;

static int make_plan(const struct image_rules *rules, struct firmware *firmware,
                     const struct bytes *words, struct image_plan *ret_plan)
{
        int r;

        image_inputs_free(&kept);
        kept = image_inputs_create();
        kept->firmware = *firmware;
        if (words->length)
                kept->options = bytes_copy(words->data, words->length);
        r = image_plan_make(rules, kept, ret_plan);
        *firmware = kept->firmware; /* merged */
        kept->firmware = (struct firmware)FIRMWARE_EMPTY;
        return r;
}

static void add(struct firmware *firmware, uint32_t address, size_t length)
{
        struct bytes bytes CLEANUP(bytes_free) = bytes_new(length);

        for (size_t i = 0; i < length; i++)
                bytes.data[i] = (uint8_t)(address + i * 7 + 1);
        assert_int_equal(firmware_add_bin(firmware, "t.bin", bytes.data, length, address), 0);
}

/* The shape of a plan, one letter an area: "FPRFC". */
static const char *shape(const struct image_plan *plan)
{
        static char text[256];

        assert_true(plan->count < sizeof(text));
        for (size_t i = 0; i < plan->count; i++)
                text[i] = plan->areas[i].type;
        text[plan->count] = '\0';
        return text;
}

static uint8_t option_words[36];
static const struct bytes options = { option_words, sizeof(option_words) };
static const struct bytes no_options;

static void firmware_rises_by_address_and_option_bytes_are_last(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct family family = h75x();
        struct image_rules rules = { .family = &family, .protocol = 2, .padding = 0xFF };

        (void)state;
        add(&firmware, 0x08030000, 0x269C);
        add(&firmware, 0x08000000, 0x34C);
        assert_int_equal(make_plan(&rules, &firmware, &options, &plan), 0);
        assert_string_equal(shape(&plan), "FFC");
        assert_int_equal(plan.areas[0].address, 0x08000000);
        assert_int_equal(plan.areas[0].length, 0x360); /* a multiple of the flash word */
        assert_int_equal(((const uint8_t *)plan.areas[0].data)[0x34C], 0xFF);
        assert_int_equal(plan.areas[1].length, 0x26A0);
        assert_int_equal(plan.areas[2].address, 0);
        assert_int_equal(plan.areas[2].length, 36);
        assert_int_equal(plan.parts, 1);
        assert_int_equal(plan.largest_part, 28 + 30 + 0x360 + 30 + 0x26A0 + 30 + 36);
}

static void protocol_1_pads_to_words_only(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct family family = h75x();
        struct image_rules rules = { .family = &family, .protocol = 1 };

        (void)state;
        add(&firmware, 0x08084000, 0x74);
        add(&firmware, 0x08090000, 0x71);
        assert_int_equal(make_plan(&rules, &firmware, &no_options, &plan), 0);
        assert_string_equal(shape(&plan), "FF");
        assert_int_equal(plan.areas[0].length, 0x74);
        assert_int_equal(plan.areas[1].length, 0x74);
}

static void what_is_not_flash_is_refused(void **state)
{
        static const struct {
                uint32_t address;
                size_t length;
        } cases[] = { { 0x20000000, 32 }, { 0x081FFFE0, 64 }, { 0x07FFFFE0, 64 }, { 0, 32 } };
        struct family family = h75x();
        struct image_rules rules = { .family = &family, .protocol = 2 };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
                struct image_plan plan = { 0 };

                add(&firmware, cases[i].address, cases[i].length);
                assert_fault(make_plan(&rules, &firmware, &options, &plan), BAD_VALUE,
                             "not in flash");
                assert_null(plan.areas);
        }
}

static void an_area_may_run_from_one_bank_into_the_next_only_where_they_touch(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct family family = h75x();
        struct image_rules rules = { .family = &family, .protocol = 2 };

        (void)state;
        add(&firmware, 0x080FFFE0, 64);
        assert_int_equal(make_plan(&rules, &firmware, &options, &plan), 0);
        image_plan_free(&plan);
        family.bank_length = 0x80000; /* the G codes: a hole behind bank 1 */
        assert_fault(make_plan(&rules, &firmware, &options, &plan), BAD_VALUE, "not in flash");
}

static void an_image_that_just_fits_is_not_split(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct family family = h75x();
        struct image_rules rules = { .family = &family, .protocol = 2 };

        (void)state;
        rules.ram_length = 28 + 30 + 1024 + 30 + 36;
        add(&firmware, 0x08000000, 1024);
        assert_int_equal(make_plan(&rules, &firmware, &options, &plan), 0);
        assert_string_equal(shape(&plan), "FC");
        assert_int_equal(plan.largest_part, rules.ram_length);
        image_plan_free(&plan);
        rules.ram_length--;
        assert_fault(make_plan(&rules, &firmware, &options, &plan), BAD_VALUE, "-ct");
        rules.token.is_given = true;
        rules.token.address = 0x081E0000;
        assert_int_equal(make_plan(&rules, &firmware, &options, &plan), 0);
        assert_int_equal(plan.parts, 2);
}

static void pauses_carry_the_token_and_the_payload_of_their_protocol(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct family family = h75x();
        struct image_rules rules = { .family = &family,
                                     .protocol = 2,
                                     .ram_length = 1500,
                                     .token.is_given = true,
                                     .token.address = 0x081E0000 };

        (void)state;
        add(&firmware, 0x08000000, 1024);
        add(&firmware, 0x08020000, 1024);
        for (rules.protocol = 1; rules.protocol <= 2; rules.protocol++) {
                struct image_plan plan CLEANUP(image_plan_free) = { 0 };

                assert_int_equal(make_plan(&rules, &firmware, &options, &plan), 0);
                assert_string_equal(shape(&plan), "FPRFC");
                for (size_t i = 1; i <= 2; i++) {
                        assert_int_equal(plan.areas[i].address, 0x081E0000);
                        assert_int_equal(plan.areas[i].length, rules.protocol == 1 ? 0 : 32);
                }
        }
}

static void firmware_larger_than_a_part_is_cut_where_a_flash_word_ends(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct family family = h75x();
        struct image_rules rules = { .family = &family,
                                     .protocol = 2,
                                     .ram_length = 1000,
                                     .token.is_given = true,
                                     .token.address = 0x081E0000 };

        (void)state;
        add(&firmware, 0x08000000, 2048);
        assert_int_equal(make_plan(&rules, &firmware, &options, &plan), 0);
        /* first part: 1000 - 28 - 30 - 62 = 880 -> 864; second: 62 less = 818 -> 800; rest 384 */
        assert_string_equal(shape(&plan), "FPRFPRFC");
        assert_int_equal(plan.areas[0].length, 864);
        assert_int_equal(plan.areas[3].address, 0x08000000 + 864);
        assert_int_equal(plan.areas[3].length, 800);
        assert_int_equal(plan.areas[6].length, 384);
        assert_int_equal(plan.parts, 3);
}

static void option_bytes_are_never_cut(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan = { 0 };
        struct family family = h75x();
        struct image_rules rules = { .family = &family,
                                     .protocol = 1,
                                     .ram_length = 150,
                                     .token.is_given = true,
                                     .token.address = 0x081E0000 };
        uint8_t words[100] = { 0 };
        struct bytes large = { words, sizeof(words) };

        (void)state;
        add(&firmware, 0x08000000, 32);
        assert_fault(make_plan(&rules, &firmware, &large, &plan), NO_ROOM,
                     "option bytes area of 100 bytes");
        rules.ram_length = 80;
        assert_fault(make_plan(&rules, &firmware, &no_options, &plan), NO_ROOM,
                     "firmware area of 32 bytes");
        assert_null(plan.areas);
}

static void the_token_must_lie_in_flash_and_out_of_the_way(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan = { 0 };
        struct family family = h75x();
        struct image_rules rules = { .family = &family, .protocol = 2, .token.is_given = true };

        (void)state;
        add(&firmware, 0x08000000, 64);
        rules.token.address = 0x20000000;
        assert_fault(make_plan(&rules, &firmware, &options, &plan), BAD_VALUE,
                     "wanted a multiple of 32 in the flash");
        rules.token.address = 0x081E0010;
        assert_fault(make_plan(&rules, &firmware, &options, &plan), BAD_VALUE,
                     "wanted a multiple of 32 in the flash");
        rules.token.address = 0x08000020;
        assert_fault(make_plan(&rules, &firmware, &options, &plan), BAD_VALUE,
                     "lies in t.bin (0x08000000..0x0800003F)");
}

/* --- any image, any RAM -------------------------------------------------------------------- */

static uint32_t state_of_chance;

static uint32_t chance(uint32_t below)
{
        state_of_chance = state_of_chance * 1664525 + 1013904223;
        return (state_of_chance >> 8) % below;
}

/* What a target would have in flash after all parts, and what every part must keep to. */
static void check_plan(const struct image_rules *rules, const struct firmware *firmware,
                       const struct image_plan *plan)
{
        uint64_t used = 28, largest = 0;
        size_t segment = 0, at = 0, parts = 1;

        for (size_t i = 0; i < plan->count; i++) {
                const struct sfi_plain_area *area = &plan->areas[i];

                if (area->type == 'R') { /* opens the next part, right after a P */
                        assert_true(i > 0 && plan->areas[i - 1].type == 'P');
                        largest = used > largest ? used : largest;
                        used = 28;
                        parts++;
                }
                used += 30 + area->length;
                assert_true(used <= rules->ram_length);
                if (area->type != 'F')
                        continue;
                assert_true(segment < firmware->count);
                assert_int_equal(area->length % 32, 0);
                assert_int_equal(area->address, firmware->segments[segment].address + at);
                assert_memory_equal(area->data, firmware->segments[segment].data.data + at,
                                    area->length);
                at += area->length;
                if (at == firmware->segments[segment].data.length) {
                        segment++;
                        at = 0;
                }
        }
        assert_int_equal(segment, firmware->count);
        assert_int_equal(plan->areas[plan->count - 1].type, 'C');
        assert_int_equal(plan->parts, parts);
        assert_int_equal(plan->largest_part, used > largest ? used : largest);
}

static void any_split_keeps_every_byte_and_every_limit(void **state)
{
        struct family family = h75x();

        (void)state;
        for (uint32_t seed = 1; seed <= 2000; seed++) {
                struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
                struct image_plan plan CLEANUP(image_plan_free) = { 0 };
                struct image_rules rules = { .family = &family,
                                             .protocol = (uint16_t)(1 + seed % 2),
                                             .token.is_given = true,
                                             .token.address = 0x081E0000 };

                state_of_chance = seed;
                rules.ram_length = 250 + chance(3000);
                for (uint32_t i = 0, count = 1 + chance(6); i < count; i++)
                        add(&firmware, 0x08000000 + 0x20000 * i, 32 * (1 + chance(100)));
                assert_int_equal(make_plan(&rules, &firmware, &options, &plan), 0);
                check_plan(&rules, &firmware, &plan);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(firmware_rises_by_address_and_option_bytes_are_last),
                cmocka_unit_test(protocol_1_pads_to_words_only),
                cmocka_unit_test(what_is_not_flash_is_refused),
                cmocka_unit_test(an_area_may_run_from_one_bank_into_the_next_only_where_they_touch),
                cmocka_unit_test(an_image_that_just_fits_is_not_split),
                cmocka_unit_test(pauses_carry_the_token_and_the_payload_of_their_protocol),
                cmocka_unit_test(firmware_larger_than_a_part_is_cut_where_a_flash_word_ends),
                cmocka_unit_test(option_bytes_are_never_cut),
                cmocka_unit_test(the_token_must_lie_in_flash_and_out_of_the_way),
                cmocka_unit_test(any_split_keeps_every_byte_and_every_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
