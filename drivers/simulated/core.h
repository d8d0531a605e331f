/*
 * core.h - the seam to a processor that executes a simulated part's own code.
 *
 * Without an engine a part has no core that runs (part_debug.c): that is the product. With one
 * (tests/rigs/parts/core.c, on unicorn) whatever a client puts into RAM, and what lies in flash, runs as
 * on the part: RAM flash loaders of debuggers, external loaders. The boot loader in system memory is not
 * modelled and is never executed.
 *
 * Who does what: the part says when and for how long (part_core.c), keeps the registers while the core
 * stands still, and is the bus; the engine executes. Passive like the part: no time of its own, no waits.
 */
#pragma once

#include "drivers/simulated/part.h"

struct part_core; /* one engine at work, behind one part, from its first instruction to power off */

/* Registers as exchanged; numbers as in DCRSR (Armv7-M C1.6.3). SP is the main stack's. */
enum { CORE_R0 = 0, CORE_SP = 13, CORE_LR = 14, CORE_PC = 15, CORE_XPSR = 16, CORE_EXCHANGED = 17 };

enum core_stop {
        CORE_ON,         /* the cycles are used up, or the part stopped it: part_core_is_stopped */
        CORE_BREAKPOINT, /* PC is at a BKPT, which was not executed */
        CORE_FAULT, /* an access or instruction that a real core takes an exception for, at PC */
};

struct core_engine {
        struct part_core *(*create)(struct simulated_part *part);
        struct part_core *(*destroy)(struct part_core *core); /* returns NULL; NULL is fine */
        /* Execute from and to `registers`, about `cycles` (a halfword of code is one). Says how many
         * were used. One cycle: exactly one instruction. */
        enum core_stop (*run)(struct part_core *core, uint32_t registers[CORE_EXCHANGED],
                              unsigned cycles, unsigned *ret_used);
        /* These bytes were changed by somebody else since the last run: forget code made of them. The
         * range may hold more than memory. */
        void (*forget)(struct part_core *core, uint32_t first, uint32_t last);
};

/* --- what an engine asks of its part ------------------------------------------------------- */

/* What lies where. RAM is the engine's to reach without asking; of flash it may fetch, and load after
 * part_core_may_load, while stores to it go to part_core_store; behind a window every access is
 * part_core_load or _store. All else is a fault. The bytes, NULL for windows, live until destroy. */
enum core_memory_kind { CORE_RAM, CORE_FLASH, CORE_WINDOW };
struct core_memory {
        enum core_memory_kind kind;
        uint32_t address, length; /* in whole KiB */
        uint8_t *bytes;
};
#define CORE_MEMORIES_MAX 20u
unsigned part_core_memories(struct simulated_part *part,
                            struct core_memory ret_memories[CORE_MEMORIES_MAX]);

enum family_core part_core_model(const struct simulated_part *part);

/* One access, by the rules of the bus, `cycles` after this run began. A busy flash holds the access up
 * until it is done. False: a bus fault. */
bool part_core_load(struct simulated_part *part, unsigned cycles, uint32_t address, void *data,
                    unsigned width);
bool part_core_store(struct simulated_part *part, unsigned cycles, uint32_t address,
                     const void *data, unsigned width);
bool part_core_may_load(struct simulated_part *part, unsigned cycles, uint32_t address,
                        unsigned width);

/* Has the last access stopped the core (a reset or halt it asked for itself)? Then leave run at once. */
bool part_core_is_stopped(const struct simulated_part *part);
