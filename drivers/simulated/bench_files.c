/*
 * What survives of a bench: one file a site, one a card, one for the count of fresh boards.
 *
 * They are mapped shared and changed in memory: what was written is the kernel's, so a SIGKILL
 * between any two instructions loses nothing. (A crash of the machine may.) The order of writes is
 * the protocol: a site first notes that it takes board n, then the count moves, then the part is
 * made, and only then the board is in. Whatever was cut short is finished or undone at the start.
 * Files hold the chips' private keys and are 0600.
 */
#include "drivers/simulated/bench_private.h"

#include "scheduler/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAGIC 0x31425747u /* "GWB1" */
#define CARD_MAGIC  0x31435747u /* "GWC1" */
#define BOARD_MAGIC 0x31535747u /* "GWS1" */

static void close_descriptor(int *descriptor)
{
        if (*descriptor >= 0)
                close(*descriptor);
}

static int map(int descriptor, const char *path, size_t length, struct mapping *ret_mapping)
{
        struct stat status;
        void *memory;

        if (fstat(descriptor, &status) < 0)
                return fault_errno(errno, "look at %s", path);
        if ((size_t)status.st_size != length && ftruncate(descriptor, (off_t)length) < 0)
                return fault_errno(errno, "bring %s to %zu bytes", path, length);
        memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        if (memory == MAP_FAILED)
                return fault_errno(errno, "map %s", path);
        *ret_mapping = (struct mapping){ memory, length };
        return 0;
}

int mapping_open(const char *directory, const char *name, size_t length,
                 struct mapping *ret_mapping)
{
        CLEANUP(close_descriptor) int descriptor = -1;
        char path[512];

        if (!directory) {
                void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                if (memory == MAP_FAILED)
                        return fault_errno(errno, "take %zu bytes for a simulated part", length);
                *ret_mapping = (struct mapping){ memory, length };
                return 0;
        }
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
                return fault(FAULT_SYSTEM, "the path %s/%s is too long", directory, name);
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (descriptor < 0)
                return fault_errno(errno, "open %s", path);
        return map(descriptor, path, length, ret_mapping);
}

void mapping_close(struct mapping *mapping)
{
        if (mapping->memory)
                munmap(mapping->memory, mapping->length);
        *mapping = (struct mapping){ 0 };
}

static int open_state(struct bench *bench)
{
        int r = mapping_open(bench->settings.directory, "bench.state", sizeof(struct bench_state),
                             &bench->state_file);

        if (r < 0)
                return r;
        bench->state = bench->state_file.memory;
        if (bench->state->magic != STATE_MAGIC) {
                bench->state->boards_used = 0;
                __atomic_store_n(&bench->state->magic, STATE_MAGIC, __ATOMIC_RELEASE);
        }
        return 0;
}

static int open_site(struct site *site)
{
        const struct bench_settings *settings = &site->bench->settings;
        char name[32];
        int r;

        snprintf(name, sizeof(name), "site-%u.board", site->number);
        r = mapping_open(settings->directory, name,
                         BOARD_STORE_OFFSET + part_store_length(settings->family), &site->file);
        if (r < 0)
                return r;
        site->board = site->file.memory;
        if (site->board->magic != BOARD_MAGIC) {
                memset(site->board, 0, sizeof(*site->board));
                __atomic_store_n(&site->board->magic, BOARD_MAGIC, __ATOMIC_RELEASE);
        }
        /* noted, but the count had not moved yet: the board is still with the fresh ones */
        if (site->board->state == BOARD_TAKEN &&
            site->board->number > site->bench->state->boards_used)
                site->board->state = BOARD_NONE;
        return 0;
}

static int open_card(struct bench_card *card)
{
        const struct bench_settings *settings = &card->bench->settings;
        char name[32];
        int r;

        snprintf(name, sizeof(name), "card-%u.state", card->number);
        r = mapping_open(settings->directory, name, sizeof(struct card_state), &card->file);
        if (r < 0)
                return r;
        card->state = card->file.memory;
        if (card->state->magic != CARD_MAGIC) {
                struct chance chance = chance_fork(settings->seed, "card serial", card->number);

                card->state->counter = settings->cards[card->number].counter;
                card->state->maximum = card->state->counter;
                card->state->serial = chance_u64(&chance);
                __atomic_store_n(&card->state->magic, CARD_MAGIC, __ATOMIC_RELEASE);
        }
        return 0;
}

int bench_files_open(struct bench *bench)
{
        int r = open_state(bench);

        for (unsigned i = 0; i < bench->settings.sites && !r; i++)
                r = open_site(&bench->sites[i]);
        for (unsigned i = 0; i < bench->settings.card_count && !r; i++)
                r = open_card(&bench->cards[i]);
        return r;
}

void bench_files_close(struct bench *bench)
{
        for (unsigned i = 0; i < bench->settings.sites; i++)
                mapping_close(&bench->sites[i].file);
        for (unsigned i = 0; i < bench->settings.card_count; i++)
                mapping_close(&bench->cards[i].file);
        mapping_close(&bench->state_file);
}
