/*
 * fake_server.h - a license server of a few lines, in place of station/license_server.c: a test that
 * uses it is linked with this one.
 */
#pragma once

#include "station/license_server.h"

enum server_answer {
        SERVER_ISSUES,
        SERVER_REFUSES,
        SERVER_BREAKS_OFF, /* after it has issued one */
        SERVER_OTHER_TYPE, /* a license of another type */
};

struct license_server {
        enum server_answer answer;
        uint64_t takes_ns;
        unsigned asked, issued;
        unsigned now, most; /* questions at the same time */
        unsigned closed;
        char firmware_id[33], type[5]; /* of the last question */
};

/* One that issues at once. */
void fake_server_init(struct license_server *server);
