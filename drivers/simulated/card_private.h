/*
 * card_private.h - what the simulated reader knows of its card besides the APDUs.
 */
#pragma once

#include "drivers/simulated/card.h"

#include <stdbool.h>

/* How long the card will take for this APDU, unless another comes first. The reader needs it
 * beforehand: a card pulled in the first half of that time has done nothing yet. */
uint64_t simulated_card_plan(struct simulated_card *card, const void *apdu, size_t length);

/* Would this APDU be a license request in form? */
bool simulated_card_is_license(const struct simulated_card *card, const void *apdu, size_t length);

/* As after a reset or a new power-up: nothing selected. */
void simulated_card_reset(struct simulated_card *card);

const struct card_profile *simulated_card_profile(const struct simulated_card *card);
