/*
 * rss.h - the root security services: certificate out; license, header and areas in.
 *
 * The mailbox of the RSS is not public for any MCU (targets.md section 13), so it is data: an RSS
 * profile (configs/rss/NAME.conf). `reference` is our own stand-in protocol, which follows every
 * public fact (license at 0x24030800, header at 0x24031000, SECURITY and ST_RAM_SIZE set before,
 * status 0 for complete) and invents the rest:
 *
 *   mailbox + 0x00  magic "GWRS"           written by the host
 *         + 0x04  command                1 certificate, 2 install part
 *         + 0x08  length of the area list in bytes (install)
 *         + 0x0C  number of areas in this part; + 0x10 is this the last part
 *         + 0x14  number of module licenses (install)
 *         + 0x20  state                  0x52554E52 "RNUR" running, 0x454E4F44 "DONE"; host writes
 * 0
 *         + 0x24  complete value         0 good, else an rss_code
 *         + 0x28  area index reached     progress; for rss_code 12 the module's number, from 1
 *         + 0x2C  reason                 of an RSSe's 0xF5F5F5F5: an rss_code
 *         + 0x30  external areas of this part; + 0x34 length of their list
 *         + 0x40  certificate, 136 bytes
 *   license, header: at their own addresses; areas: header and payload back to back from `areas`.
 *
 * Module licenses, one an M area in their order, stand behind the image's license in its slot. That
 * they go there is invented; that an install takes the license of the image and then that of the
 * module is ST's 2017 command (spec/secure-install.md section 5), and the slot has 0x800 bytes on an
 * H7 (AN5054 figure 65).
 *
 * `certificate` is answered by the ROM while it runs from system memory. `install` is taken at the
 * next reset with SECURITY = 1: debug access is refused while the RSS runs, then state and value
 * stand in the mailbox and the part waits for the next one, or resets with the new option bytes.
 *
 * Families that need an RSSe (rsse.h) take command 3 at the next reset: start the RSSe that lies in
 * RAM. Its status words are those of ST's headers, 0xEAEAEAEA good and 0xF5F5F5F5 not (targets.md 2.4);
 * the reason is ours. While it runs it takes `install` without a reset. After the last area it shows
 * state 0x574F4853 "SHOW" and its value for `show_ms`, then programs the option bytes and resets: a
 * part that closes itself has then said what became of it. That it waits is invented; that the link is
 * lost in the end of a good install is ST's log (AN5054 figure 59).
 *
 * External areas (E) of a part come back: once it is done, a list of them stands where its areas stood, to be
 * programmed by the host (rss_external.h). That the part re-enciphers them and leaves them in RAM follows from ST's log
 * of an H7B3 (AN5054 figure 65: "Downloading area [n] data for external flash at address" between parts);
 * the list is invented, and so are nonce and version of the OTFDEC region, both 0: no E area carries any.
 *
 * A reference profile runs only on a part that carries `marker` in its system memory. Real silicon
 * does not, so the station refuses it there and says which document would close the gap.
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/license.h"
#include "crypto/sfi.h"
#include "drivers/target.h"

#define RSSE_FILES_MAX 8u

/* States and values of the mailbox. */
#define RSS_STATE_RUNNING 0x52554E52u
#define RSS_STATE_DONE    0x454E4F44u
#define RSS_STATE_SHOWN   0x574F4853u
#define RSSE_GOOD         0xEAEAEAEAu
#define RSSE_BAD          0xF5F5F5F5u

struct rsse_file {
        uint16_t device;
        char file[300]; /* resolved from the profile's directory */
};

enum profile_source { SOURCE_REFERENCE, SOURCE_DOCUMENT, SOURCE_SILICON };

struct rss_profile {
        char name[32];
        enum profile_source source;
        char gap[160]; /* which document would close the gap */
        uint32_t mailbox, license, header, areas;
        uint32_t areas_capacity; /* bytes from `areas` */
        bool takes_global; /* a license for any chip: H5 and H7Rx/7Sx (AN5054 sections 9, 10) */
        uint32_t marker_address; /* 0: none */
        char marker[33];
        uint32_t command_certificate, command_install;
        unsigned certificate_timeout_ms, install_timeout_ms; /* of the RSS itself, besides work */
        enum sfi_iv_policy iv_policy;

