/*
 * obk.h - the .obk container of OB-keys for STM32H5 and H7RS (spec/secure-install.md section 10;
 * measured on ST's files in STM32CubeH5 and STM32CubeH7RS).
 *
 *   0  4 destination     4  4 payload length     8  4 do-encryption, 1 or 0     12  payload
 *
 * Numbers are little-endian. Most payloads begin with the SHA-256 of their rest; data files of H7RS
 * are 96-byte records with a hash each; lock files, keys and signed images have none.
 */
#pragma once

#include "crypto/digest.h"
#include "scheduler/bytes.h"

#include <stdbool.h>

#define OBK_HEADER_LENGTH     12
#define OBK_PAYLOAD_MAX       (64u << 10)
#define OBK_FILE_MAX          (OBK_HEADER_LENGTH + OBK_PAYLOAD_MAX)
#define OBK_DA_LENGTH         96 /* hash, then the record */
#define OBK_DA_RECORD_LENGTH  64
#define OBK_PERMISSION_LENGTH 16

struct obk {
        uint32_t destination;
        bool is_encrypted;      /* the chip encrypts it on arrival; the file is plain always */
        const uint8_t *payload; /* borrowed from the file's bytes */
        size_t length;
};

/*      -FAULT_BAD_FILE  names file, offset, found and wanted */
int obk_parse(const char *name, const void *file, size_t length, struct obk *ret_obk) MUST_USE;

/* The file of a payload of at most OBK_PAYLOAD_MAX bytes. Given to the caller, who wipes it: the
 * payload may hold a private key. */
struct bytes obk_build(uint32_t destination, bool is_encrypted, const void *payload, size_t length);

enum obk_hash {
        OBK_HASH_CORRECT,
        OBK_HASH_ABSENT, /* none belongs there */
        OBK_HASH_WRONG,
        OBK_HASH_UNKNOWN, /* the destination is unknown, and what would be a hash is none */
};

enum obk_kind {
        OBK_PLAIN,          /* configuration or data */
        OBK_DA_CERTIFICATE, /* debug authentication with a root key */
        OBK_DA_PASSWORD,
        OBK_DA_EITHER, /* H5: same place and form for certificate and password */
        OBK_DA_LOCK,
        OBK_IMAGE, /* a signed image of the boot loader's kind */
};

/* What can be said of a file without any key. */
struct obk_facts {
        enum obk_kind kind;
        const char *family;  /* "STM32H5", "STM32H7RS" or "unknown" */
        const char *name;    /* "debug authentication", ...; "unknown" */
        unsigned hide_level; /* HDPL the bytes are for */
        unsigned place;      /* H5: offset in the OB-key area; H7RS: slot */
        enum obk_hash hash;
        unsigned records; /* with a hash each */

        /* debug authentication */
        uint8_t credential[DIGEST_LENGTH];         /* SHA-256 of root key or password */
        uint8_t permission[OBK_PERMISSION_LENGTH]; /* little-endian number */

        char problem[160]; /* empty: nothing is wrong */
};

void obk_examine(const struct obk *obk, struct obk_facts *ret_facts);

const char *obk_kind_name(enum obk_kind kind);
const char *obk_hash_name(enum obk_hash hash);
