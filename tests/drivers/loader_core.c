/*
 * External loaders as code: the station's driver calls them, a core executes them, on the registers of an
 * OCTOSPI with a NOR flash behind it.
 *
 * The loaders are ours, tests/rigs/loader, compiled for the part; what is claimed of them is what
 * loader_run.c claims of the reference loader, as far as that can be. One test takes the file in
 * GANGWAY_STLDR, with the family in GANGWAY_STLDR_FAMILY, for a loader somebody else built.
 */
#include "tests/drivers/bed.h"
#include "tests/rigs/parts/core.h"

#include "drivers/loader.h"
#include "drivers/target_core.h"

#include <stdio.h>

#define EXTERNAL 0x90000000u
#define SPIN     0xE7FEE7FEu /* b . */
#define UNKNOWN  0xDE00DE00u /* udf #0 */

struct kind {
        const char *file, *family;
        uint32_t address;
};

static const struct kind octal = { "h7-octal", "stm32h7a3", EXTERNAL };
static const struct kind kinds[] = {
        { "h7-octal", "stm32h7a3", EXTERNAL },    { "h7-octal", "stm32h73x", EXTERNAL },
        { "h7-single", "stm32h73x", 0x70000000 }, { "l5", "stm32l5", EXTERNAL },
        { "u5", "stm32u575", 0x70000000 },        { "h5", "stm32h56x", EXTERNAL },
};

struct desk {
        struct bed *bed;
        struct loader loader;
        struct loader_run run;
};

static void check_well(int result, int line)
{
        if (result < 0)
                print_error("line %d: %s\n", line, fault_sentence(result));
        assert_int_equal(result, 0);
}
#define assert_well(result) check_well((result), __LINE__)

static struct desk *desk_with(const char *path, const char *family)
{
        struct desk *desk = calloc(1, sizeof(*desk));
        char config[128];

        assert_non_null(desk);
        snprintf(config, sizeof(config), "configs/targets/%s.conf", family);
        desk->bed = bed_make_with(config, &unicorn_engine);
        assert_int_equal(target_attach(&desk->bed->target, 24000), 0);
        assert_well(loader_load(path, &desk->loader));
        return desk;
}

static struct desk *desk_make(const struct kind *kind)
{
        char path[512];

        snprintf(path, sizeof(path), "%s/tests/rigs/loader/%s.stldr", getenv("GANGWAY_BUILD"),
                 kind->file);
        return desk_with(path, kind->family);
}

static int desk_start(struct desk *desk)
{
        return loader_start(&desk->bed->target, &desk->loader, &desk->run);
}

static struct desk *desk_running(const struct kind *kind)
{
        struct desk *desk = desk_make(kind);

        assert_well(desk_start(desk));
        return desk;
}

static void desk_free(struct desk *desk)
{
        loader_free(&desk->loader);
        bed_free(desk->bed);
        free(desk);
}

/* Other code at the entry of a function, so that it does something else than it should. */
static void desk_break(struct desk *desk, enum loader_function function, uint32_t code)
{
        uint32_t entry = desk->loader.entries[function] & ~1u;

        for (uint32_t at = entry & ~3u; at < entry + 4; at += 4)
                assert_int_equal(target_write_word(&desk->bed->target, at, code), 0);
}

static void fill(uint8_t *data, size_t length)
{
        for (size_t i = 0; i < length; i++)
                data[i] = (uint8_t)(i * 31 + i / 256);
}

static uint8_t byte_at(const struct desk *desk, uint32_t address)
{
        return part_external_byte(desk->bed->part, address);
}

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

/* --- good ---------------------------------------------------------------------------------- */

/* In and out, misaligned at both ends, and nothing beside it. */
static void go_round(struct desk *desk, uint32_t address)
{
        static uint8_t data[20001], found[sizeof(data)];
        uint32_t progress = 0;

        fill(data, sizeof(data));
        assert_well(loader_check_blank(&desk->run, address, sizeof(data)));
        assert_well(loader_write(&desk->run, address, data, sizeof(data), &progress));
        assert_int_equal(progress, sizeof(data));
        for (size_t i = 0; i < sizeof(data); i++)
                assert_int_equal(byte_at(desk, address + (uint32_t)i), data[i]);
        assert_int_equal(byte_at(desk, address - 1), 0xFF);
        assert_int_equal(byte_at(desk, address + sizeof(data)), 0xFF);
        assert_well(loader_read(&desk->run, address, found, sizeof(found)));
        assert_memory_equal(found, data, sizeof(data));
}

FIBER_TEST(every_kind_of_part_programs_its_memory_by_code_on_its_core)
{
        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
                struct desk *desk = desk_running(&kinds[i]);

                go_round(desk, kinds[i].address + 101);
                go_round(desk, kinds[i].address + 0x10000);
                assert_well(loader_finish(&desk->run));
                desk_free(desk);
        }
        return 0;
}

FIBER_TEST(a_real_loader)
{
        const char *path = getenv("GANGWAY_STLDR"), *family = getenv("GANGWAY_STLDR_FAMILY");
        struct desk *desk;
        uint32_t address;

        (void)unused;
        desk = desk_with(path, family ? family : "stm32h7a3");
        assert_well(desk_start(desk));
        address = desk->loader.storage.address;
        go_round(desk, address + 101);
        go_round(desk, address + 0x10000);
        assert_well(loader_erase(&desk->run, address, 100, NULL));
        assert_int_equal(byte_at(desk, address + 101), 0xFF);
        go_round(desk, address + 101);
        assert_well(loader_finish(&desk->run));
        desk_free(desk);
        return 0;
}

static void a_loader_that_somebody_else_built_does_it_too(void **state)
{
        if (!getenv("GANGWAY_STLDR"))
                skip();
        a_real_loader(state);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_kind_of_part_programs_its_memory_by_code_on_its_core),
                cmocka_unit_test(a_loader_that_somebody_else_built_does_it_too),
        };
        (void)desk_break;
        (void)octal;

        return cmocka_run_group_tests(tests, NULL, NULL);
}
