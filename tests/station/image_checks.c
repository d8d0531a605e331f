/*
 * Files that do not fit together, or not the part: each is refused, and the sentence names both files,
 * where in them, and the addresses.
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

static struct image_token token = { true, 0x081FE000 };

static void add(struct firmware *firmware, const char *name, uint32_t address, size_t length)
{
        struct bytes bytes CLEANUP(bytes_free) = bytes_new(length);

        for (size_t i = 0; i < length; i++)
                bytes.data[i] = (uint8_t)(address + i * 13 + 5);
        assert_int_equal(firmware_add_bin(firmware, name, bytes.data, length, address), 0);
}

static struct image_external *add_external(struct image_inputs *inputs, const char *name,
                                           uint32_t address, size_t length, uint32_t region)
{
        struct image_external *external = &inputs->externals[inputs->external_count++];

        *external = (struct image_external){
                .path = name, .region = region, .mode = 2, .key_address = 0x0800A000
        };
        add(&external->firmware, name, address, length);
        return external;
}

static void add_key(struct image_inputs *inputs, uint32_t address, uint32_t length)
{
        inputs->key_file = "k.kcsv";
        inputs->key_areas.areas[inputs->key_areas.count] =
                (struct key_area){ length, address, (unsigned)inputs->key_areas.count + 1 };
        inputs->key_areas.count++;
}

static void add_module(struct image_inputs *inputs, uint32_t address, size_t length)
{
        struct image_blob *blob = &inputs->blobs[inputs->blob_count++];

        *blob = (struct image_blob){ .type = SFI_MODULE,
                                     .address = address,
                                     .span = (uint32_t)length,
                                     .path = "m.smu",
                                     .data = bytes_new(length) };
}

static struct image_inputs *good(void)
{
        struct image_inputs *inputs = image_inputs_create();

        add(&inputs->firmware, "ns.bin", 0x08100000, 1000);
        add(&inputs->firmware, "s.bin", 0x0C000000, 1000);
        add_key(inputs, 0x0800A000, 16);
        add_external(inputs, "x.bin", 0x70000000, 5000, 4);
        return inputs;
}

static void what_fits_together_is_taken(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();

        (void)state;
        assert_int_equal(image_check(&u5, inputs, &token), 0);
}

static void two_files_for_the_same_bytes_are_named_with_addresses(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();

        (void)state;
        add_key(inputs, 0x081003E0, 16); /* inside ns.bin */
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE,
                     "ns.bin (0x08100000..0x081003E7) and k.kcsv line 2 (0x081003E0..0x081003EF)");
}

static void the_secure_alias_hides_no_overlap(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();

        (void)state;
        add(&inputs->firmware, "again.bin", 0x080003E0, 64);
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE,
                     "s.bin (0x0C000000..0x0C0003E7) and again.bin (0x080003E0..0x0800041F)");
}

static void two_aliases_do_not_share_a_flash_word(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = image_inputs_create();

        (void)state;
        add(&inputs->firmware, "s.bin", 0x0C000000, 1000); /* ends in the middle of a word */
        add(&inputs->firmware, "ns.bin", 0x080003E8, 8);
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE, "share a flash word");
}

static void modules_claim_their_flash(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();

        (void)state;
        add_module(inputs, 0x08100300, 512);
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE, "ns.bin (0x08100000");
        inputs->blobs[0].address = 0x20000000;
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE,
                     "m.smu: area 0x20000000..0x200001FF not in flash");
}

static void keys_and_firmware_must_be_in_flash(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();

        (void)state;
        add_key(inputs, 0x20000000, 16);
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE,
                     "k.kcsv: area 0x20000000..0x2000000F not in flash");
}

static void the_token_is_a_word_of_flash_nobody_uses(void **state)
{
        static const struct {
                uint32_t address;
                const char *sentence;
        } cases[] = { { 0x0800A000, "lies in k.kcsv line 1" },
                      { 0x0C100000, "lies in ns.bin" }, /* by the other alias */
                      { 0x081FE008, "a multiple of 16" },
                      { 0x70000000, "in the flash of STM32U575" } };
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct image_token bad = { true, cases[i].address };

                assert_fault(image_check(&u5, inputs, &bad), BAD_VALUE, cases[i].sentence);
        }
}

