/*
 * capture.h - probe traffic as a file: pcapng blocks that hold packets of Linux usbmon.
 *
 * The blocks are those of draft-ietf-opsawg-pcapng: a section header (4.1), one interface (4.2, link
 * type 220, LINKTYPE_USB_LINUX_MMAPPED of the tcpdump.org registry), an enhanced packet a URB event
 * (4.3) and interface statistics at the end (4.6); options as in 3.5. A packet opens with the
 * 64-byte header of Documentation/usb/usbmon.rst, `struct usbmon_packet`, in little-endian order.
 * libpcap can write such packets only as classic pcap, which has no place for comments, so the few
 * blocks are written here.
 *
 * Nothing here waits.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#define CAPTURE_FILE_MAX    (64u << 20)
#define CAPTURE_PACKETS_MAX 1000000u
#define CAPTURE_DATA_MAX    65536u /* of one packet, without its header */
#define CAPTURE_COMMENT_MAX 2048u

#define CAPTURE_BULK     3u    /* usbmon's xfer_type */
#define CAPTURE_IN       0x80u /* the direction bit of an endpoint */
#define CAPTURE_SUBMIT   'S'
#define CAPTURE_COMPLETE 'C'

#define CAPTURE_IN_PROGRESS (-115) /* -EINPROGRESS: what a submission shows as its status */

/* One event of a URB. Data and comment are borrowed from whoever made it. */
struct capture_packet {
        uint64_t time_ns; /* calendar, since 1970 UTC */
        uint64_t id;      /* the same in submission and completion */
        char type;        /* 'S', 'C', or 'E' for a submission the host refused */
        uint8_t transfer; /* CAPTURE_BULK */
        uint8_t endpoint; /* with the direction bit */
        uint8_t device;
        uint16_t bus;
        int32_t status;  /* -errno */
        uint32_t length; /* asked for or moved */
        const uint8_t *data;
        uint32_t data_length; /* kept; less than `length` where the snap length cut it */
        bool has_data;        /* false: the other event of this URB carries it */
        const char *comment;  /* not terminated; lines end in \n */
        uint32_t comment_length;
};

/* What a capture is about; every text may be "". */
struct capture_about {
        char comment[CAPTURE_COMMENT_MAX]; /* of the section: order, unit, attempt, result */
        char interface[64];                /* "site 3" */
        char description[160];             /* probe and serial */
        char hardware[64];                 /* "V3J15M7B5S1" */
};

/* --- writing ------------------------------------------------------------------------------- */

/* A file being made in memory; zero it, begin, put, end, then `bytes` is the file (given). */
struct capture_writer {
        struct bytes bytes; /* length is capacity until capture_end */
        size_t length;
        uint32_t packets;
        uint64_t first_ns, last_ns;
};

/* `snap` is the most data a packet carries. */
void capture_begin(struct capture_writer *writer, const struct capture_about *about, uint32_t snap);
void capture_put(struct capture_writer *writer, const struct capture_packet *packet);

/* `dropped` packets were overwritten before the first. */
void capture_end(struct capture_writer *writer, uint64_t dropped);

/* What capture_put will add at most for a packet. */
size_t capture_packet_room(const struct capture_packet *packet);

/* --- reading ------------------------------------------------------------------------------- */

struct capture {
        struct capture_about about;
        struct capture_packet *packets; /* owned; what they point to lies in the file */
        size_t count;
        uint64_t dropped; /* by the statistics at the end, 0 without them */
        uint32_t cut;     /* packets the snap length cut */
};

/* Take `data`, which stays the caller's and must outlive the capture, apart. Any little-endian
 * section with interfaces of link type 220 does, whoever wrote it; blocks of other kinds are
 * skipped. `name` is for the sentence.
 *      -FAULT_BAD_FILE   not pcapng, another link type, or not well formed: the offset is named
 *      -FAULT_TOO_LARGE  */
int capture_parse(const char *name, const void *data, size_t length,
                  struct capture *ret_capture) MUST_USE;
void capture_free(struct capture *capture);
