/*
 * perso_name.c - a name is cut into fields at its underscores, from the end, since the family in
 * front is what may be absent.
 */
#include "drivers/perso_name.h"

#include "scheduler/bytes.h"

#define FIELDS   5
#define STEM_MAX 96u /* longer than any form can be */

enum field { FAMILY, PRODUCT_ID, FLOW, LICENSE_VERSION, SECURITY_VERSION };

static int bad(const char *name, const char *what)
{
        return fault(FAULT_BAD_VALUE,
                     "the personalization package is called %.100s: %s; wanted such as "
                     "STM32WBA5_49202013_SFIA_01000000_00000000" PERSO_SUFFIX
                     " (family may be absent)",
                     name, what);
}

/* Cut `text` at its underscores into the last four fields and what is before them. */
static bool cut(char *text, const char *fields[static FIELDS])
{
        for (int i = SECURITY_VERSION; i > PRODUCT_ID; i--) {
                char *underscore = strrchr(text, '_');

                if (!underscore)
                        return false;
                *underscore = '\0';
                fields[i] = underscore + 1;
        }
        fields[PRODUCT_ID] = strrchr(text, '_');
        if (fields[PRODUCT_ID]) {
                *strrchr(text, '_') = '\0';
                fields[PRODUCT_ID]++;
                fields[FAMILY] = text;
        } else {
                fields[PRODUCT_ID] = text;
                fields[FAMILY] = "";
        }
        return true;
}

static bool parse_family(const char *field, bool is_there, char *family, size_t capacity)
{
        size_t length = strlen(field);

        if (length >= capacity || (is_there && length == 0) ||
            strspn(field, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") !=
                    length)
                return false;
        memcpy(family, field, length + 1);
        return true;
}

/* Certificates have upper-case digits (certificate.h), and they are compared. */
static bool parse_product_id(const char *field, char *product_id)
{
        if (strlen(field) != PRODUCT_ID_LENGTH ||
            strspn(field, "0123456789ABCDEF") != PRODUCT_ID_LENGTH)
                return false;
        memcpy(product_id, field, PRODUCT_ID_LENGTH + 1);
        return true;
}

/* SFI and SFIA by AN5054 sections 4.3.4 and 8.3.2, SSP by logs, SMU by the card types
 * (secure-install.md section 12). */
static bool parse_flow(const char *field, char flow[static 5])
{
        static const char *const flows[] = { "SFI", "SFIA", "SSP", "SMU" };
        char bare[5];
        size_t length = strlen(field);

        if (length > 4)
                return false;
        memcpy(bare, field, length + 1);
        if (length == 4 && bare[3] == '.')
                bare[3] = '\0';
        for (size_t i = 0; i < LENGTH_OF(flows); i++) {
                if (strcmp(bare, flows[i]) == 0) {
                        memcpy(flow, bare, sizeof(bare));
                        return true;
                }
        }
        return false;
}

static bool parse_version(const char *field, uint32_t *ret_version)
{
        uint8_t bytes[4];

        if (!hex_decode(field, bytes, sizeof(bytes)))
                return false;
        *ret_version = load_le32(bytes);
        return true;
}

int perso_name_parse(const char *path, struct perso_name *ret_name)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        size_t length = strlen(name), suffix = strlen(PERSO_SUFFIX);
        const char *fields[FIELDS] = { NULL };
        struct perso_name found = { 0 };
        struct hsm_personalization *to = &found.personalization;
        char text[STEM_MAX];

        if (length <= suffix || strcmp(name + length - suffix, PERSO_SUFFIX) != 0)
                return bad(name, "it does not end in " PERSO_SUFFIX);
        if (length - suffix >= sizeof(text))
                return bad(name, "it is too long");
        memcpy(text, name, length - suffix);
        text[length - suffix] = '\0';
        if (!cut(text, fields))
                return bad(name, "it has too few fields");
        if (!parse_family(fields[FAMILY], fields[PRODUCT_ID] != text, found.family,
                          sizeof(found.family)))
                return bad(name, "its family is not letters and digits");
        if (!parse_product_id(fields[PRODUCT_ID], to->product_id))
                return bad(name, "its product id is not 8 digits");
        if (!parse_flow(fields[FLOW], to->flow))
                return bad(name, "its flow is none of SFI, SFIA, SSP, SMU");
        if (!parse_version(fields[LICENSE_VERSION], &to->license_version))
                return bad(name, "its license version is not 8 hexadecimal digits");
        if (to->license_version == 0)
                return bad(name, "its license version is 0");
        if (!parse_version(fields[SECURITY_VERSION], &to->security_version))
                return bad(name, "its security version is not 8 hexadecimal digits");
        *ret_name = found;
        return 0;
}
