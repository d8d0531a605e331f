/*
 * capture_format.h - the figures of draft-ietf-opsawg-pcapng and of usbmon's header.
 *
 * For capture.c and capture_write.c only.
 */
#pragma once

/* Block types (draft 11.1) and the byte-order magic (4.1). */
#define PCAPNG_SECTION    0x0A0D0D0Au
#define PCAPNG_INTERFACE  1u
#define PCAPNG_STATISTICS 5u
#define PCAPNG_PACKET     6u
#define PCAPNG_MAGIC      0x1A2B3C4Du
#define PCAPNG_MAJOR      1u

/* tcpdump.org/linktypes.html: LINKTYPE_USB_LINUX_MMAPPED, the 64-byte header before the data. */
#define PCAPNG_USB_LINUX_MMAPPED 220u

/* Options: 3.5 for all blocks, 4.1, 4.2 and 4.6 for their own. */
#define OPTION_END            0u
#define OPTION_COMMENT        1u
#define OPTION_APPLICATION    4u
#define OPTION_IF_NAME        2u
#define OPTION_IF_DESCRIPTION 3u
#define OPTION_IF_TSRESOL     9u
#define OPTION_IF_HARDWARE    15u
#define OPTION_STARTED        2u
#define OPTION_ENDED          3u
#define OPTION_RECEIVED       4u
#define OPTION_DROPPED        5u

/* struct usbmon_packet (Documentation/usb/usbmon.rst, "Raw binary format"). */
#define USBMON_HEADER   64u
#define AT_ID           0u
#define AT_TYPE         8u
#define AT_TRANSFER     9u
#define AT_ENDPOINT     10u
#define AT_DEVICE       11u
#define AT_BUS          12u
#define AT_FLAG_SETUP   14u
#define AT_FLAG_DATA    15u
#define AT_SECONDS      16u
#define AT_MICROSECONDS 24u
#define AT_STATUS       28u
#define AT_LENGTH       32u
#define AT_KEPT         36u