        /* Families with an RSSe only. */
        uint32_t rsse_address, rsse_capacity; /* where it is put; 0: none is */
        uint32_t command_rsse;
        unsigned rsse_timeout_ms;
        unsigned show_ms; /* how long the RSSe shows its value before the option bytes */
        struct rsse_file rsse[RSSE_FILES_MAX];
        size_t rsse_count;
};

/* Codes at mailbox + 0x24 of the reference protocol. */
enum rss_code {
        RSS_OK = 0,
        RSS_ERROR_COMMAND = 1,   /* unknown command, lengths that do not fit */
        RSS_ERROR_SECURITY = 2,  /* SECURITY or ST_RAM_SIZE not set, read-out protected */
        RSS_ERROR_LICENSE = 3,   /* license not for this chip */
        RSS_ERROR_HEADER = 4,    /* header tag: wrong key or nonce */
        RSS_ERROR_AREA = 5,      /* tag of the area at + 0x28 */
        RSS_ERROR_OVERLAP = 6,   /* an area overlaps an earlier one of this install */
        RSS_ERROR_RANGE = 7,     /* destination not in flash */
        RSS_ERROR_NOT_BLANK = 8, /* destination not erased */
        RSS_ERROR_FLASH = 9,     /* a word did not take its value */
        RSS_ERROR_ORDER = 10,    /* part or index out of order */
        RSS_ERROR_OPTION = 11,   /* option bytes refused */
        RSS_ERROR_MODULE =
                12, /* license of the module at + 0x28: not for this chip, none, too many */
        RSS_ERROR_RSSE = 13,   /* what lies in RAM is no RSSe for this die */
        RSS_ERROR_CIPHER = 14, /* region, mode or key of an external area cannot be used */
};

/* Read and check a profile (waits). -FAULT_BAD_FILE */
int rss_profile_load(const char *path, struct rss_profile *ret_profile) MUST_USE;

/* May this profile be used on this part?
 *      -FAULT_REFERENCE_ONLY */
int rss_check_allowed(struct target *target, const struct rss_profile *profile) MUST_USE;

/* Ask for the certificate and check it. It is read twice: what its signature covers is not public, so
 * nothing else shows a bit that was flipped on the way, and a license for it would be lost.
 *      -FAULT_RSS_SILENT, -FAULT_RSS, -FAULT_BAD_CERTIFICATE */
int rss_read_certificate(struct target *target, const struct rss_profile *profile,
                         struct certificate *ret_certificate) MUST_USE;

/* How a part was when its last part of the image was done. */
enum rss_end {
        RSS_END_READABLE, /* its mailbox says that all is done */
        RSS_END_CLOSED, /* its value was read, then it closed: the debug port answers, no access port */
};

/* Progress of a running install, for the page. The reader may look at any time. */
struct rss_progress {
        uint32_t bytes_sent, bytes_total;
        uint16_t area_reached, area_count;
        enum rss_end end;         /* after the last part went in */
        uint16_t license_refused; /* after -FAULT_BAD_LICENSE: 0 the image's, n that of module n */
};

/* One of the image and one a module. */
#define RSS_LICENSES_MAX 9u

/* Put licenses, header and the areas of `part` into RAM, start the RSS by a reset (a running RSSe: by
 * the command alone), wait until it is done, come back; `progress->end` says whether debug access
 * did. `licenses` are `license_count` (1 .. RSS_LICENSES_MAX) back to back: the image's,
 * then those of its modules.
 *      -FAULT_NO_ROOM      the part does not fit
 *      -FAULT_RSS_SILENT   not done in time
 *      -FAULT_BAD_LICENSE, -FAULT_BAD_IMAGE, -FAULT_BAD_AREA, -FAULT_NOT_BLANK, -FAULT_FLASH,
 *      -FAULT_OPTION_BYTES, -FAULT_PROTECTED, -FAULT_RSS  by the code it left
 *      -FAULT_NOT_PROVABLE it closed the part before the value could be read */
int rss_install_part(struct target *target, const struct rss_profile *profile,
                     const struct sfi *sfi, const struct sfi_part *part, bool is_last,
                     const uint8_t licenses[static LICENSE_LENGTH], unsigned license_count,
                     struct rss_progress *progress) MUST_USE;
