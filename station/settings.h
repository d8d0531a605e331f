/*
 * settings.h - the station file (libconfig); configs/gangway.conf is the annotated example.
 */
#pragma once

#include "drivers/simulated/bench.h"
#include "scheduler/base.h"
#include "scheduler/fault.h"

#define SETTINGS_FILE_MAX    (64u << 10)
#define SETTINGS_SITES_MAX   128u
#define SETTINGS_READERS_MAX 32u
#define SETTINGS_WORKERS_MAX 16u

enum hardware { HARDWARE_USB, HARDWARE_SIMULATED };

/* Of which attempts the probe's traffic is kept (captures.h). */
enum capture_rule { CAPTURE_NONE, CAPTURE_FAILURES, CAPTURE_ALL };

struct settings_site {
        char name[16];
        char path[64];   /* USB port path "1-4.2"; "sim-0" when simulated */
        char serial[64]; /* cross-check of the probe's serial, "" for any */
};

#define SETTINGS_MODULE_CARDS_MAX 8u

/* A simulated card beside the image's: of a module an order names. */
struct settings_module_card {
        char firmware_id[33];
        char type[5];
};

/* The simulated bench, where `hardware = "simulated"`. Files hold key and nonce of the cards. */
struct settings_bench {
        unsigned boards, handling_ms;
        double speed;
        struct misfortune misfortune;
        unsigned cards;
        uint32_t card_counter;
        char key_file[256], nonce_file[256];
        char firmware_id[33];
        struct settings_module_card
                module_cards[SETTINGS_MODULE_CARDS_MAX]; /* after `cards` others */
        unsigned module_card_count;
        unsigned license_ms_low, license_ms_high;
        char directory[256]; /* "" nothing survives */
        /* No setting: tests have the cores of simulated parts execute (drivers/simulated/core.h). */
        const struct core_engine *engine;
};

/* Where licenses come from over HTTPS; `url` "" for nowhere. */
struct settings_server {
        char url[256];              /* "https://licenses.example:8443", no slash at its end */
        char certificate_file[256]; /* PEM: the only certificate that is believed */
        char user[64];              /* the station, as the server knows it */
        unsigned timeout_ms;
};

/* Who performs the secure part of an install. */
enum installer {
        INSTALLER_NATIVE, /* our procedures, by the RSS profile */
        INSTALLER_VENDOR, /* STM32_Programmer_CLI, one child a site */
};

struct settings_vendor {
        char program[256];
        char rsse_file[256]; /* "" none; families that install through an RSSe need it */
        unsigned timeout_s;  /* of one run of the program; installs get more by their size */
};

struct settings {
        char file[256]; /* where it was read */
        char station[32];
        enum hardware hardware;
        char family_file[256];
        char rss_profile_file[256];
        char card_profile_file[256];
        enum installer installer;
        struct settings_vendor vendor;

        struct settings_site sites[SETTINGS_SITES_MAX];
        unsigned site_count;
        char readers[SETTINGS_READERS_MAX][128]; /* PC/SC names or slot numbers from 1 */
        unsigned reader_count;

        unsigned workers;
        int worker_cpus[SETTINGS_WORKERS_MAX]; /* -1 not pinned */

        char orders_directory[256]; /* the drop folder: in, work, done, err are made inside */
        char data_directory[256];   /* records, ledger, station key; 0700 */
        char web_address[64];       /* "" no page */

        unsigned clock_khz;           /* SWD */
        unsigned poll_ms;             /* how often an empty site looks for a board */
        unsigned settle_ms;           /* supply must stay this long before a board counts as in */
        unsigned minimum_mv;          /* below: no board */
        unsigned scan_s;              /* drop-folder scan beside inotify */
        unsigned license_alarm;       /* alarm at this many left on a card; 0 never, as below */
        unsigned license_hours_alarm; /* when a card runs dry within so many hours */
        unsigned license_lost_alarm;  /* when a lot lost so many */
        double license_ratio_alarm;   /* above so many for each license a good unit needs */
        struct settings_server license_server;
        enum capture_rule capture;
        unsigned capture_mb; /* all captures together; 0: none */

        struct settings_bench bench;
        bool is_virtual_time; /* rehearsal: simulated hardware only */
        uint64_t seed;
};

/* Read and check (waits). Relative paths are taken from the file's own directory. Unknown names are
 * refused.
 *      -FAULT_NOT_FOUND, -FAULT_BAD_FILE, -FAULT_BAD_VALUE  file, line and remedy */
int settings_load(const char *path, struct settings *ret_settings) MUST_USE;

/* The same from memory, touching no file; `path` names the text and gives the directory. */
int settings_parse(const char *path, const void *text, size_t length,
                   struct settings *ret_settings) MUST_USE;
