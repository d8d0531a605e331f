#include "tests/support/part_rig.h"

#include <stdlib.h>

static const uint8_t seed_bytes[32] = { 9, 8, 7 };

void rig_make_part(struct rig *rig)
{
        const struct part_settings settings = { .family = simulated_family(),
                                                .rss = simulated_rss(),
                                                .store = rig->store,
                                                .seed = seed_bytes,
                                                .speed = 1.0 };

        rig->part = part_create(&settings);
}

/* ENTER of the probe: clear errors, ask for debug power. */
void rig_enter(struct rig *rig)
{
        uint32_t value = 0;

        assert_int_equal(part_dp_write(rig->part, rig->now, 0, 0x1E), PART_OK);
        assert_int_equal(part_dp_write(rig->part, rig->now, 4, 0x50000000), PART_OK);
        assert_int_equal(part_dp_read(rig->part, rig->now, 4, &value), PART_OK);
        assert_int_equal(value, 0xF0000000);
}

void rig_power_up(struct rig *rig)
{
        part_power(rig->part, rig->now, true);
        rig->now += 100 * MS;
        rig_enter(rig);
}

void rig_power_cycle(struct rig *rig)
{
        part_power(rig->part, rig->now, false);
        rig_power_up(rig);
}

void rig_fresh(struct rig *rig)
{
        rig->part = part_destroy(rig->part);
        memset(rig->store, 0, 8);
        rig_make_part(rig);
        rig_power_up(rig);
}

int rig_setup(void **state)
{
        struct rig *rig = calloc(1, sizeof(*rig));

        rig->store = calloc(1, part_store_length(simulated_family()));
        rig->now = 1000;
        rig_make_part(rig);
        rig_power_up(rig);
        *state = rig;
        return 0;
}

int rig_teardown(void **state)
{
        struct rig *rig = *state;

        part_destroy(rig->part);
        free(rig->store);
        free(rig);
        return 0;
}

enum part_answer rig_try_read(struct rig *rig, uint32_t address, uint32_t *ret_value)
{
        uint8_t word[4];
        enum part_answer answer = part_read(rig->part, rig->now, 0, address, word, 4);

        *ret_value = load_le32(word);
        return answer;
}

enum part_answer rig_try_write(struct rig *rig, uint32_t address, uint32_t value)
{
        uint8_t word[4];

        store_le32(word, value);
        return part_write(rig->part, rig->now, 0, address, word, 4);
}

uint32_t rd(struct rig *rig, uint32_t address)
{
        uint32_t value;

        assert_int_equal(rig_try_read(rig, address, &value), PART_OK);
        return value;
}

void wr(struct rig *rig, uint32_t address, uint32_t value)
{
        assert_int_equal(rig_try_write(rig, address, value), PART_OK);
}

void assert_read_faults(struct rig *rig, uint32_t address)
{
        uint32_t value;

        assert_int_equal(rig_try_read(rig, address, &value), PART_FAULT);
        part_dp_write(rig->part, rig->now, 0, 0x1E);
}

void assert_write_faults(struct rig *rig, uint32_t address, uint32_t value)
{
        assert_int_equal(rig_try_write(rig, address, value), PART_FAULT);
        part_dp_write(rig->part, rig->now, 0, 0x1E);
}

bool rig_is_silent(struct rig *rig)
{
        uint32_t value;

        return part_dp_read(rig->part, rig->now, 0, &value) == PART_SILENT;
}

void rig_unlock(struct rig *rig)
{
        wr(rig, KEYR, 0x45670123);
        wr(rig, KEYR, 0xCDEF89AB);
        assert_false(rd(rig, CR) & 1);
}

void rig_unlock_options(struct rig *rig)
{
        if (!(rd(rig, OPTCR) & 1))
                return;
        wr(rig, OPTKEYR, 0x08192A3B);
        wr(rig, OPTKEYR, 0x4C5D6E7F);
}

void rig_start_options(struct rig *rig)
{
        wr(rig, OPTCCR, CHANGE_ERROR);
        wr(rig, OPTCR, 2);
}

void rig_set_option(struct rig *rig, uint32_t address, uint32_t value)
{
        rig_unlock_options(rig);
        wr(rig, address, value);
        rig_start_options(rig);
        rig->now += 20000 * MS;
        part_advance(rig->part, rig->now);
}

uint32_t rig_optsr(struct rig *rig)
{
        return rd(rig, OPTSR_CUR);
}
