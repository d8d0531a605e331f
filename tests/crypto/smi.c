#include "tests/support/test.h"

#include "crypto/smi.h"
#include "scheduler/bytes.h"

/* The header ST's FIR_module.smi begins with (spec/secure-install.md section 5); code shortened. */
static const uint8_t fir_module[] = {
        'S',  'M',  'I',  'M',  'A',  'G',  'I',  'C',  0x00, 0x00, 0x08, 0x08, 0x04,
        0x00, 0,    0,    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9,
        0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF, 1,    0,    0,    0,    2,    0,    0,
        0,    3,    0,    0,    0,    4,    0,    0,    0,    0xDE, 0xAD, 0xBE, 0xEF,
};

static void a_module_gives_its_fields(void **state)
{
        struct smi smi;

        (void)state;
        assert_int_equal(smi_parse("m.smi", fir_module, sizeof(fir_module), &smi), 0);
        assert_int_equal(smi.destination, 0x08080000);
        assert_int_equal(smi.code_length, 4);
        assert_int_equal(smi.tag[15], 0xAF);
        for (unsigned i = 0; i < SMI_VERSION_WORDS; i++)
                assert_int_equal(smi.security_version[i], i + 1);
        assert_int_equal(smi.code[0], 0xDE);
}

static void broken_modules_are_refused(void **state)
{
        static const struct {
                size_t offset;
                uint8_t value;
                const char *reason;
        } cases[] = {
                { 0, 'X', "offset 0: the magic" },
                { 12, 5, "offset 12: 5 bytes of code are announced, 4 follow" },
                { 12, 3, "offset 12: 3 bytes of code are announced, 4 follow" },
                { 15, 0xFF, "are announced, 4 follow" },
        };
        uint8_t file[sizeof(fir_module)];
        struct smi smi = { .code_length = 77 };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                memcpy(file, fir_module, sizeof(file));
                file[cases[i].offset] = cases[i].value;
                assert_fault(smi_parse("m.smi", file, sizeof(file), &smi), BAD_FILE,
                             cases[i].reason);
        }
        for (size_t length = 0; length < SMI_HEADER_LENGTH; length++)
                assert_fault(smi_parse("m.smi", fir_module, length, &smi), BAD_FILE,
                             "an .smi has 48 to");
        memcpy(file, fir_module, sizeof(file));
        file[12] = 0;
        assert_fault(smi_parse("m.smi", file, SMI_HEADER_LENGTH, &smi), BAD_FILE, "holds no code");
        memset(file + 8, 0xFF, 4);
        file[12] = 4;
        assert_fault(smi_parse("m.smi", file, sizeof(file), &smi), BAD_FILE,
                     "beyond the address space");
        assert_int_equal(smi.code_length, 77);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_module_gives_its_fields),
                cmocka_unit_test(broken_modules_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
