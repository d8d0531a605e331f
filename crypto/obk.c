/*
 * obk.c - the container, and what its payload is by destination and content.
 *
 * Where a payload goes says what it should be: the table of destinations was read off ST's own
 * files (STM32CubeH5 and STM32CubeH7RS, Projects/.../ROT_Provisioning/.../Binary) and names which
 * of them carry hashes. A file is examined against its row; what no row knows is described as far
 * as it describes itself.
 */
#include "crypto/obk.h"

#include "scheduler/fault.h"

#include <stdarg.h>
#include <stdio.h>

#define LENGTH_OFFSET     4
#define ENCRYPTION_OFFSET 8

/* H5 destinations are absolute (spec/secure-install.md section 10). */
#define H5_BASE        0x0FFD0000u
#define H5_END         0x0FFD0C00u
#define H5_HDPL1_START 0x100u
#define H5_HDPL2_START 0x900u

/* H7RS: slot, HDPL and a kind packed in bytes 0, 1 and 2 (inference from ST's files). */
#define H7RS_HDPL_MAX 3u

/* Data files of H7RS. */
#define RECORD_LENGTH OBK_DA_LENGTH

static const char lock_magic[] = "STDALOCKMGC"; /* then FF to 32 bytes */
#define LOCK_LENGTH 32

/* The head of a signed image (OEMuRoT_Config.obk of STM32CubeH5): magic, load address, u16 header
 * length, u16 protected trailer length, u32 length of what is between. */
#define IMAGE_MAGIC       0x55F7394Eu
#define IMAGE_HEAD_LENGTH 32u

enum hash_rule { HASH_WHOLE, HASH_RECORDS, HASH_NONE };

static const struct destination {
        uint32_t destination;
        const char *name;
        enum obk_kind kind;
        enum hash_rule hash;
} destinations[] = {
        { 0x0FFD0100, "debug authentication", OBK_DA_EITHER, HASH_WHOLE },
        { 0x0FFD0160, "OEMiRoT configuration", OBK_PLAIN, HASH_WHOLE },
        { 0x0FFD0280, "OEMiRoT data", OBK_PLAIN, HASH_WHOLE },
        { 0x0FFD0200, "STiRoT configuration", OBK_PLAIN, HASH_WHOLE },
        { 0x0FFD0400, "STiRoT data", OBK_PLAIN, HASH_WHOLE },
        { 0x0FFD0900, "OEMuRoT configuration or STiRoT data image", OBK_IMAGE, HASH_NONE },
        { 0x0FFD0A50, "OEMuRoT data", OBK_PLAIN, HASH_WHOLE },
        { 0x0FFD0A80, "Secure Manager general configuration", OBK_PLAIN, HASH_WHOLE },
        { 0x00510008, "debug authentication, certificate", OBK_DA_CERTIFICATE, HASH_WHOLE },
        { 0x008A0008, "debug authentication, password", OBK_DA_PASSWORD, HASH_WHOLE },
        { 0x00B40008, "debug authentication, lock", OBK_DA_LOCK, HASH_NONE },
        { 0x00000100, "OEMiROT AHK", OBK_PLAIN, HASH_NONE },
        { 0x00000108, "STiROT or OEMiROT configuration", OBK_PLAIN, HASH_WHOLE },
        { 0x0000010F, "OEMiROT data", OBK_PLAIN, HASH_RECORDS },
        { 0x00000110, "STiROT data", OBK_PLAIN, HASH_RECORDS },
        { 0x00000208, "OEMuROT configuration", OBK_PLAIN, HASH_WHOLE },
        { 0x0000020F, "OEMuROT data", OBK_PLAIN, HASH_RECORDS },
};

/* --- container ----------------------------------------------------------------------------- */

