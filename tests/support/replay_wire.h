/*
 * replay_wire.h - a wire that answers from a capture: what a probe said once, it says again.
 *
 * What is sent must be what was sent then, byte for byte, as far as the capture kept it; what is not
 * is a mismatch, printed, and the exchange ends in FAULT_SYSTEM. Each exchange takes the time it took.
 * A license is zeros in the capture, so the driver is given zeros for it.
 */
#pragma once

#include "drivers/capture_exchange.h"
#include "drivers/stlink.h"

struct replay_wire {
        struct wire wire; /* first */
        struct capture capture;
        struct capture_exchanges exchanges;
        size_t at;           /* the next */
        unsigned resyncs;    /* of those before exchange `at` */
        unsigned mismatches; /* 0: everything was as recorded */
        unsigned cut;        /* answers the snap length cut; zeros stood for the rest */
};

/* `file` must outlive the wire. Finish with replay_wire_finish, also after a wire_close. */
void replay_wire_init(struct replay_wire *replay, const void *file, size_t length);
void replay_wire_finish(struct replay_wire *replay);

/* A session over it, in the state the recorded attempt began with: its opening is not in a capture. */
struct stlink replay_wire_session(struct replay_wire *replay);