static void external_firmware_must_lie_behind_the_otfdec_of_its_region(void **state)
{
        static const struct {
                uint32_t address, region;
                const char *sentence;
        } cases[] = { { 0x90000000, 4,
                        "region is 4, the OTFDEC of 0x90000000 on STM32U575 has "
                        "regions 0 to 3" },
                      { 0x70000000, 3, "regions 4 to 7" },
                      { 0x60000000, 0, "not in external flash" },
                      { 0x9FFFFFF0, 0, "not in external flash" } };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct image_inputs *inputs CLEANUP(image_inputs_free) = image_inputs_create();

                add_key(inputs, 0x0800A000, 16);
                add_external(inputs, "x.bin", cases[i].address, 32, cases[i].region);
                assert_fault(image_check(&u5, inputs, &token), BAD_VALUE, cases[i].sentence);
        }
}

static void a_part_without_otfdec_takes_no_external_firmware(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();
        struct family plain = u5;

        (void)state;
        plain.externals[1].regions = 0;
        assert_fault(image_check(&plain, inputs, &token), BAD_VALUE, "no OTFDEC");
        plain.external_count = 0;
        assert_fault(image_check(&plain, inputs, &token), BAD_VALUE, "none for secure installs");
}

static void the_key_address_is_in_internal_flash(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();

        (void)state;
        inputs->externals[0].key_address = 0x70001000;
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE,
                     "the key address 0x70001000 is not in the internal flash");
}

static void regions_share_no_page_and_have_one_key_and_mode(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = good();
        struct image_external *other;

        (void)state;
        /* x.bin fills 5000 bytes: two pages of 4096 */
        other = add_external(inputs, "y.bin", 0x70001F00, 16, 5);
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE,
                     "OTFDEC regions 4 (x.bin, 0x70000000..0x70001FFF) and 5 (y.bin, "
                     "0x70001000..0x70001FFF) overlap");
        other->region = 4;
        assert_int_equal(image_check(&u5, inputs, &token), 0);
        other->mode = 1;
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE, "mode 2 and 1");
        other->mode = 2;
        other->key_address = 0x0800A010;
        assert_fault(image_check(&u5, inputs, &token), BAD_VALUE, "0x0800A000 and 0x0800A010");
}

static void padding_reaches_into_no_key(void **state)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = image_inputs_create();
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct image_rules rules = { .family = &u5, .protocol = 2, .padding = 0xFF };

        (void)state;
        add(&inputs->firmware, "a.bin", 0x08000000, 0x58); /* its last word ends at 0x60 */
        add(&inputs->firmware, "b.bin", 0x08000070, 16);
        add_key(inputs, 0x08000060, 16); /* in the gap, which is short enough to be filled */
        assert_int_equal(image_plan_make(&rules, inputs, &plan), 0);
        assert_int_equal(plan.count, 3);
        assert_int_equal(plan.areas[0].length, 0x60);
        image_plan_free(&plan);
        inputs->key_areas.areas[0].address = 0x08000058 + 4; /* in the tail of the last word */
        assert_fault(image_plan_make(&rules, inputs, &plan), BAD_VALUE, "overlap");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_fits_together_is_taken),
                cmocka_unit_test(two_files_for_the_same_bytes_are_named_with_addresses),
                cmocka_unit_test(the_secure_alias_hides_no_overlap),
                cmocka_unit_test(two_aliases_do_not_share_a_flash_word),
                cmocka_unit_test(modules_claim_their_flash),
                cmocka_unit_test(keys_and_firmware_must_be_in_flash),
                cmocka_unit_test(the_token_is_a_word_of_flash_nobody_uses),
                cmocka_unit_test(external_firmware_must_lie_behind_the_otfdec_of_its_region),
                cmocka_unit_test(a_part_without_otfdec_takes_no_external_firmware),
                cmocka_unit_test(the_key_address_is_in_internal_flash),
                cmocka_unit_test(regions_share_no_page_and_have_one_key_and_mode),
                cmocka_unit_test(padding_reaches_into_no_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
