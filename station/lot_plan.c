/*
 * lot_plan.c - hold a lot for its cards, release it when they are there.
 *
 * Wanted is one license of each kind for each good unit still to be made; what is in hand for the order
 * is counted off, so a lot whose licenses were got ahead needs no card. Before the first unit any lack
 * holds the lot. Later a card that is gone gets the time that requests wait for it (GRACE_NS in
 * desk_parts.h): it may be back before anybody needed it.
 */
#include "station/lot_plan.h"

#include "scheduler/loop.h"
#include "station/log.h"
#include "station/station.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_NS  (10 * NS_PER_S) /* until a lack is told, and holds a lot that has begun */
#define LOOK_HELD_NS (100 * NS_PER_MS)
#define LOOK_NS      NS_PER_S

static unsigned needs_of(const struct lot *lot, struct desk_need needs[static INSTALL_LICENSES_MAX])
{
        const struct order *order = &lot->order;
        unsigned each = lot_licenses_per_unit(lot);
        uint32_t done = lot->counts.good + (each ? lot->balance.in_hand / each : 0);
        uint32_t wanted = order->quantity > done ? order->quantity - done : 0;
        unsigned count = 0;

        if (order->license.source == LICENSE_FROM_CARD)
                needs[count++] =
                        (struct desk_need){ order->firmware_id, order->license.type, wanted };
        if (order_module_source(order) != LICENSE_FROM_CARD)
                return count;
        for (unsigned i = 0; i < order->module_count; i++)
                needs[count++] = (struct desk_need){ order->modules[i].firmware_id,
                                                     order->modules[i].type, wanted };
        return count;
}

/* A unit that starts now would fail: at once, or after its grace. */
static bool is_certain(int lack)
{
        return lack == -FAULT_CARD_EMPTY || lack == -FAULT_WRONG_CARD;
}

static void hold(struct station *station, struct lot *lot, int lack)
{
        uint64_t now_ns = clock_now_ns();
        bool has_begun = lot->counts.attempts || lot->in_work;

        if (!lot->lack_since_ns)
                lot->lack_since_ns = now_ns;
        if (lot->held[0] && !lot->is_held_for_cards)
                return; /* for another reason, which a person clears */
        if (has_begun && !is_certain(lack) && now_ns - lot->lack_since_ns < PATIENCE_NS)
                return;
        snprintf(lot->held, sizeof(lot->held), "%.159s", fault_sentence(lack));
        lot->is_held_for_cards = true;
        if (!lot->lack_told[0] && now_ns - lot->lack_since_ns >= PATIENCE_NS) {
                snprintf(lot->lack_told, sizeof(lot->lack_told), "lot %s waits for cards: %s",
                         lot->order.id, lot->held);
                station_alarm(station, "%s", lot->lack_told);
        }
        station_changed(station);
}

static void release(struct station *station, struct lot *lot)
{
        lot->lack_since_ns = 0;
        if (lot->lack_told[0])
                station_alarm_end(station, lot->lack_told);
        lot->lack_told[0] = '\0';
        if (!lot->is_held_for_cards)
                return;
        lot->is_held_for_cards = false;
        lot->held[0] = '\0';
        lot->opened_ns = clock_now_ns();
        waitlist_wake(&station->lots.changed);
        station_changed(station);
}

uint64_t lot_plan(struct station *station, struct lot *lot)
{
        struct desk_need needs[INSTALL_LICENSES_MAX];
        char shortage[256];
        int r = desk_plan(station->desk, needs, needs_of(lot, needs), shortage);

        if (r < 0) {
                hold(station, lot, r);
                return LOOK_HELD_NS;
        }
        release(station, lot);
        if (shortage[0] && !lot->is_shortage_told)
                station_alarm(station, "lot %s: %s", lot->order.id, shortage);
        lot->is_shortage_told |= shortage[0] != '\0';
        return LOOK_NS;
}
