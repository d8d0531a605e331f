/*
 * bench.h - a bench made of memory: probes, parts, cards, a handler, and misfortune by seed.
 *
 * Ships with the program, so that tomorrow's lot can be rehearsed without hardware. It stands
 * behind the wire and the reader seams: everything above is the code that drives real probes. Time
 * comes from the loop's clock, chance from its seed.
 *
 * With a `directory` every board's flash, option bytes and keys and every card's counter live in
 * files mapped shared, so they survive a SIGKILL of the process between any two instructions, as
 * silicon would; RAM and a running RSS do not, as after a power cut.
 */
#pragma once

#include "drivers/card.h"
#include "drivers/family.h"
#include "drivers/fixture.h"
#include "drivers/hsm.h"
#include "drivers/rss.h"
#include "drivers/wire.h"

/* What goes wrong, once in so many (0: never). Each has its source in drivers/simulated/README.md.
 */
struct misfortune {
        unsigned unplug;         /* per unit: the probe's cable between two random packets */
        unsigned late_answer;    /* per exchange: an answer after the wire's timeout */
        unsigned short_answer;   /* per exchange */
        unsigned bit_flip;       /* per exchange with data: one bit of it */
        unsigned weak_word;      /* per unit: one flash word does not take */
        unsigned wrong_license;  /* per license: for another chip */
        unsigned dead_card;      /* per license: the card stops answering for good */
        unsigned protected_part; /* per unit: arrives at RDP level 1 */
        unsigned used_part;      /* per unit: arrives with flash not erased */
        unsigned wrong_part;     /* per unit: another device id */
        unsigned boot_pin;       /* per unit: BOOT0 low */
};

struct bench_card_settings {
        uint32_t counter;
        uint8_t key[16], nonce[12]; /* wiped by the caller after bench_create */
        char firmware_id[33];
        enum hsm_state state;
        char type[5];                             /* "SFIA", "SMU", "SSP"; "" is "SFI" */
        unsigned version;                         /* 1 or 2; 0 is 2 */
        char product_id[PRODUCT_ID_LENGTH + 1];   /* of version 2; "" is the family's */
        unsigned license_ms_low, license_ms_high; /* 1000..2000 is real */
};

struct bench_settings {
        uint64_t seed;
        const struct family *family; /* borrowed for the bench's life, all three */
        const struct rss_profile *rss;
        const struct card_profile *card_profile;
        unsigned sites;
        const struct bench_card_settings *cards; /* copied */
        unsigned card_count;
        unsigned boards;      /* fresh boards the handler has; 0: no end */
        unsigned handling_ms; /* to take one out and put the next in; 0 with boards: at once */
        bool has_handler;     /* false: boards only by bench_insert */
        double speed;         /* 1.0: real durations; 0.1: everything ten times faster */
        struct misfortune misfortune;
        const char *directory; /* NULL: nothing survives */
        const struct core_engine
                *engine; /* core.h; NULL, as the product has it: nothing executes */
};

struct bench;

/* Call on a fiber: the handler runs as fibers of its own. -FAULT_SYSTEM */
int bench_create(const struct bench_settings *settings, struct bench **ret_bench) MUST_USE;

/* Cancels and joins the handler (waits). Wires and readers must be closed. Returns NULL. */
struct bench *bench_destroy(struct bench *bench);

/* The simulated bus; site i is at path "sim-<i>", i from 0. Owned by the bench. */
struct bus *bench_bus(struct bench *bench);
struct reader *bench_reader(struct bench *bench, unsigned card);   /* owned by the caller */
struct fixture *bench_fixture(struct bench *bench, unsigned site); /* owned by the bench */

/* By hand, for tests. Never wait. */
void bench_unplug(struct bench *bench, unsigned site);
void bench_unplug_after(struct bench *bench, unsigned site, unsigned packets);
void bench_plug(struct bench *bench, unsigned site);
void bench_insert(struct bench *bench, unsigned site); /* a fresh board */
void bench_remove(struct bench *bench, unsigned site);
void bench_card_remove(struct bench *bench, unsigned card);
void bench_card_insert(struct bench *bench, unsigned card);

/* Trouble with a card at an exact byte. The bytes are those of an exchange, one after the other: the
 * answer to reset (reader_connect), or a command and then its answer with the status.
 *
 * bench_card_pull_after: so many bytes still pass, then the card is out. It acts when a command is
 * in whole, so LICENSE has counted and PERSONALIZE has burned before the answer's first byte: pulled
 * within the command, nothing happened; within the answer, it is done and the answer is lost.
 * bench_card_flip: this bit of the next answer, or answer to reset, arrives turned over; none when
 * the answer is shorter. */
void bench_card_pull_after(struct bench *bench, unsigned card, unsigned bytes);
void bench_card_flip(struct bench *bench, unsigned card, unsigned bit);
struct simulated_part;
struct simulated_part *bench_part(struct bench *bench, unsigned site); /* to spoil or inspect */
struct simulated_card;
struct simulated_card *bench_card(struct bench *bench, unsigned card);

/* Boards the handler still has; UINT_MAX without end. */
unsigned bench_boards_left(const struct bench *bench);

/* When the board now in the site became ready (powered and settled), loop clock; 0 without one. */
uint64_t bench_ready_ns(const struct bench *bench, unsigned site);

/* Time spent inside the simulator so far, to be taken off the station's own. */
uint64_t bench_cost_ns(const struct bench *bench);
