/*
 * license_alarms.h - alarms about licenses, at the limits of the station file.
 *
 * Looks at the cards and at the lot; each alarm is told once and stands until what it says is over:
 * a card was changed, a pace fell, the next lot began. Between the level that raises an alarm and
 * the one that ends it is some room, so that none comes and goes. The sentences name limits, not
 * figures, and stay true while they stand.
 *
 *      license_alarm        a card has fewer left
 *      license_hours_alarm  a card runs dry within so many hours at its pace
 *      license_lost_alarm   the lot lost so many
 *      license_ratio_alarm  more licenses per good unit, from the 20th good unit on or at the end
 */
#pragma once

#include "station/desk.h"
#include "station/settings.h"

struct lot;
struct station;

enum license_alarm { ALARM_CARD_LOW, ALARM_CARD_DRY, ALARM_LOT_LOST, ALARM_LOT_RATIO };

/* Two of each card, two of the lot. */
#define LICENSE_ALARMS_MAX (2 * SETTINGS_READERS_MAX + 2)

struct license_alarms {
        struct {
                enum license_alarm kind;
                char about[64]; /* serial of the card, id of the order */
                char text[160]; /* as told */
                bool is_confirmed;
        } standing[LICENSE_ALARMS_MAX];
        unsigned count;
};

/* Raise and end alarms of `station` by what is so at `now_us` (calendar). `cards` as desk_cards()
 * gives them; `lot` is the running one, else the last, NULL none. Never waits. */
void license_alarms_look(struct station *station, const struct desk_card *cards,
                         unsigned card_count, const struct lot *lot, uint64_t now_us);

/* Licenses each unit of the lot needs: its own and one for each module; 0 for a global license,
 * which nobody counts, and no modules. */
unsigned lot_licenses_per_unit(const struct lot *lot);

/* Licenses per good unit in thousandths; licenses of units that have no result yet are left out. 0
 * while there is no good unit. */
uint32_t lot_licenses_per_good(const struct lot *lot);
