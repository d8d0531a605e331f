/*
 * gangway hsm program: burn key, nonce, firmware identifier, count and personalization into a blank
 * card (AN5054 sections 3.1.2, 4.3.4, 4.3.5).
 *
 * It can be done once in a card's life, so everything that can be wrong is looked for before: files
 * and package first, without a card; then the card is asked who it is and held against what is
 * wanted; then a person types the firmware identifier. Afterwards the card is asked again.
 */
#include "station/commands/command.h"

#include "station/commands/hsm_card.h"
#include "station/commands/hsm_package.h"
#include "station/commands/screen.h"
#include "station/commands/secrets.h"
#include "station/nonce_list.h"
#include "station/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct request {
        struct card_choice choice;
        struct hsm_package_request package;
        const char *key, *nonce, *firmware_id;
        uint32_t maximum;
        bool is_sure;
};

static int check_request(const struct request *request)
{
        if (!text_is_ascii(request->firmware_id, FIRMWARE_ID_MAX + 1))
                return fault(FAULT_BAD_VALUE,
                             "the firmware identifier is %.60s, wanted 1 to %u printable "
                             "characters",
                             request->firmware_id, FIRMWARE_ID_MAX);
        if (!request->is_sure && !(isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
                return fault(FAULT_BAD_VALUE,
                             "a card is programmed once, and there is no terminal to confirm it "
                             "at: give --yes in a script");
        return 0;
}

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                CARD_ARGUMENTS(&request->choice),
                { "key", "k", .text = &request->key, .needed = "-k FILE" },
                { "nonce", "n", .text = &request->nonce, .needed = "-n FILE" },
                { "firmware-id", "id", .text = &request->firmware_id, .what = "firmware identifier",
                  .needed = "-id ID" },
                { "max-counter", "mc", .number = &request->maximum, .least = 1, .most = UINT32_MAX,
                  .what = "number of licenses", .needed = "-mc COUNT" },
                { "perso", "pd", .text = &request->package.file },
                { "cert", .text = &request->package.cert_file },
                { "packages", .text = &request->package.folder },
                { "flow", .text = &request->package.flow },
                { "yes", "y", .flag = &request->is_sure },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        return r < 0 ? r : check_request(request);
}

/* --- before -------------------------------------------------------------------------------- */

static void wipe_program(struct hsm_program *program)
{
        wipe(program, sizeof(*program));
}

static int fill_program(const struct request *request, const struct hsm_package *package,
                        struct hsm_program *program)
{
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        int r = secrets_read(request->key, request->nonce, &secrets);

        if (r < 0)
                return r;
        memcpy(program->key, secrets.key, sizeof(program->key));
        memcpy(program->nonce, secrets.nonce, sizeof(program->nonce));
        program->maximum = request->maximum;
        snprintf(program->firmware_id, sizeof(program->firmware_id), "%s", request->firmware_id);
        program->is_personalized = package->is_there;
        program->personalization = package->name.personalization;
        return 0;
}

/* Version 1 ignores the package (AN5054 section 4.3.4): it is not sent. */
static int check_card(const struct hsm_card *card, const struct hsm_package *package,
                      struct hsm_program *program)
{
        int r;

        if (card->info.version == 1 && program->is_personalized) {
                fprintf(stderr, "note: the card is of version 1, which takes no personalization "
                                "package; it is ignored\n");
                program->is_personalized = false;
        }
        r = hsm_check_program(&card->profile, &card->info, program);
        if (r >= 0 && card->info.version == 1 && package->product_id[0])
                r = hsm_check_product(&card->profile, &card->info, package->product_id);
        return r;
}

static void print_plan(const struct hsm_card *card, const struct hsm_program *program,
                       const struct hsm_package *package)
{
        char name[NONCE_KEY_TEXT], key[NONCE_READ_TEXT], nonce[NONCE_SHORT_TEXT];
        const struct hsm_personalization *is = &program->personalization;

        nonce_key_name(program->key, name);
        hsm_card_mark(card);
        printf("card %s, version %u, type %s: will be burned, once and for good\n",
               card->info.serial, card->info.version, card->info.type);
        printf("  firmware identifier  %s\n", program->firmware_id);
        printf("  licenses             %u\n", program->maximum);
        printf("  key fingerprint      %s\n", nonce_key_read(name, key));
        printf("  nonce fingerprint    %s\n", nonce_short(program->nonce, nonce));
        if (!program->is_personalized)
                return;
        printf("  package              %s\n", package->path);
        printf("  its SHA-256          %s\n", package->digest);
        printf("  product id, flow     %s, %s\n", is->product_id, is->flow);
        printf("  license version      %u\n", is->license_version);
        printf("  security version     %u\n", is->security_version);
}

/* The typed word is compared whole, so that neither an Enter nor a Yes by habit burns a card. */
static bool is_confirmed(const struct hsm_program *program)
{
        char line[2 * FIRMWARE_ID_MAX + 2];
        size_t length;

        fflush(stdout);
        fprintf(stderr, "Type the firmware identifier to burn it, anything else to stop: ");
        if (!fgets(line, sizeof(line), stdin))
                return false;
        length = strcspn(line, "\r\n");
        line[length] = '\0';
        return strcmp(line, program->firmware_id) == 0;
}

/* --- burning ------------------------------------------------------------------------------- */

/* What it says now is what was asked for. */
static int verify(const struct hsm_card *card, const struct hsm_program *program)
{
        struct hsm_info info;
        int r = hsm_info(card->reader, &card->profile, &info);

        if (r < 0)
                return fault_prefix(r, "it was programmed, but does not tell so");
        if (info.state != HSM_STATE_OPERATIONAL || info.counter != program->maximum ||
            (info.maximum && info.maximum != program->maximum) ||
            strcmp(info.firmware_id, program->firmware_id) != 0)
                return fault(FAULT_CARD_DEAD,
                             "the card said it was programmed, but is in %s with %u of %u licenses "
                             "for '%s': put it aside",
                             hsm_state_name(info.state), info.counter, info.maximum,
                             info.firmware_id);
        return 0;
}

static int burn(const struct hsm_card *card, const struct hsm_program *program)
{
        char sentence[400];
        int r = hsm_personalize(card->reader, &card->profile, program);

        if (r >= 0)
                return verify(card, program);
        if (r != -FAULT_CARD_DEAD && r != -FAULT_NO_CARD && r != -FAULT_CANCELLED)
                return r;
        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        return fault((enum fault)(-r),
                     "%s; the card is blank as before or programmed whole: gangway hsm info tells",
                     sentence);
}

static int program_card(const struct request *request, const struct hsm_package *package,
                        struct hsm_program *program)
{
        struct hsm_card card CLEANUP(hsm_card_close) = { 0 };
        struct screen screen;
        int r = hsm_card_open(&request->choice, &card);

        if (r >= 0)
                r = check_card(&card, package, program);
        if (r < 0)
                return hsm_card_answer("hsm program", r);
        print_plan(&card, program, package);
        if (!request->is_sure && !is_confirmed(program)) {
                fprintf(stderr, "gangway hsm program: not confirmed, nothing was burned\n");
                return EXIT_NO;
        }
        r = burn(&card, program);
        if (r < 0)
                return hsm_card_answer("hsm program", r);
        screen_init(&screen, stdout);
        screen_put(&screen, stdout, TONE_GOOD, "HSM successfully programmed");
        printf("; it is locked\n");
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct hsm_program program CLEANUP(wipe_program) = { 0 };
        struct request request = { 0 };
        struct hsm_package package;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = hsm_package_choose(&request.package, &package);
        if (r >= 0)
                r = fill_program(&request, &package, &program);
        return r < 0 ? r : program_card(&request, &package, &program);
}

const struct command hsm_program_command = {
        .words = "hsm program",
        .summary = "burn a blank card, once",
        .help = "usage: gangway hsm program -k KEY -n NONCE -id TEXT -mc COUNT [-pd PACKAGE]\n"
                "\n"
                "Burns a blank card (AN5054 section 4.3.5); it locks and never changes again but\n"
                "for its counter. You are asked to type the firmware identifier.\n"
                "\n"
                "  -k, --key FILE      exactly 16 bytes\n"
                "  -n, --nonce FILE    exactly 12 bytes\n"
                "  -id TEXT            firmware identifier, 1 to 32 printable characters\n"
                "  -mc N               licenses, up to the ceiling of the card's type\n"
                "  -pd FILE            personalization package, for a version-2 card\n"
                "  --cert FILE         certificate of a chip: the package must be for its product\n"
                "  --packages DIR      choose the package for it from ST's PersoPackages\n"
                "  --flow FLOW         SFI, SFIA, SSP or SMU (default in DIR: SFI)\n"
                "  -y, --yes           burn without asking\n" CARD_HELP "\n"
                "example: gangway hsm program -i 1 -k key.bin -n nonce.bin -id BLINKY_1 -mc 500\n"
                "                 --cert chip.bin --packages PersoPackages\n",
        .run = run,
};
