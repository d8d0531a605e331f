/*
 * Conditions of an install, family by family: on a virgin part each one holds, spoiled in one way that
 * line fails and says both values, and an install gets the same as its fault. The part stays as it was.
 */
#include "tests/drivers/bed.h"

#include <glob.h>
#include <stdio.h>

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

/* A bed with all that is asked of it; the profile is not the one the part was made by. */
struct desk {
        struct bed *bed;
        struct rss_profile profile;
        uint32_t options[OPTION_ROWS_MAX];
        struct target_identity identity;
        struct preflight_request request;
        struct preflight preflight;
};

static struct desk desk;

static bool has_otfdec(const struct family *family)
{
        return family->otfdec_registers != 0;
}

static void attach(void)
{
        assert_int_equal(target_attach(&desk.bed->target, 24000), 0);
        assert_int_equal(target_identify(&desk.bed->target, &desk.identity), 0);
        assert_int_equal(target_read_options(&desk.bed->target, desk.options), 0);
}

static void begin(const char *file)
{
        struct family family;
        char rss[80];

        assert_int_equal(family_load(file, &family), 0);
        snprintf(rss, sizeof(rss), "configs/rss/%s.conf",
                 family.rss_profile[0] ? family.rss_profile : "reference-h7");
        desk.bed = bed_make_as(file, rss, NULL);
        desk.profile = desk.bed->profile;
        attach();
        desk.request = (struct preflight_request){
                .target = &desk.bed->target,
                .options = desk.options,
                .conditions = family.conditions,
                .rss = family.rss_profile[0] ? &desk.profile : NULL,
                .is_external = has_otfdec(&family),
                .identity = &desk.identity,
        };
}

static void begin_family(const char *name)
{
        char file[80];

        snprintf(file, sizeof(file), "configs/targets/stm32%s.conf", name);
        begin(file);
}

static void end(void)
{
        bed_free(desk.bed);
}

static void power_cycle(void)
{
        bed_power(desk.bed, false);
        bed_power(desk.bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        attach();
}

static void look(void)
{
        assert_int_equal(preflight_look(&desk.request, &desk.preflight), 0);
}

/* NULL: there is no such line */
static const struct preflight_line *find_line(const char *name)
{
        for (size_t i = 0; i < desk.preflight.count; i++)
                if (strcmp(desk.preflight.lines[i].name, name) == 0)
                        return &desk.preflight.lines[i];
        return NULL;
}

static void assert_line(const char *name, enum preflight_answer answer, const char *measured,
                        const char *wanted)
{
        const struct preflight_line *line = find_line(name);

        if (!line || line->answer != answer || !strstr(line->measured, measured) ||
            strcmp(line->wanted, wanted) != 0)
                fail_msg("%s: %s, measured '%s', wanted '%s'", name,
                         line ? preflight_word(line->answer) : "not there",
                         line ? line->measured : "", line ? line->wanted : "");
}

/* --- ways to spoil each ---------------------------------------------------------------------- */

static void set_role(enum field_role role, uint32_t value)
{
        const struct family_field *field = family_field(&desk.bed->family, role);

        assert_non_null(field);
        family_field_set(field, desk.options, value);
}

static void level_1(void)
{
        set_role(ROLE_READOUT, 0xBB);
}

static void other_state(void)
{
        set_role(ROLE_STATE, 0x17);
}

static void security_on(void)
{
        set_role(ROLE_SECURITY, family_field(&desk.bed->family, ROLE_SECURITY)->on);
}

static void trustzone_on(void)
{
        set_role(ROLE_TRUSTZONE, family_field(&desk.bed->family, ROLE_TRUSTZONE)->on);
}

static void area(enum area_kind kind)
{
        const struct family *family = &desk.bed->family;
        const struct family_field *start = NULL;

        for (size_t i = 0; i < family->field_count && !start; i++)
                if (family->fields[i].role == ROLE_START && family->fields[i].kind == kind)
                        start = &family->fields[i];
        INSIST(start);
        if (start->when)
                trustzone_on();
        family_field_set(start, desk.options, 1);
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_END &&
                    strcmp(family->fields[i].group, start->group) == 0)
                        family_field_set(&family->fields[i], desk.options, 2);
}

static void pcrop(void)
{
        area(AREA_PCROP);
}

static void secure(void)
{
        area(AREA_SECURE);
}

static void watermark(void)
{
        area(AREA_WATERMARK);
}

