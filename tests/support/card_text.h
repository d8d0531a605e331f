/*
 * card_text.h - a card profile in memory: the reference commands, for another application and ATR
 * than the shipped file's. Needs neither a file nor cmocka, so fuzz targets have it too.
 */
#pragma once

#include "drivers/card_profile.h"

/* Read once; aborts when it cannot be. */
const struct card_profile *card_text_profile(void);
