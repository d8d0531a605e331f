/*
 * gangway target erase, reset.
 *
 * Erasing is confirmed and then looked at: what was erased reads 0xFF. Sectors are counted over both
 * banks, as ST's -e counts them.
 */
#include "station/commands/command.h"

#include "station/commands/target_part.h"

#include <stdio.h>
#include <string.h>

#define SECTORS_MAX       64u
#define RESET_PATIENCE_MS 3000u

struct request {
        struct target_choice choice;
        const char *words[SECTORS_MAX];
        size_t count;
        uint32_t sectors[SECTORS_MAX];
        bool is_all;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&request->choice),
                { "yes", "y", .flag = &request->choice.is_sure },
                { .what = "sector",
                  .text = request->words,
                  .most = SECTORS_MAX,
                  .count = &request->count },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r < 0)
                return r;
        if (request->count == 0)
                return fault(FAULT_BAD_VALUE, "erase what? Give all, or sector numbers from 0");
        request->is_all = strcasecmp(request->words[0], "all") == 0;
        if (request->is_all && request->count > 1)
                return fault(FAULT_BAD_VALUE, "all, and %.40s too?", request->words[1]);
        for (size_t i = 0; i < request->count && !request->is_all && r >= 0; i++)
                r = options_number("the sector", request->words[i], UINT16_MAX,
                                   &request->sectors[i]);
        return r;
}

/* Of which address is sector `number`? */
static int find_sector(const struct target_session *session, uint32_t number, uint32_t *ret_address)
{
        const struct family *family = &session->chosen.family;
        uint32_t each =
                target_bank_length(&session->target, &session->identity) / family->sector_length;

        if (number >= each * family->banks)
                return fault(FAULT_BAD_VALUE, "sector %u, the part has 0 to %u of %u KiB", number,
                             each * family->banks - 1, family->sector_length >> 10);
        *ret_address = family->bank_address[number / each] + number % each * family->sector_length;
        return 0;
}

static int erase_sectors(struct target_session *session, const struct request *request)
{
        uint32_t length = session->chosen.family.sector_length, address;
        int r = 0;

        for (size_t i = 0; i < request->count && r >= 0; i++) {
                r = find_sector(session, request->sectors[i], &address);
                if (r >= 0)
                        r = target_erase(&session->target, address, length, NULL);
                if (r >= 0)
                        r = target_check_blank(&session->target, address, length);
                if (r >= 0)
                        printf("sector %u at 0x%08X: erased\n", request->sectors[i], address);
        }
        return r;
}

static int erase(struct target_session *session, const struct request *request)
{
        unsigned erased;
        uint32_t unused;
        int r = 0;

        for (size_t i = 0; i < request->count && !request->is_all && r >= 0; i++)
                r = find_sector(session, request->sectors[i],
                                &unused); /* before the first one goes */
        if (r >= 0)
                target_session_mark(session);
        if (r >= 0)
                r = target_confirm(session, request->is_all ? "erase all of its flash"
                                                            : "erase these sectors");
        if (r == 0) {
                fprintf(stderr, "not confirmed, nothing was erased\n");
                return EXIT_NO;
        }
        if (r < 0)
                return r;
        if (!request->is_all) {
                r = erase_sectors(session, request);
                return r < 0 ? r : EXIT_OK;
        }
        r = target_part_blank(session, &erased);
        if (r < 0)
                return r;
        printf("%u KiB read 0xFF; %u sectors were not erased before\n", session->identity.flash_kib,
               erased);
        return EXIT_OK;
}

static int run_erase(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct request request = { .choice = TARGET_CHOICE };
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = target_session_open(&request.choice, &session);
        if (r >= 0)
                r = erase(session, &request);
        return target_answer("target erase", r);
}

/* By the core's own register, or by NRST (reset=HWrst). */
static int reset(struct target_session *session)
{
        int r;

        if (session->choice->reset == TARGET_RESET_SOFTWARE)
                return target_reset(&session->target, RESET_PATIENCE_MS);
        r = stlink_drive_nrst(&session->probe, STLINK_NRST_PULSE);
        return r < 0 ? r : target_reattach(&session->target, RESET_PATIENCE_MS);
}

static int run_reset(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct target_choice choice = TARGET_CHOICE;
        const struct argument arguments[] = { TARGET_ARGUMENTS(&choice) };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = target_session_open(&choice, &session);
        if (r >= 0)
                r = reset(session);
        if (r >= 0) {
                target_session_mark(session);
                printf("%s was reset and answers again\n", session->chosen.family.name);
                r = EXIT_OK;
        }
        return target_answer("target reset", r);
}

const struct command target_erase_command = {
        .words = "target erase",
        .summary = "sectors, or all of the flash of a part",
        .help = "usage: gangway target erase all|SECTOR... [--yes] " TARGET_USAGE "\n"
                "Sectors count from 0 over both banks. Erased flash is read and must be 0xFF.\n"
                "ST's -e: gangway target -c port=SWD mode=HOTPLUG -e 0 1.\n"
                "\n" TARGET_HELP "  -y, --yes           do not ask\n"
                "\n"
                "Exit codes: 0 ok, 1 refused or not confirmed, 2 usage, 3 nothing answers\n"
                "example: gangway target erase all -c port=SWD mode=HOTPLUG\n",
        .run = run_erase,
};

const struct command target_reset_command = {
        .words = "target reset",
        .summary = "reset a part and see that it answers again",
        .help = "usage: gangway target reset " TARGET_USAGE "\n"
                "By SYSRESETREQ; with reset=HWrst by the NRST line.\n"
                "ST's -rst: gangway target -c port=SWD mode=HOTPLUG -rst.\n"
                "\n" TARGET_HELP "\n"
                "Exit codes: 0 ok, 1 the part refused, 2 usage, 3 nothing answers\n"
                "example: gangway target reset -c port=SWD mode=HOTPLUG reset=HWrst\n",
        .run = run_reset,
};