static void hidden(void)
{
        area(AREA_HIDDEN);
}

static void write_protection(void)
{
        if (family_field(&desk.bed->family, ROLE_UNPROTECTED_BITS))
                set_role(ROLE_UNPROTECTED_BITS, UINT32_MAX - 1);
        else
                area(AREA_WRITE);
}

static void lock(void)
{
        set_role(ROLE_LOCK, family_field(&desk.bed->family, ROLE_LOCK)->on);
}

static void other_options(void)
{
        desk.options[0] ^= 1u << 9; /* BOR_LEV of the WL */
}

static void no_otfdec(void)
{
        desk.bed->family.external_count = 0;
}

static void boot_field(void)
{
        const struct family *family = &desk.bed->family;
        size_t i = 0;

        while (strcmp(family->fields[i].name, "nBOOT0") != 0)
                i++;
        family_field_set(&family->fields[i], desk.options, 0);
}

static void no_rsse(void)
{
        desk.profile.rsse_count = 0;
}

static void boot_pin_low(void)
{
        part_set_boot_pin(desk.bed->part, false);
        power_cycle();
}

static void other_marker(void)
{
        desk.profile.marker_address += 4;
}

static void used_flash(void)
{
        part_fill_flash(desk.bed->part, 0x08000105, "\x5A", 1);
}

static const struct way {
        const char *name;
        void (*spoil)(void);
        enum fault fault;
        const char *measured;
        bool is_looked_at; /* an install does not ask */
} ways[] = {
        { "read-out protection", level_1, FAULT_LOCKED, "0xBB (level 1)", false },
        { "product state", other_state, FAULT_LOCKED, "0x17 (provisioning)", false },
        { "security", security_on, FAULT_PROTECTED, "ESE 0x1 (OPTR 0x", false },
        { "TrustZone", trustzone_on, FAULT_PROTECTED, "TZEN 0x", false },
        { "PCROP area", pcrop, FAULT_PROTECTED, "0x0800", false },
        { "secure area", secure, FAULT_PROTECTED, "0x0800", false },
        { "secure flash", watermark, FAULT_PROTECTED, "0x0800", false },
        { "write protection", write_protection, FAULT_PROTECTED, "(", false },
        { "hidden area", hidden, FAULT_PROTECTED, "0x0800", false },
        { "lock", lock, FAULT_PROTECTED, "0x", false },
        { "option bytes", other_options, FAULT_OPTION_BYTES, "OPTR 0x0F8F72AA", false },
        { "OTFDEC", no_otfdec, FAULT_WRONG_PART, "none", false },
        { "SFIx option bytes", boot_field, FAULT_OPTION_BYTES, "nBOOT0 0", false },
        { "RSSe", no_rsse, FAULT_NOT_FOUND, "names no RSSe for device 0x", true },
        { "boot", boot_pin_low, FAULT_BOOT_PIN, "not in system memory", false },
        { "RSS profile", other_marker, FAULT_REFERENCE_ONLY, "does not carry its marker", false },
        { "flash memory", used_flash, FAULT_NOT_BLANK, "0x08000105 holds 0x5A", true },
};

/* What no spoiling decides: L462 has no way in, and where the services firmware can be read is not
 * public; which parts of a die have the OTFDEC neither. */
static bool is_settled(const struct preflight_line *line)
{
        return strcmp(line->name, "interface") == 0 || strcmp(line->name, "services firmware") == 0;
}

/* TrustZone is what makes secure flash count; a WL wants all of its option bytes as they came. */
static bool may_fail_too(const struct preflight_line *line, const struct way *way)
{
        return (way->spoil == watermark && strcmp(line->name, "TrustZone") == 0) ||
               strcmp(line->name, "option bytes") == 0;
}

static void assert_failed(const char *file, const struct way *way,
                          const struct preflight_line *line)
{
        INSIST(line);
        if (line->answer != PREFLIGHT_FAILS || line->fault != way->fault ||
            !strstr(line->measured, way->measured) || !line->wanted[0] || !line->source[0])
                fail_msg("%s, %s: fault %d, '%s'", file, way->name, (int)line->fault,
                         line->measured);
        assert_false(preflight_holds(&desk.preflight));
}

