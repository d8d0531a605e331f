/*
 * snapshot.h - the line at one moment, as the page and the command show it.
 *
 * Filled by the station (station/snapshot.c), read here; nothing points back into live structs.
 * Percentages are in tenths; times are calendar milliseconds UTC, 0 for "not".
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

#define SNAPSHOT_SITES_MAX  128u
#define SNAPSHOT_CARDS_MAX  32u
#define SNAPSHOT_NEEDS_MAX  9u /* an order's own firmware and 8 modules */
#define SNAPSHOT_ALARMS_MAX 16u

struct snapshot_site {
        char name[16];       /* "1" .. as on the fixture */
        char state[16];      /* "empty", "idle", "busy", "pass", "fail", "error", "blocked", ... */
        char step[48];       /* of the running procedure; "" when none */
        unsigned progress;   /* of the step, 0..1000 */
        unsigned elapsed_ms; /* of the running attempt */
        char unit[25];       /* unique id of the unit in the site, "" unknown */
        unsigned attempt;
        char result[16]; /* last result: "pass", "fail", "error", "aborted", "not provable", "" */
        char fault[24];  /* "LOCKED" with it */
        char sentence[160];
        bool needs_person;               /* blocked until cleared */
        unsigned passed, failed, errors; /* units here in this lot */
};

struct snapshot_card {
        char serial[17];
        char reader[64];
        char firmware_id[33];
        char type[5];       /* of its licenses: "SFI", "SFIA", "SMU", "SSP"; "" not known */
        char state[16];     /* "ready", "busy", "absent", "dead", "empty", "wrong", "slow" */
        char sentence[160]; /* why, when it does not serve */
        uint32_t left;
        uint32_t maximum;
        unsigned queue;    /* requests waiting for it */
        uint32_t per_hour; /* licenses an hour at its pace of the last hour; 0 not known */
        uint64_t dry_ms;   /* when it will be empty at that pace; 0 not known */
        uint32_t issued, installed, in_hand, lost; /* issued = installed + in hand + lost */
};

/* Licenses the lot has still to get from cards with this firmware identifier and type, and what the
 * cards that serve have left of them. */
struct snapshot_need {
        char firmware_id[33];
        char type[5];
        uint32_t wanted, left;
};

struct snapshot_lot {
        char order[64];
        char part[32];
        char image[64];
        char state[16]; /* "waiting", "running", "stopping", "done", "stopped" */
        uint32_t quantity;
        uint32_t good, bad, errors, entered, retried, in_work;
        uint32_t first_pass_yield, final_yield;       /* tenths of a percent; 0 entered: 0 */
        uint32_t units_per_hour, units_per_hour_busy; /* including and excluding waits */
        char license_source[8];                       /* "card", "server", "file", "global" */
        char license_type[5];                         /* "SFI", "SFIA" */
        uint32_t licenses_issued, licenses_installed, licenses_in_hand, licenses_lost;
        uint32_t licenses_in_work;  /* of those in hand: of units that have no result yet */
        uint32_t licenses_pending;  /* asked for, not yet issued */
        uint32_t licenses_per_unit; /* each unit needs so many; 0: global, nobody counts them */
        uint32_t
                licenses_per_good; /* licenses per good unit in thousandths, those in work left out;
                                       0 not known */
        uint64_t started_ms, ended_ms;
};

struct snapshot {
        char station[32];
        char version[16];
        uint64_t now_ms;
        bool is_simulated; /* any site or card is */
        bool is_stopping;
        struct snapshot_lot lot; /* the current, else the last; order "" when none */
        unsigned orders_waiting;
        struct snapshot_site sites[SNAPSHOT_SITES_MAX];
        unsigned site_count;
        struct snapshot_card cards[SNAPSHOT_CARDS_MAX];
        unsigned card_count;
        struct snapshot_need needs[SNAPSHOT_NEEDS_MAX]; /* of the running lot */
        unsigned need_count;
        char alarms[SNAPSHOT_ALARMS_MAX][160]; /* what a person must act on, newest last */
        unsigned alarm_count;
};
