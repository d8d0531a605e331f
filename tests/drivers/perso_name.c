/* Names of personalization packages: those of ST's documents and logs, and what is none. */
#include "tests/support/test.h"

#include "drivers/perso_name.h"

#include <string.h>

static const struct {
        const char *path, *family;
        struct hsm_personalization is;
} good[] = {
        { "STM32WBA5_49202013_SFIA_01000000_00000000.enc.bin",
          "STM32WBA5",
          { "49202013", "SFIA", 1, 0 } },
        { "STM32MP1_5000200A_SSP_01000000_00000000.enc.bin",
          "STM32MP1",
          { "5000200A", "SSP", 1, 0 } },
        { "47201003_SFI._01000000_00000000.enc.bin", "", { "47201003", "SFI", 1, 0 } },
        { "47201003_SFI_01000000_00000000.enc.bin", "", { "47201003", "SFI", 1, 0 } },
        { "../a_b/PersoPackages/SFIA/STM32-X_45002001_SMU._02000000_0a0B0000.enc.bin",
          "STM32-X",
          { "45002001", "SMU", 2, 0x0B0A } },
};

static void names_of_documents_and_logs_are_read(void **state)
{
        struct perso_name name;

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(good); i++) {
                const struct hsm_personalization *is = &name.personalization;

                assert_int_equal(perso_name_parse(good[i].path, &name), 0);
                assert_string_equal(name.family, good[i].family);
                assert_string_equal(is->product_id, good[i].is.product_id);
                assert_string_equal(is->flow, good[i].is.flow);
                assert_int_equal(is->license_version, good[i].is.license_version);
                assert_int_equal(is->security_version, good[i].is.security_version);
        }
}

static const char *const bad[][2] = {
        { "", ".enc.bin" },
        { ".enc.bin", "does not end" },
        { "enc_ST_Perso_L5.bin", "does not end in .enc.bin" },
        { "47201003_SFI_01000000_00000000.bin", "does not end in .enc.bin" },
        { "47201003_SFI_01000000_00000000.enc.bin.txt", "does not end in .enc.bin" },
        { "47201003_01000000_00000000.enc.bin", "too few fields" },
        { "x.enc.bin", "too few fields" },
        { "_47201003_SFI_01000000_00000000.enc.bin", "family" },
        { "A_B_47201003_SFI_01000000_00000000.enc.bin", "family" },
        { "ABCDEFGHIJKLMNOPQRSTUVWXYZ_47201003_SFI_01000000_00000000.enc.bin", "family" },
        { "4720100_SFI_01000000_00000000.enc.bin", "product id" },
        { "4720100a_SFI_01000000_00000000.enc.bin", "product id" },
        { "47201003_SFIX_01000000_00000000.enc.bin", "flow" },
        { "47201003_SFI.._01000000_00000000.enc.bin", "flow" },
        { "47201003_SF._01000000_00000000.enc.bin", "flow" },
        { "47201003_sfi_01000000_00000000.enc.bin", "flow" },
        { "47201003_SFI_0100000_00000000.enc.bin", "license version" },
        { "47201003_SFI_0100000G_00000000.enc.bin", "license version" },
        { "47201003_SFI_00000000_00000000.enc.bin", "license version is 0" },
        { "47201003_SFI_01000000_000000000.enc.bin", "security version" },
        { "47201003_SFI_01000000_.enc.bin", "security version" },
        { "A123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
          "89_47201003_SFI_01000000_00000000.enc.bin",
          "too long" },
};

static void a_name_that_says_something_else_is_refused_by_part(void **state)
{
        struct perso_name name = { .family = "untouched" };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(bad); i++)
                assert_fault(perso_name_parse(bad[i][0], &name), BAD_VALUE, bad[i][1]);
        assert_string_equal(name.family, "untouched");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_of_documents_and_logs_are_read),
                cmocka_unit_test(a_name_that_says_something_else_is_refused_by_part),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