static void assert_no_other_failed(const char *file, const struct way *way)
{
        for (size_t i = 0; i < desk.preflight.count; i++) {
                const struct preflight_line *line = &desk.preflight.lines[i];

                if (line->answer == PREFLIGHT_FAILS && strcmp(line->name, way->name) != 0 &&
                    !may_fail_too(line, way) && !is_settled(line))
                        fail_msg("%s, %s: %s fails too", file, way->name, line->name);
        }
}

/* The same as an install's fault, with both values and what helps, or what another driver says. */
static void assert_refused(const struct way *way, const struct preflight_line *line)
{
        int r = preflight_check(&desk.request);

        assert_int_equal(r, way->is_looked_at ? 0 : -(int)way->fault);
        if (r == 0 || way->spoil == watermark) /* TrustZone comes first there */
                return;
        assert_non_null(strstr(fault_sentence(r), way->measured));
        if (line->remedy &&
            (!strstr(fault_sentence(r), line->measured) ||
             !strstr(fault_sentence(r), line->wanted) || !strstr(fault_sentence(r), line->remedy)))
                fail_msg("%s", fault_sentence(r));
}

static void assert_spoiled(const char *file, const struct way *way)
{
        begin(file);
        way->spoil();
        look();
        assert_failed(file, way, find_line(way->name));
        assert_no_other_failed(file, way);
        assert_refused(way, find_line(way->name));
        end();
}

static const struct way *find_way(const char *name)
{
        size_t i = 0;

        while (i < LENGTH_OF(ways) && strcmp(ways[i].name, name) != 0)
                i++;
        INSIST(i < LENGTH_OF(ways));
        return &ways[i];
}

static unsigned cells;

static void check_family(const char *file)
{
        struct preflight virgin;

        begin(file);
        look();
        virgin = desk.preflight;
        assert_int_equal(preflight_holds(&virgin), desk.bed->family.procedure != PROCEDURE_NONE);
        assert_int_equal(preflight_check(&desk.request), 0);
        end();
        assert_in_range(virgin.count, 5, PREFLIGHT_LINES_MAX);
        for (size_t i = 0; i < virgin.count; i++) {
                const struct preflight_line *line = &virgin.lines[i];

                assert_true(line->measured[0] && line->wanted[0]);
                if (is_settled(line))
                        continue;
                if (line->answer !=
                    (strcmp(line->name, "OTFDEC") ? PREFLIGHT_HOLDS : PREFLIGHT_UNKNOWN))
                        fail_msg("%s: %s: %s", file, line->name, line->measured);
                assert_int_equal(line->fault, FAULT_NONE);
                assert_spoiled(file, find_way(line->name));
                cells++;
        }
}

FIBER_TEST(every_condition_of_every_family_holds_and_fails)
{
        glob_t files;

        (void)unused;
        assert_int_equal(glob("configs/targets/stm32*.conf", 0, NULL, &files), 0);
        assert_int_equal(files.gl_pathc, 16);
        for (size_t i = 0; i < files.gl_pathc; i++)
                check_family(files.gl_pathv[i]);
        globfree(&files);
        printf("# %u conditions of 16 families\n", cells);
        return 0;
}

/* --- what is said ---------------------------------------------------------------------------- */

