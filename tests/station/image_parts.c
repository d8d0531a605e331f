/*
 * Plans with external firmware, keys and digests: what stands where, and that nothing is lost when it
 * is cut. Plain firmware is in image_plan.c.
 */
#include "tests/support/test.h"

#include "station/commands/image_plan.h"

#include <stdlib.h>
#include <string.h>

static const struct family u5 = {
        .name = "STM32U575",
        .bank_address = { 0x08000000, 0x08100000 },
        .banks = 2,
        .bank_length = 0x100000,
        .word_length = 16,
        .secure_alias = 0x04000000,
        .externals = { { 0x90000000, 0x10000000, 0, 4 }, { 0x70000000, 0x10000000, 4, 4 } },
        .external_count = 2,
};

static uint8_t byte_at(uint32_t address)
{
        return (uint8_t)(address * 13 + (address >> 8) + 5);
}

static void add(struct firmware *firmware, uint32_t address, size_t length)
{
        struct bytes bytes CLEANUP(bytes_free) = bytes_new(length);

        for (size_t i = 0; i < length; i++)
                bytes.data[i] = byte_at((uint32_t)(address + i));
        assert_int_equal(firmware_add_bin(firmware, "t.bin", bytes.data, length, address), 0);
}

static void add_external(struct image_inputs *inputs, uint32_t address, size_t length)
{
        struct image_external *external = &inputs->externals[inputs->external_count++];

        *external = (struct image_external){
                .path = "x.bin", .region = 4, .mode = 1, .key_address = 0x0800A000
        };
        add(&external->firmware, address, length);
}

static struct image_inputs *full(size_t external)
{
        struct image_inputs *inputs = image_inputs_create();

        add(&inputs->firmware, 0x08100000, 600);
        add(&inputs->firmware, 0x0800A000, 16);
        add(&inputs->firmware, 0x0C000000, 300);
        inputs->key_file = "k.kcsv";
        inputs->key_areas.count = 1;
        inputs->key_areas.areas[0] = (struct key_area){ 32, 0x0800C000, 1 };
        add_external(inputs, 0x70000000, external);
        inputs->options = bytes_new(48);
        return inputs;
}

static const char *shape(const struct image_plan *plan)
{
        static char text[512];

        assert_true(plan->count < sizeof(text));
        for (size_t i = 0; i < plan->count; i++)
                text[i] = plan->areas[i].type;
        text[plan->count] = '\0';
        return text;
}

static struct image_rules rules_of(uint32_t ram)
{
        return (struct image_rules){ .family = &u5,
                                     .protocol = 2,
                                     .padding = 0xFF,
                                     .ram_length = ram,
                                     .token = { true, 0x081FE000 } };
}

static void everything_internal_stands_before_p_and_r_and_external_firmware(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = full(1000);
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct image_rules rules = rules_of(0);

        (void)state;
        assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
        assert_string_equal(shape(&plan),
                            "FFFKPREPRC"); /* option bytes may close the part: after E */
        assert_int_equal(plan.parts, 3);
        assert_int_equal(plan.areas[3].address, 0x0800C000);
        assert_int_equal(plan.areas[3].length, 8);
        assert_int_equal(load_le32(plan.areas[3].data), 32);
        assert_int_equal(plan.areas[6].address, 0x70000000);
        assert_int_equal(plan.areas[6].length, 12 + 1008); /* whole blocks of the cipher */
        assert_int_equal(load_le32(plan.areas[6].data), 4);
        assert_int_equal(load_le32((const uint8_t *)plan.areas[6].data + 4), 1);
        assert_int_equal(load_le32((const uint8_t *)plan.areas[6].data + 8), 0x0800A000);
}

static void external_firmware_wants_a_token(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = full(1000);
        struct image_plan plan = { 0 };
        struct image_rules rules = rules_of(0);

        (void)state;
        rules.token.is_given = false;
        assert_fault(image_plan_make(&rules, inputs, &plan), BAD_VALUE, "-ct");
        assert_null(plan.areas);
}

/* Every byte of E exactly once, each piece with its prefix, every part within the RAM. */
static void check_pieces(const struct image_plan *plan, uint32_t ram, size_t external)
{
        uint32_t next = 0x70000000;
        size_t used = 28, parts = 1;

        for (size_t i = 0; i < plan->count; i++) {
                const struct sfi_plain_area *area = &plan->areas[i];
                const uint8_t *data = area->data;

                if (area->type == SFI_RESUME) {
                        assert_int_equal(plan->areas[i - 1].type, SFI_PAUSE);
                        used = 28;
                        parts++;
                }
                used += 30 + area->length;
                assert_true(used <= ram);
                if (area->type != SFI_EXTERNAL)
                        continue;
                assert_int_equal(area->address, next);
                assert_int_equal((area->length - 12) % 16, 0);
                assert_int_equal(load_le32(data), 4);
                assert_int_equal(load_le32(data + 8), 0x0800A000);
                for (size_t j = 12; j < area->length && next + (j - 12) < 0x70000000 + external;
                     j++)
                        assert_int_equal(data[j], byte_at((uint32_t)(next + (j - 12))));
                next += (uint32_t)(area->length - 12);
        }
        assert_int_equal(next, 0x70000000 + (external + 15) / 16 * 16);
        assert_int_equal(parts, plan->parts);
        assert_true(plan->largest_part <= ram);
}

static void each_piece_of_external_firmware_repeats_the_prefix(void **state)
{
        (void)state;
        for (uint32_t ram = 900; ram < 3000; ram += 37) {
                struct image_inputs *inputs CLEANUP(image_inputs_free) = full(5000);
                struct image_plan plan CLEANUP(image_plan_free) = { 0 };
                struct image_rules rules = rules_of(ram);

                assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
                assert_true(plan.parts > 2);
                check_pieces(&plan, ram, 5000);
        }
}