int obk_parse(const char *name, const void *file, size_t length, struct obk *ret_obk)
{
        const uint8_t *bytes = file;
        uint32_t payload, encryption;

        if (length < OBK_HEADER_LENGTH)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, an .obk has at least %u", name, length,
                             OBK_HEADER_LENGTH);
        payload = load_le32(bytes + LENGTH_OFFSET);
        encryption = load_le32(bytes + ENCRYPTION_OFFSET);
        if (payload > OBK_PAYLOAD_MAX)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: a payload of %u bytes, wanted at most %u; is it an "
                             ".obk?",
                             name, LENGTH_OFFSET, payload, OBK_PAYLOAD_MAX);
        if (length != OBK_HEADER_LENGTH + (size_t)payload)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: a payload of %u bytes is announced, %zu follow", name,
                             LENGTH_OFFSET, payload, length - OBK_HEADER_LENGTH);
        if (encryption > 1)
                return fault(FAULT_BAD_FILE, "%s offset %u: do-encryption is 0x%X, wanted 0 or 1",
                             name, ENCRYPTION_OFFSET, encryption);
        *ret_obk = (struct obk){ .destination = load_le32(bytes),
                                 .is_encrypted = encryption == 1,
                                 .payload = bytes + OBK_HEADER_LENGTH,
                                 .length = payload };
        return 0;
}

struct bytes obk_build(uint32_t destination, bool is_encrypted, const void *payload, size_t length)
{
        struct bytes file;

        INSIST(length <= OBK_PAYLOAD_MAX);
        file = bytes_new(OBK_HEADER_LENGTH + length);
        store_le32(file.data, destination);
        store_le32(file.data + LENGTH_OFFSET, (uint32_t)length);
        store_le32(file.data + ENCRYPTION_OFFSET, is_encrypted);
        if (length)
                memcpy(file.data + OBK_HEADER_LENGTH, payload, length);
        return file;
}

/* --- content ------------------------------------------------------------------------------- */

static void problem(struct obk_facts *facts, const char *format, ...) PRINTF_LIKE(2, 3);

/* The first one is kept. */
static void problem(struct obk_facts *facts, const char *format, ...)
{
        va_list arguments;

        if (facts->problem[0])
                return;
        va_start(arguments, format);
        vsnprintf(facts->problem, sizeof(facts->problem), format, arguments);
        va_end(arguments);
}

static const struct destination *find_destination(uint32_t address)
{
        for (size_t i = 0; i < LENGTH_OF(destinations); i++)
                if (destinations[i].destination == address)
                        return &destinations[i];
        return NULL;
}

static bool begins_with_its_hash(const uint8_t *bytes, size_t length)
{
        uint8_t digest[DIGEST_LENGTH];

        if (length <= DIGEST_LENGTH)
                return false;
        digest_sha256(bytes + DIGEST_LENGTH, length - DIGEST_LENGTH, digest);
        return memcmp(digest, bytes, DIGEST_LENGTH) == 0;
}

/* How many 96-byte records carry their own hash; 0 when one does not. */
static unsigned records_with_hash(const struct obk *obk)
{
        unsigned count = 0;

        if (!obk->length || obk->length % RECORD_LENGTH)
                return 0;
        for (size_t at = 0; at < obk->length; at += RECORD_LENGTH, count++)
                if (!begins_with_its_hash(obk->payload + at, RECORD_LENGTH))
                        return 0;
        return count;
}

/* A row that wants one hash takes one only; a file of one record is both. */
static void examine_hash(const struct obk *obk, const struct destination *row,
                         struct obk_facts *facts)
{
        bool is_whole = begins_with_its_hash(obk->payload, obk->length);
        unsigned records = records_with_hash(obk);

        if (is_whole && (!row || row->hash != HASH_RECORDS)) {
                facts->hash = OBK_HASH_CORRECT;
                facts->records = 1;
        } else if (records && (!row || row->hash == HASH_RECORDS)) {
                facts->hash = OBK_HASH_CORRECT;
                facts->records = records;
        } else if (!row) {
                facts->hash = OBK_HASH_UNKNOWN;
        } else if (row->hash == HASH_NONE) {
                facts->hash = OBK_HASH_ABSENT;
        } else {
                facts->hash = OBK_HASH_WRONG;
                problem(facts,
                        row->hash == HASH_WHOLE
                                ? "the first 32 bytes are not the SHA-256 of the rest"
                                : "not every 96-byte record begins with the SHA-256 of its rest");
        }
}

static void examine_place(const struct obk *obk, struct obk_facts *facts)
{
        uint32_t destination = obk->destination, offset = destination - H5_BASE;

        facts->family = "unknown";
        if (destination >= H5_BASE && destination < H5_END) {
                facts->family = "STM32H5";
                facts->place = offset;
                facts->hide_level = offset < H5_HDPL1_START ? 0 : offset < H5_HDPL2_START ? 1 : 2;
                if (destination % 16)
                        problem(facts, "the destination is not a multiple of 16");
                else if (obk->length > H5_END - destination)
                        problem(facts, "the payload reaches beyond the OB-key area, whose end is "
                                       "0x0FFD0C00");
        } else if (!(destination >> 24) && (destination >> 8 & 0xFF) <= H7RS_HDPL_MAX) {
                facts->family = "STM32H7RS";
                facts->place = destination & 0xFF;
                facts->hide_level = destination >> 8 & 0xFF;
        }
}