FIBER_TEST(each_protection_is_named_with_its_bounds)
{
        static const struct {
                const char *family;
                unsigned row;
                uint32_t value;
                unsigned row_2;
                uint32_t value_2;
                const char *sentence; /* NULL: not protected */
        } cases[] = {
                { "h7a3", 5, 0xFFFFFFFE, 5, 0xFFFFFFFE, "write protection: sectors of bank 1" },
                { "h7a3", 6, 0x7FFFFFFF, 6, 0x7FFFFFFF, "cleared bit is 32 KiB" },
                { "h73x", 1, 0x00020001, 1, 0x00020001, "PCROP area: 0x08000100 to 0x080002FF" },
                { "h73x", 4, 0, 4, 0, NULL }, /* the row of bank 2 is not kept */
                { "l462", 1, 0x10, 2, 0x1F, "PCROP area: 0x08000080 to 0x080000FF" },
                { "l462", 3, 0x00020001, 3, 0x00020001,
                  "write protection: 0x08000800 to 0x080017FF" },
                { "wl5x", 5, 0x01, 6, 0x02, "PCROP area: 0x08000400 to 0x08000BFF" },
                { "wl5x", 0, 0x7FEFF0AA, 0, 0x7FEFF0AA, "lock: BOOT_LOCK 0x" },
                { "wl5x", 8, 0x80FF10FF, 8, 0x80FF10FF, "lock: DDS 0x" },
                { "l5", 4, 0x007F0000, 4, 0x007F0000, NULL }, /* TrustZone is off */
                { "l5", 4, 0x007F0000, 0, 0xFFEFF8AA, "secure flash: 0x08000000 to 0x0803FFFF" },
                { "l5", 5, 0x80000000, 5, 0x80000000, NULL },
                { "l5", 5, 0x80000000, 0, 0xFFEFF8AA, "lock: HDP1EN 0x" },
                { "l5", 10, 0x00010001, 10, 0x00010001,
                  "write protection: 0x08040800 to 0x08040FFF" },
                { "u575", 6, 0x00010000, 6, 0x00010000,
                  "write protection: 0x08000000 to 0x08003FFF" },
                { "u575", 6, 0x7F80FFFF, 6, 0x7F80FFFF, NULL }, /* frozen, but nothing in it */
                { "u535", 8, 0x001F0010, 0, 0x9FEFF8AA, "secure flash: 0x08060000 to 0x0807FFFF" },
                { "wba5x", 3, 0x0C00007D, 3, 0x0C00007D, "lock: BOOT_LOCK 0x" },
                { "h56x", 7, 0x00010000, 3, 0xB400007C, "secure flash: 0x08000000 to 0x08003FFF" },
                { "h56x", 10, 0x00010001, 10, 0x00010001, "hidden area: 0x08002000 to 0x08003FFF" },
                { "h56x", 4, 0x080000B4, 4, 0x080000B4, "lock: NSBOOT_LOCK 0x" },
                { "h52x", 12, 0x7FFFFFFF, 12, 0x7FFFFFFF, "write protection: sectors of bank 2" },
                { "h503", 5, 0xFE, 5, 0xFE, "cleared bit is 8 KiB" },
                { "h7rs", 4, 0x00FF0000, 4, 0x00FF0000, "hidden area: 0x08000000 to 0x0800FFFF" },
                { "h7rs", 1, 0x6A00B46A, 1, 0x6A00B46A, "lock: DBG_AUTH 0x" },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct family family;
                struct target target = { .family = &family };
                uint32_t options[OPTION_ROWS_MAX];
                char file[80];

                snprintf(file, sizeof(file), "configs/targets/stm32%s.conf", cases[i].family);
                assert_int_equal(family_load(file, &family), 0);
                for (size_t row = 0; row < family.option_count; row++)
                        options[row] = family.options[row].factory;
                options[cases[i].row] = cases[i].value;
                options[cases[i].row_2] = cases[i].value_2;
                if (cases[i].sentence)
                        assert_fault(check_unprotected(&target, options), PROTECTED,
                                     cases[i].sentence);
                else
                        assert_int_equal(check_unprotected(&target, options), 0);
        }
        return 0;
}

FIBER_TEST(levels_and_defaults_are_said_in_words)
{
        (void)unused;
        begin_family("u575");
        set_role(ROLE_READOUT, 0x55);
        look();
        assert_line("read-out protection", PREFLIGHT_FAILS, "0x55 (level 0.5)", "0xAA (level 0)");
        assert_fault(preflight_check(&desk.request), LOCKED,
                     "read-out protection: 0x55 (level 0.5), wanted 0xAA (level 0); a regression");
        set_role(ROLE_READOUT, 0xCC);
        look();
        assert_line("read-out protection", PREFLIGHT_FAILS, "0xCC (level 2)", "0xAA (level 0)");
        end();
        begin_family("h7rs");
        set_role(ROLE_STATE, 0x51);
        look();
        assert_line("product state", PREFLIGHT_FAILS, "0x51 (not open)", "0xB4 (open)");
        end();
        begin_family("wl5x");
        other_options();
        look();
        assert_line("option bytes", PREFLIGHT_FAILS, "OPTR 0x0F8F72AA", "OPTR 0x0F8F70AA");
        end();
        return 0;
}

/* --- memory outside the part ----------------------------------------------------------------- */