/* Sizes around which the last piece just fits, or just does not. */
static void no_size_of_external_firmware_breaks_the_limit(void **state)
{
        (void)state;
        for (size_t external = 1; external < 1200; external += 7) {
                struct image_inputs *inputs CLEANUP(image_inputs_free) = full(external);
                struct image_plan plan CLEANUP(image_plan_free) = { 0 };
                struct image_rules rules = rules_of(1024);

                assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
                check_pieces(&plan, 1024, external);
        }
}

static bool share(const struct sfi_plain_area *a, const struct sfi_plain_area *b)
{
        uintptr_t x = (uintptr_t)a->data, y = (uintptr_t)b->data;

        return a->length && b->length && x < y + b->length && y < x + a->length;
}

/* They are sealed where they lie. */
static void no_two_areas_share_a_byte(void **state)
{
        (void)state;
        for (uint32_t ram = 0; ram < 3000; ram += 999) {
                struct image_inputs *inputs CLEANUP(image_inputs_free) = full(5000);
                struct image_plan plan CLEANUP(image_plan_free) = { 0 };
                struct image_rules rules = rules_of(ram);

                rules.has_hash = true;
                assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
                assert_int_equal(plan.parts > 3, ram > 0);
                for (size_t i = 0; i < plan.count; i++)
                        for (size_t j = 0; j < i; j++)
                                assert_false(share(&plan.areas[i], &plan.areas[j]));
                assert_null(inputs->externals[0].firmware.segments[0].data.data);
        }
}

static void keys_are_never_cut(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = full(64);
        struct image_plan plan = { 0 };
        struct image_rules rules = rules_of(300);

        (void)state;
        inputs->key_areas.count = 0;
        for (uint32_t i = 0; i < 40; i++)
                inputs->key_areas.areas[inputs->key_areas.count++] =
                        (struct key_area){ 16, 0x08010000 + 16 * i, i + 1 };
        assert_fault(image_plan_make(&rules, inputs, &plan), NO_ROOM,
                     "the random keys area of 320 bytes at 0x08010000");
}

static void parts_that_must_be_are_made_where_nothing_asks_for_them(void **state)
{
        static const struct {
                bool has_options, has_second;
                const char *shape;
        } cases[] = { { true, true, "FFPRC" },
                      { false, true, "FPRF" },
                      { true, false, "FPRC" },
                      { false, false, "FPRF" } }; /* the one area is cut in two */

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct image_inputs *inputs CLEANUP(image_inputs_free) = image_inputs_create();
                struct image_plan plan CLEANUP(image_plan_free) = { 0 };
                struct image_rules rules = rules_of(4096);

                add(&inputs->firmware, 0x08000000, 600);
                if (cases[i].has_second)
                        add(&inputs->firmware, 0x08010000, 600);
                if (cases[i].has_options)
                        inputs->options = bytes_new(36);
                rules.always_parts = true;
                assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
                assert_string_equal(shape(&plan), cases[i].shape);
                assert_int_equal(plan.parts, 2);
        }
}

static void parts_that_are_there_already_are_enough(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = image_inputs_create();
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct image_rules rules = rules_of(800);

        (void)state;
        add(&inputs->firmware, 0x08000000, 1000);
        inputs->options = bytes_new(36);
        rules.always_parts = true;
        assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
        assert_string_equal(shape(&plan), "FPRFC");
}

static void an_area_too_short_to_cut_is_told_so(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = image_inputs_create();
        struct image_plan plan = { 0 };
        struct image_rules rules = rules_of(0);

        (void)state;
        add(&inputs->firmware, 0x08000000, 16);
        rules.always_parts = true;
        assert_fault(image_plan_make(&rules, inputs, &plan), NO_ROOM, "too short for pause");
}

static void the_digest_in_p_and_r_is_that_of_the_firmware_however_it_is_cut(void **state)
{
        uint8_t digests[2][DIGEST_LENGTH];

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                struct image_inputs *inputs CLEANUP(image_inputs_free) = full(3000);
                struct image_plan plan CLEANUP(image_plan_free) = { 0 };
                struct image_rules rules = rules_of(i ? 1024 : 0);
                size_t pauses = 0;

                rules.has_hash = rules.always_parts = true;
                assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
                image_firmware_digest(plan.areas, plan.count, digests[i]);
                for (size_t j = 0; j < plan.count; j++) {
                        if (plan.areas[j].type != SFI_PAUSE && plan.areas[j].type != SFI_RESUME)
                                continue;
                        assert_int_equal(plan.areas[j].length, DIGEST_LENGTH);
                        assert_memory_equal(plan.areas[j].data, digests[i], DIGEST_LENGTH);
                        pauses++;
                }
                assert_true(pauses >= 2);
        }
        assert_memory_equal(digests[0], digests[1], DIGEST_LENGTH);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(everything_internal_stands_before_p_and_r_and_external_firmware),
                cmocka_unit_test(external_firmware_wants_a_token),
                cmocka_unit_test(each_piece_of_external_firmware_repeats_the_prefix),
                cmocka_unit_test(no_size_of_external_firmware_breaks_the_limit),
                cmocka_unit_test(no_two_areas_share_a_byte),
                cmocka_unit_test(keys_are_never_cut),
                cmocka_unit_test(parts_that_must_be_are_made_where_nothing_asks_for_them),
                cmocka_unit_test(parts_that_are_there_already_are_enough),
                cmocka_unit_test(an_area_too_short_to_cut_is_told_so),
                cmocka_unit_test(the_digest_in_p_and_r_is_that_of_the_firmware_however_it_is_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
