/*
 * A reader is chosen by slot, by name, or is a file; what follows is the same for all three.
 */
#include "station/commands/hsm_card.h"

#include "drivers/pcsc.h"
#include "drivers/simulated/card_file.h"
#include "station/commands/command.h"
#include "station/commands/places.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_NS (3 * NS_PER_S) /* for a card that is just being put in */
#define SLOT_MAX   99u

int card_choice_word(void *context, struct options *options)
{
        struct card_choice *choice = context;
        const char *word = options->value;

        if (strncmp(word, "slot=", 5) == 0)
                choice->slot = word + 5;
        else if (strncmp(word, "protocol=", 9) != 0)
                return 0;
        else if (strcmp(word + 9, "static") != 0)
                return fault(FAULT_BAD_VALUE,
                             "%.40s: only protocol=static exists (AN5054 section 3.2.1)", word);
        return 1;
}

static int load_profile(const struct card_choice *choice, struct card_profile *ret_profile)
{
        char path[PLACE_LENGTH_MAX];
        int r;

        if (choice->profile)
                return card_profile_load(choice->profile, ret_profile);
        r = place_find("cards/reference.conf", path);
        return r < 0 ? r : card_profile_load(path, ret_profile);
}

static int open_reader(const struct card_choice *choice, struct hsm_card *card)
{
        uint32_t slot = 1;
        char name[16];
        int r;

        if (!!choice->slot + !!choice->reader + !!choice->file > 1)
                return fault(FAULT_BAD_VALUE,
                             "one card at a time: give one of --slot, --reader, --card");
        if (choice->file) {
                card->reader = card_file_reader(choice->file, &card->profile);
                return 0;
        }
        if (choice->reader)
                return pcsc_reader_open(choice->reader, &card->reader);
        r = choice->slot ? options_number("--slot", choice->slot, SLOT_MAX, &slot) : 0;
        if (r < 0)
                return r;
        if (slot == 0)
                return fault(FAULT_BAD_VALUE, "--slot is 0; the first reader is 1");
        snprintf(name, sizeof(name), "%u", slot);
        return pcsc_reader_open(name, &card->reader);
}

int hsm_card_open(const struct card_choice *choice, struct hsm_card *ret_card)
{
        int r;

        *ret_card = (struct hsm_card){ 0 };
        r = load_profile(choice, &ret_card->profile);
        if (r >= 0)
                r = open_reader(choice, ret_card);
        if (r >= 0)
                r = hsm_open(ret_card->reader, &ret_card->profile, CONNECT_NS);
        if (r >= 0)
                r = hsm_info(ret_card->reader, &ret_card->profile, &ret_card->info);
        if (r >= 0)
                ret_card->is_simulated = ret_card->reader->is_simulated ||
                                         ret_card->profile.source == SOURCE_REFERENCE;
        return r;
}

void hsm_card_close(struct hsm_card *card)
{
        if (card->reader)
                reader_disconnect(card->reader);
        card->reader = reader_close(card->reader);
}

void hsm_card_mark(const struct hsm_card *card)
{
        if (card->is_simulated)
                printf("SIMULATED card, not ST's: %s\n", reader_name(card->reader));
}

int hsm_card_answer(const char *words, int r)
{
        if (r >= 0)
                return r;
        fprintf(stderr, "gangway %s: %s\n", words, fault_sentence(r));
        switch (-r) {
        case FAULT_CARD_EMPTY:
        case FAULT_CARD_STATE:
        case FAULT_CARD_REFUSED:
                return EXIT_NO;
        case FAULT_TIMEOUT:
        case FAULT_NO_CARD:
        case FAULT_CARD_DEAD:
                return EXIT_UNREACHABLE;
        default:
                return EXIT_INPUT;
        }
}