FIBER_TEST(an_external_image_wants_an_otfdec_and_on_the_l5_two_banks)
{
        static const char *const without[] = { "h75x",  "l462", "wl5x", "wba5x",
                                               "wba6x", "h503", "h7rs" };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(without); i++) {
                begin_family(without[i]);
                desk.request.is_external = true;
                look();
                assert_line("OTFDEC", PREFLIGHT_FAILS, "none", "one before the memory");
                assert_fault(preflight_check(&desk.request), WRONG_PART, "OTFDEC: none");
                end();
        }
        begin_family("l5");
        look();
        assert_line("OTFDEC", PREFLIGHT_UNKNOWN, "before 0x90000000, but only of STM32L562",
                    "one before the memory");
        set_role(ROLE_BANKS, 0);
        look();
        assert_line("SFIx option bytes", PREFLIGHT_FAILS, "DBANK 0, nSWBOOT0 1, nBOOT0 1",
                    "1 each");
        assert_fault(preflight_check(&desk.request), OPTION_BYTES, "SFIx option bytes: DBANK 0");
        desk.request.is_external = false;
        assert_int_equal(preflight_check(&desk.request), 0);
        end();
        return 0;
}

/* --- who asks -------------------------------------------------------------------------------- */

/* Where the core runs matters to the reference protocol of an RSSe family, not to the family. */
FIBER_TEST(without_a_profile_only_the_family_is_asked)
{
        (void)unused;
        begin_family("u575");
        boot_pin_low();
        assert_fault(preflight_check(&desk.request), BOOT_PIN, "BOOT0");
        desk.request.rss = NULL;
        assert_int_equal(preflight_check(&desk.request), 0);
        look();
        assert_null(find_line("boot"));
        assert_null(find_line("RSS profile"));
        assert_null(find_line("RSSe"));
        end();
        return 0;
}

FIBER_TEST(what_cannot_be_told_neither_holds_nor_fails)
{
        (void)unused;
        begin_family("h7rs");
        look();
        assert_line("services firmware", PREFLIGHT_UNKNOWN, "not public", "SFSP 1.1.0 or newer");
        assert_true(preflight_holds(&desk.preflight));
        end();
        begin_family("h56x");
        look();
        assert_line("services firmware", PREFLIGHT_UNKNOWN, "not public", "SFSP 2.4.0 or newer");
        assert_string_equal(preflight_word(PREFLIGHT_UNKNOWN), "unknown");
        desk.request.is_external = false;
        look();
        assert_null(find_line("services firmware"));
        end();
        begin_family("l462");
        look();
        assert_line("interface", PREFLIGHT_FAILS, "SWD", "the boot loader in ROM (UART)");
        end();
        return 0;
}

/* --- the part -------------------------------------------------------------------------------- */

FIBER_TEST(flash_that_is_shut_is_not_erased)
{
        (void)unused;
        begin_family("h75x");
        part_set_protection(desk.bed->part, 0x00);
        power_cycle();
        look();
        assert_line("flash memory", PREFLIGHT_FAILS, "0x08000000", "erased");
        end();
        return 0;
}

FIBER_TEST(a_broken_connection_is_a_fault_and_no_answer)
{
        (void)unused;
        begin_family("h75x");
        bed_power(desk.bed, false);
        assert_fault(preflight_look(&desk.request, &desk.preflight), TARGET_LOST, "boot");
        assert_line("read-out protection", PREFLIGHT_HOLDS, "0xAA (level 0)", "0xAA (level 0)");
        assert_null(find_line("boot"));
        assert_fault(preflight_check(&desk.request), TARGET_LOST, NULL);
        end();
        return 0;
}

FIBER_TEST(looking_changes_nothing)
{
        uint32_t before[OPTION_ROWS_MAX];

        (void)unused;
        begin_family("u575");
        memcpy(before, part_options(desk.bed->part), sizeof(before));
        look();
        assert_memory_equal(before, part_options(desk.bed->part), sizeof(before));
        assert_int_equal(*part_flash(desk.bed->part, 0x08000000), 0xFF);
        end();
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_condition_of_every_family_holds_and_fails),
                cmocka_unit_test(each_protection_is_named_with_its_bounds),
                cmocka_unit_test(levels_and_defaults_are_said_in_words),
                cmocka_unit_test(an_external_image_wants_an_otfdec_and_on_the_l5_two_banks),
                cmocka_unit_test(without_a_profile_only_the_family_is_asked),
                cmocka_unit_test(what_cannot_be_told_neither_holds_nor_fails),
                cmocka_unit_test(flash_that_is_shut_is_not_erased),
                cmocka_unit_test(a_broken_connection_is_a_fault_and_no_answer),
                cmocka_unit_test(looking_changes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
