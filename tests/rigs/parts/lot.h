/*
 * lot.h - sites that ask a desk for licenses, as many as they can at once, and the books afterwards.
 */
#pragma once

#include "station/desk.h"

#define LOT_SITES   16u
#define READERS_MAX 16u

void lot_certificate(unsigned number, struct certificate *ret_certificate);

struct lot_run;
/* Sixteen sites, `each` licenses each, no chip twice in the life of the process. Every other one is
 * installed. */
struct lot_run *lot_start(struct desk *desk, struct ledger *ledger, unsigned each);
/* Waits for the end; how many were served. */
unsigned lot_finish(struct lot_run *run);