static bool is_all(const uint8_t *bytes, size_t length, uint8_t value)
{
        for (size_t i = 0; i < length; i++)
                if (bytes[i] != value)
                        return false;
        return true;
}

/* Digest, permission or the first data word, zeros. */
static void examine_authentication(const struct obk *obk, struct obk_facts *facts)
{
        const uint8_t *record = obk->payload + DIGEST_LENGTH;
        size_t used = DIGEST_LENGTH + OBK_PERMISSION_LENGTH;

        if (obk->length != OBK_DA_LENGTH) {
                problem(facts, "the payload has %zu bytes, debug authentication has %u",
                        obk->length, OBK_DA_LENGTH);
                return;
        }
        memcpy(facts->credential, record, sizeof(facts->credential));
        memcpy(facts->permission, record + DIGEST_LENGTH, sizeof(facts->permission));
        if (!is_all(record + used, OBK_DA_RECORD_LENGTH - used, 0))
                problem(facts, "the last 16 bytes of the record are not zero");
}

static void examine_lock(const struct obk *obk, struct obk_facts *facts)
{
        size_t magic = strlen(lock_magic);

        if (obk->length != LOCK_LENGTH || memcmp(obk->payload, lock_magic, magic) != 0 ||
            !is_all(obk->payload + magic, LOCK_LENGTH - magic, 0xFF))
                problem(facts, "the payload is not \"%s\" and FF to %u bytes", lock_magic,
                        LOCK_LENGTH);
}

static void examine_image(const struct obk *obk, struct obk_facts *facts)
{
        size_t head, total;

        if (obk->length < IMAGE_HEAD_LENGTH || load_le32(obk->payload) != IMAGE_MAGIC) {
                problem(facts, "the payload is not a signed image (magic 0x%08X)", IMAGE_MAGIC);
                return;
        }
        head = load_le16(obk->payload + 8);
        total = head + load_le16(obk->payload + 10) + (size_t)load_le32(obk->payload + 12);
        if (head != IMAGE_HEAD_LENGTH || total > obk->length)
                problem(facts, "the signed image announces %zu bytes, the payload has %zu", total,
                        obk->length);
}

void obk_examine(const struct obk *obk, struct obk_facts *ret_facts)
{
        const struct destination *row = find_destination(obk->destination);

        *ret_facts = (struct obk_facts){ .kind = row ? row->kind : OBK_PLAIN,
                                         .name = row ? row->name : "unknown" };
        examine_place(obk, ret_facts);
        examine_hash(obk, row, ret_facts);
        switch (ret_facts->kind) {
        case OBK_PLAIN:
                break;
        case OBK_DA_CERTIFICATE:
        case OBK_DA_PASSWORD:
        case OBK_DA_EITHER:
                examine_authentication(obk, ret_facts);
                break;
        case OBK_DA_LOCK:
                examine_lock(obk, ret_facts);
                break;
        case OBK_IMAGE:
                examine_image(obk, ret_facts);
                break;
        }
}

const char *obk_kind_name(enum obk_kind kind)
{
        switch (kind) {
        case OBK_PLAIN:
                return "configuration or data";
        case OBK_DA_CERTIFICATE:
                return "debug authentication by certificate";
        case OBK_DA_PASSWORD:
                return "debug authentication by password";
        case OBK_DA_EITHER:
                return "debug authentication by certificate or password";
        case OBK_DA_LOCK:
                return "debug authentication locked";
        case OBK_IMAGE:
                return "signed image";
        }
        INSIST(false);
        return NULL;
}

const char *obk_hash_name(enum obk_hash hash)
{
        switch (hash) {
        case OBK_HASH_CORRECT:
                return "correct";
        case OBK_HASH_ABSENT:
                return "absent";
        case OBK_HASH_WRONG:
                return "wrong";
        case OBK_HASH_UNKNOWN:
                return "none found";
        }
        INSIST(false);
        return NULL;
}
