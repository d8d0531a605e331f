/*
 * sfi.h - the .sfi image: what is in the file, byte for byte, and how it is sealed.
 *
 * Layout (ST example data.sfi, measured; AN5054 rev 18 section 2.2 and figure 4):
 *   image header, 28 bytes: "SFIMAGIC", u16 protocol version, u16 number of areas, tag[16]
 *   per area, 30 bytes: type char, u8 image version, u16 index from 1, u32 payload size,
 *   u32 destination, u16 number of areas, tag[16]; then the payload. No padding, no trailer.
 * Every number is little-endian.
 *
 * Sealing is AES-128-GCM. Header tag: no plaintext, AAD = the 12 bytes before the tag, IV = nonce.
 * Area: AAD = the 14 bytes before the tag, IV = nonce and index by a policy (the arithmetic is not
 * public; the file digests and tags that were proven are in the tests).
 */
#pragma once

#include "crypto/gcm.h"
#include "scheduler/bytes.h"

#include <stdbool.h>

struct workers;

#define SFI_HEADER_LENGTH      28
#define SFI_AREA_HEADER_LENGTH 30
#define SFI_HEADER_AAD_LENGTH  12
#define SFI_AREA_AAD_LENGTH    14
#define SFI_NONCE_LENGTH       12
#define SFI_AREAS_MAX          4096u
#define SFI_FILE_MAX           (64u << 20)

/* Area letters (AN5054 figure 4). Others are kept and shown, and refused by an install. */
enum sfi_type {
        SFI_FIRMWARE = 'F',
        SFI_MODULE = 'M',
        SFI_CONFIGURATION = 'C',
        SFI_PAUSE = 'P',
        SFI_RESUME = 'R',
        SFI_EXTERNAL = 'E',
        SFI_KEYS = 'K',
        /* Letters of our own: that .obk and .ssfi files travel in an image is public, how is not (spec
         * 2.5, last row). Each area is one file as it is, at the file's destination or 0. */
        SFI_OPTION_KEY_REFERENCE = 'O',
        SFI_SSFI_REFERENCE = 'S',
};

#define SFI_EXTERNAL_PREFIX_LENGTH 12u /* of E: region, mode, key address (AN5054 2.3) */

/* "firmware", "option bytes", ...; "unknown" for other letters. */
const char *sfi_type_name(char type);

/* How the area index enters the 96-bit nonce. One function, named policies: the truth is not public
 * (spec/secure-install.md 3.3). The first is the default. */
enum sfi_iv_policy {
        SFI_IV_BIG_ENDIAN,    /* the 12 bytes as one big-endian number plus index */
        SFI_IV_LAST_WORD_LE,  /* last 32-bit word, little-endian, plus index */
        SFI_IV_FIRST_WORD_LE, /* first 32-bit word, little-endian, plus index */
        SFI_IV_LAST_WORD_BE,  /* last 32-bit word, big-endian, plus index */
        SFI_IV_POLICIES
};

/* "big-endian", "last-word-le", "first-word-le", "last-word-be"; NULL past the end. */
const char *sfi_iv_policy_name(enum sfi_iv_policy policy);
bool sfi_iv_policy_find(const char *name, enum sfi_iv_policy *ret_policy) MUST_USE;

/* The IV of area `index`; index 0 is the image header and gives the nonce itself. */
void sfi_iv(const uint8_t nonce[static SFI_NONCE_LENGTH], uint32_t index, enum sfi_iv_policy policy,
            uint8_t ret_iv[static GCM_IV_LENGTH]);

struct sfi_area {
        char type;
        uint8_t version; /* image version */
        uint16_t index;
        uint16_t total;
        uint32_t length; /* of the payload */
        uint32_t address;
        uint8_t tag[GCM_TAG_LENGTH];
        size_t offset;          /* of the area header in the file */
        const uint8_t *header;  /* SFI_AREA_HEADER_LENGTH bytes, in the file */
        const uint8_t *payload; /* in the file */
};

