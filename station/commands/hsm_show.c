/*
 * gangway hsm info, counter, state, fwid: what a card tells, blank or programmed.
 *
 * One question, INFO, and four ways to print its answer. Labels end in a colon, since scripts look
 * for the programmer's "HSM FW IDENTIFIER" and take what follows (secure-install.md section 12).
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/hsm_card.h"

typedef void print_function(const struct hsm_info *info);
typedef json_t *pack_function(const struct hsm_info *info);

static void print_state(const struct hsm_info *info)
{
        printf("HSM STATE         : %s\n", hsm_state_name(info->state));
}

static void print_counter(const struct hsm_info *info)
{
        printf("HSM COUNTER       : %u\n", info->counter);
}

static void print_firmware_id(const struct hsm_info *info)
{
        printf("HSM FW IDENTIFIER : %s\n", info->firmware_id);
}

static void print_all(const struct hsm_info *info)
{
        print_state(info);
        print_firmware_id(info);
        print_counter(info);
        printf("HSM MAXIMUM       : %u\n", info->maximum);
        printf("HSM TYPE          : %s\n", info->type);
        printf("HSM VERSION       : %u\n", info->version);
        printf("HSM SERIAL        : %s\n", info->serial);
}

static json_t *pack_state(const struct hsm_info *info)
{
        return json_pack("{s:s}", "state", hsm_state_name(info->state));
}

static json_t *pack_counter(const struct hsm_info *info)
{
        return json_pack("{s:I}", "counter", (json_int_t)info->counter);
}

static json_t *pack_firmware_id(const struct hsm_info *info)
{
        return json_pack("{s:s}", "firmware_id", info->firmware_id);
}

static json_t *pack_all(const struct hsm_info *info)
{
        return json_pack("{s:s, s:s, s:I, s:I, s:s, s:i}", "state", hsm_state_name(info->state),
                         "firmware_id", info->firmware_id, "counter", (json_int_t)info->counter,
                         "maximum", (json_int_t)info->maximum, "type", info->type, "version",
                         (int)info->version);
}

static int print_json(const struct hsm_card *card, json_t *object)
{
        json_object_set_new(object, "serial", json_string(card->info.serial));
        json_object_set_new(object, "simulated", json_boolean(card->is_simulated));
        return answer_json(object, EXIT_OK);
}

static int show(const char *words, int argc, char **argv, print_function *print,
                pack_function *pack)
{
        struct hsm_card card CLEANUP(hsm_card_close) = { 0 };
        struct card_choice choice = { 0 };
        bool is_json = false;
        const struct argument arguments[] = {
                CARD_ARGUMENTS(&choice),
                { "json", .flag = &is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r < 0)
                return r;
        r = hsm_card_open(&choice, &card);
        if (r < 0)
                return hsm_card_answer(words, r);
        if (is_json)
                return print_json(&card, pack(&card.info));
        hsm_card_mark(&card);
        print(&card.info);
        return EXIT_OK;
}

static int run_info(int argc, char **argv)
{
        return show("hsm info", argc, argv, print_all, pack_all);
}

static int run_counter(int argc, char **argv)
{
        return show("hsm counter", argc, argv, print_counter, pack_counter);
}

static int run_state(int argc, char **argv)
{
        return show("hsm state", argc, argv, print_state, pack_state);
}

static int run_firmware_id(int argc, char **argv)
{
        return show("hsm fwid", argc, argv, print_firmware_id, pack_firmware_id);
}

#define USAGE(words)                                                                               \
        "usage: gangway hsm " words " [--slot N|--reader NAME|--card FILE] [--json]\n\n"
#define REST(words)                                                                                \
        "\n" CARD_HELP "  --json              the same for programs\n"                             \
        "\n"                                                                                       \
        "example: gangway hsm " words " --slot 2\n"

const struct command hsm_info_command = {
        .words = "hsm info",
        .summary = "what a card tells of itself",
        .help = USAGE("info") "State, firmware identifier, counter, maximum, type, version, "
                              "serial of a card,\nblank or programmed (AN5054 section "
                              "4.3.5).\n" REST("info"),
        .run = run_info,
};

const struct command hsm_counter_command = {
        .words = "hsm counter",
        .summary = "how many licenses a card has left",
        .help = USAGE("counter") "Licenses left. The counter goes down with each license, not "
                                 "each good install\n(AN5054 section 3.1.2).\n" REST("counter"),
        .run = run_counter,
};

const struct command hsm_state_command = {
        .words = "hsm state",
        .summary = "is a card blank or operational?",
        .help = USAGE("state") "OEM_STATE: blank, programmed once. OPERATIONAL_STATE: "
                               "programmed and locked.\nST_STATE, UNKNOWN_STATE: of no "
                               "use.\n" REST("state"),
        .run = run_state,
};

const struct command hsm_fwid_command = {
        .words = "hsm fwid",
        .summary = "which firmware a card is for",
        .help = USAGE("fwid") "The firmware identifier that was burned into the card.\n" REST(
                "fwid"),
        .run = run_firmware_id,
};
