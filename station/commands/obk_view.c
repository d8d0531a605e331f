#include "station/commands/obk_view.h"

#include "crypto/digest.h"
#include "station/commands/answer.h"

/* As the XML files write it: most significant byte first. */
static const char *permission_text(const struct obk_facts *facts,
                                   char text[static 2 * OBK_PERMISSION_LENGTH + 3])
{
        uint8_t reversed[OBK_PERMISSION_LENGTH];

        for (size_t i = 0; i < sizeof(reversed); i++)
                reversed[i] = facts->permission[sizeof(reversed) - 1 - i];
        text[0] = '0';
        text[1] = 'x';
        hex_encode(reversed, sizeof(reversed), text + 2);
        return text;
}

static bool is_set(const struct obk_facts *facts, unsigned bit)
{
        return facts->permission[bit / 8] >> bit % 8 & 1;
}

static bool permission_is_none(const struct obk_facts *facts)
{
        static const uint8_t zeros[OBK_PERMISSION_LENGTH];

        return memcmp(facts->permission, zeros, sizeof(zeros)) == 0;
}

static bool has_record(const struct obk_facts *facts)
{
        return facts->kind == OBK_DA_CERTIFICATE || facts->kind == OBK_DA_PASSWORD ||
               facts->kind == OBK_DA_EITHER;
}

static const char *credential_name(enum obk_kind kind)
{
        return kind == OBK_DA_CERTIFICATE ? "root key SHA-256"
               : kind == OBK_DA_PASSWORD  ? "password SHA-256"
                                          : "key or password SHA-256";
}

static void print_record(FILE *out, const struct obk_facts *facts)
{
        char text[65], permission[2 * OBK_PERMISSION_LENGTH + 3];

        fprintf(out, "  %-24s  %s\n", credential_name(facts->kind),
                digest_text(facts->credential, text));
        fprintf(out, "  permission                %s, bits", permission_text(facts, permission));
        for (unsigned bit = 0; bit < 8 * OBK_PERMISSION_LENGTH; bit++)
                if (is_set(facts, bit))
                        fprintf(out, " %u", bit);
        fprintf(out, "%s\n", permission_is_none(facts) ? " none" : "");
}

void obk_view_print(FILE *out, const char *name, const struct obk *obk)
{
        struct obk_facts facts;

        obk_examine(obk, &facts);
        fprintf(out, "%s\n", name);
        fprintf(out, "  destination               0x%08X, %s", obk->destination, facts.name);
        if (strcmp(facts.family, "STM32H5") == 0)
                fprintf(out, " (STM32H5, HDPL %u, offset 0x%03X)", facts.hide_level, facts.place);
        else if (strcmp(facts.family, "STM32H7RS") == 0)
                fprintf(out, " (STM32H7RS, HDPL %u, slot %u)", facts.hide_level, facts.place);
        fprintf(out, "\n  payload                   0x%zX (%zu) bytes\n", obk->length, obk->length);
        fprintf(out, "  encrypted on the chip     %s\n", obk->is_encrypted ? "yes" : "no");
        fprintf(out, "  kind                      %s\n", obk_kind_name(facts.kind));
        fprintf(out, "  hash                      %s", obk_hash_name(facts.hash));
        if (facts.records > 1)
                fprintf(out, " in each of %u records", facts.records);
        fprintf(out, "\n");
        if (has_record(&facts) && obk->length == OBK_DA_LENGTH)
                print_record(out, &facts);
        if (facts.kind == OBK_DA_LOCK && !facts.problem[0])
                fprintf(out,
                        "  lock magic                correct; the device cannot be reopened\n");
        if (facts.problem[0])
                fprintf(out, "  WRONG                     %s\n", facts.problem);
}

json_t *obk_view_json(const char *name, const struct obk *obk)
{
        char text[65], permission[2 * OBK_PERMISSION_LENGTH + 3];
        struct obk_facts facts;
        json_t *object;

        obk_examine(obk, &facts);
        object = json_pack("{s:o, s:I, s:I, s:b, s:s, s:s, s:i, s:i, s:s, s:s, s:i, s:s}", "file",
                           answer_text(name), "destination", (json_int_t)obk->destination, "length",
                           (json_int_t)obk->length, "encrypted", obk->is_encrypted, "family",
                           facts.family, "name", facts.name, "hdpl", facts.hide_level, "place",
                           facts.place, "kind", obk_kind_name(facts.kind), "hash",
                           obk_hash_name(facts.hash), "records", facts.records, "problem",
                           facts.problem);
        if (object && has_record(&facts) && obk->length == OBK_DA_LENGTH) {
                json_object_set_new(object, "credential_sha256",
                                    json_string(digest_text(facts.credential, text)));
                json_object_set_new(object, "permission",
                                    json_string(permission_text(&facts, permission)));
        }
        return object;
}