/* A parsed image; owns the file's bytes, areas point into them. */
struct sfi {
        struct bytes file;
        uint16_t protocol;
        uint16_t count;
        uint8_t tag[GCM_TAG_LENGTH];
        uint8_t digest[32];     /* SHA-256 of the whole file */
        struct sfi_area *areas; /* `count` of them */
};

/* Take apart `file` (given; freed even on failure). `name` is for sentences.
 *      -FAULT_BAD_FILE  names the offset, what was found and what was wanted
 *      -FAULT_BAD_VALUE  a protocol version that is not supported
 *      -FAULT_TOO_LARGE */
int sfi_parse(const char *name, struct bytes file, struct sfi **ret_sfi) MUST_USE;

/* Wipes nothing: an image is not secret. NULL is fine; returns NULL. */
struct sfi *sfi_free(struct sfi *sfi);

/* One run of areas between pauses: what the target takes at a time. */
struct sfi_part {
        uint16_t first; /* position in sfi->areas */
        uint16_t count;
        size_t length; /* bytes of area headers and payloads */
};

/* Split at P/R pairs (spec 6.3): P closes a part, R opens the next. Returns the number of parts
 * written to `parts`, or -FAULT_BAD_FILE when P and R do not pair or `capacity` is too small. */
int sfi_parts(const struct sfi *sfi, struct sfi_part *parts, size_t capacity) MUST_USE;

/* Check every tag and decrypt all payloads into `ret_plain` (areas in order, back to back; NULL:
 * only check). The failing area is named.
 *      -FAULT_BAD_TAG */
int sfi_open(const struct sfi *sfi, const uint8_t key[static GCM_KEY_LENGTH],
             const uint8_t nonce[static SFI_NONCE_LENGTH], enum sfi_iv_policy policy,
             struct bytes *ret_plain) MUST_USE;

/* Check tags without the key: `masks` holds E_K(J0) for the header (index 0) and areas 1..
 * `count`-1. -FAULT_BAD_TAG     names the unit -FAULT_BAD_VALUE   fewer masks than units: the first
 * `count` units are checked, the rest named */
int sfi_verify_ghash(const struct sfi *sfi, const uint8_t hash_key[static 16],
                     const uint8_t (*masks)[16], size_t count) MUST_USE;

/* --- sealing, in place ------------------------------------------------------------------------ */

/* What goes into one area. `data` stays the caller's; sealing overwrites it with the ciphertext. */
struct sfi_plain_area {
        char type;
        uint32_t address;
        void *data;
        size_t length;
};

/* No two areas may share a byte of data. */
struct sfi_recipe {
        uint16_t protocol; /* 1 or 2 */
        uint8_t version;   /* of the image */
        enum sfi_iv_policy policy;
        const struct sfi_plain_area *areas;
        size_t count;
};

/* A sealed image as it lies in memory: the file is its pieces, one behind the other. Of the areas'
 * payloads it is only the list, and good as long as they are where they were. */
struct sfi_sealed {
        struct piece *pieces; /* image header; header and payload of each area */
        size_t count;
        size_t length; /* of all pieces */
        uint8_t *headers;
};

/* Encrypt every payload where it lies, areas spread over `workers` (NULL: all on this thread)
 * (waits). The plaintext is gone then: what is to be known of it must be taken before, and nobody
 * has to wipe it. The bytes do not depend on the number of workers. The key's and nonce's owner
 * wipes them.
 *      -FAULT_TOO_LARGE, -FAULT_BAD_VALUE  no image can be made of this; all is as it was */
int sfi_seal(const struct sfi_recipe *recipe, const uint8_t key[static GCM_KEY_LENGTH],
             const uint8_t nonce[static SFI_NONCE_LENGTH], struct workers *workers,
             struct sfi_sealed *ret_sealed) MUST_USE;

/* For CLEANUP(sfi_sealed_free): the list and the headers. The payloads stay. */
void sfi_sealed_free(struct sfi_sealed *sealed);
