/*
 * bed.h - one simulated probe on one simulated part, with nothing between: a bed of nails.
 *
 * The part can be spoiled and looked into. Call on a fiber, in virtual time.
 */
#pragma once

#include "tests/support/test.h"

#include "drivers/family_fields.h"
#include "drivers/preflight.h"
#include "drivers/rss.h"
#include "drivers/simulated/part.h"
#include "drivers/simulated/probe.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"

#include <stdlib.h>
#include <string.h>

struct bed {
        struct wire wire; /* first */
        struct family family;
        struct rss_profile profile;
        struct simulated_probe *probe;
        struct simulated_part *part;
        void *store;
        unsigned commands; /* sent so far */
        struct stlink stlink;
        struct target target;
};

static inline int bed_sleep_until(uint64_t when_ns, uint64_t deadline_ns)
{
        int r = fiber_sleep_until(when_ns < deadline_ns ? when_ns : deadline_ns);

        if (r < 0)
                return r;
        return when_ns > deadline_ns ? fault(FAULT_TIMEOUT, "the simulated probe is late") : 0;
}

static inline int bed_exchange(struct wire *wire, const struct wire_exchange *exchange)
{
        struct bed *bed = CONTAINER_OF(wire, struct bed, wire);
        uint64_t deadline_ns = clock_now_ns() + exchange->timeout_ms * NS_PER_MS;
        static uint8_t answer[WIRE_DATA_MAX];
        uint64_t done_ns =
                probe_out(bed->probe, clock_now_ns(), exchange->command, WIRE_COMMAND_LENGTH);
        int r = bed_sleep_until(done_ns, deadline_ns), length;

        bed->commands++;
        if (!r && exchange->out_length)
                r = bed_sleep_until(
                        probe_out(bed->probe, clock_now_ns(), exchange->out, exchange->out_length),
                        deadline_ns);
        if (r < 0)
                return r;
        if (probe_take_stall(bed->probe))
                return fault(FAULT_PROBE, "stalled");
        if (!exchange->in_length)
                return 0;
        length = probe_in(bed->probe, clock_now_ns(), answer, (exchange->in_length + 511) & ~511u);
        if (length < 0)
                return fault(FAULT_TIMEOUT, "no answer");
        if ((size_t)length != exchange->in_length)
                return fault(FAULT_PROBE, "%d bytes, expected %zu", length, exchange->in_length);
        memcpy(exchange->in, answer, exchange->in_length);
        return 0;
}

static inline int bed_resync(struct wire *wire)
{
        struct bed *bed = CONTAINER_OF(wire, struct bed, wire);
        uint8_t rest[512];

        while (probe_in(bed->probe, clock_now_ns() + NS_PER_S, rest, sizeof(rest)) >= 0)
                ;
        return 0;
}

static inline int bed_nothing(struct wire *wire)
{
        (void)wire;
        return 0;
}

static inline void bed_close(struct wire *wire)
{
        (void)wire;
}

static const struct wire_operations bed_operations = {
        .exchange = bed_exchange,
        .resync = bed_resync,
        .reset = bed_nothing,
        .close = bed_close,
};

/* A V3 probe with a fresh, powered part of the family; not attached yet. Its core executes if there is an engine
 * for it (drivers/simulated/core.h). */
static inline struct bed *bed_make_as(const char *family_file, const char *profile_file,
                                      const struct core_engine *engine)
{
        static const struct probe_settings probe = { .product = 0x374F,
                                                     .jtag_version = 15,
                                                     .serial = "005100313137511039383538",
                                                     .speed = 1.0 };
        static const uint8_t seed[32] = { 7 };
        struct bed *bed = calloc(1, sizeof(*bed));
        struct part_settings part = {
                .family = &bed->family,
                .rss = &bed->profile,
                .seed = seed,
                .speed = 1.0,
                .engine = engine,
        };

        assert_non_null(bed);
        assert_int_equal(family_load(family_file, &bed->family), 0);
        assert_int_equal(rss_profile_load(profile_file, &bed->profile), 0);
        bed->store = calloc(1, part_store_length(&bed->family));
        part.store = bed->store;
        bed->part = part_create(&part);
        bed->probe = probe_create(&probe);
        probe_set_part(bed->probe, bed->part);
        part_power(bed->part, clock_now_ns(), true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        bed->wire = (struct wire){ .operations = &bed_operations,
                                   .identity = { .product = 0x374F, .path = "bed" } };
        assert_int_equal(stlink_open(&bed->wire, &bed->stlink), 0);
        bed->target = (struct target){ &bed->stlink, &bed->family };
        return bed;
}

static inline struct bed *bed_make_with(const char *family_file, const struct core_engine *engine)
{
        return bed_make_as(family_file, "configs/rss/reference-h7.conf", engine);
}

static inline struct bed *bed_make_family(const char *family_file)
{
        return bed_make_with(family_file, NULL);
}

static inline struct bed *bed_make(void)
{
        return bed_make_family("configs/targets/stm32h75x.conf");
}

static inline struct bed *bed_attached(void)
{
        struct bed *bed = bed_make();

        assert_int_equal(target_attach(&bed->target, 24000), 0);
        return bed;
}

static inline void bed_power(struct bed *bed, bool on)
{
        part_power(bed->part, clock_now_ns(), on);
}

/* No area and no lock, by the option bytes alone? */
static inline int check_unprotected(struct target *target, const uint32_t *options)
{
        return preflight_check(&(struct preflight_request){
                .target = target, .options = options, .conditions = 1u << CONDITION_UNPROTECTED });
}

static inline void bed_free(struct bed *bed)
{
        stlink_close(&bed->stlink);
        probe_destroy(bed->probe);
        part_destroy(bed->part);
        free(bed->store);
        free(bed);
}
