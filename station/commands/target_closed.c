/*
 * target_closed.c - files first, then the part: a wrong file must not cost a reset.
 *
 * A closed part shows neither device id nor option bytes through its access port; DBGMCU, seen through the port
 * of debug authentication, says which die it is, and discovery the rest.
 */
#include "station/commands/target_closed.h"

#include "crypto/obk.h"
#include "drivers/family_fields.h"
#include "scheduler/file.h"
#include "station/commands/command.h"
#include "station/commands/secrets.h"

#include <jansson.h>
#include <stdio.h>
#include <strings.h>

#define PROFILE_DEFAULT "debug-authentication/reference.conf"

/* --- words --------------------------------------------------------------------------------- */

static int check_permitted(const char *permission)
{
        if (strcasecmp(permission, "a") == 0 || strcmp(permission, "14") == 0)
                return 1;
        return fault(FAULT_BAD_VALUE,
                     "permission %.20s: only a (14), the full regression, is done from here",
                     permission);
}

int closed_permission(void *unused, struct options *options)
{
        (void)unused;
        return check_permitted(options->value);
}

/* key=FILE and the like, as ST writes them. */
int closed_word(void *context, struct options *options)
{
        struct closed_words *words = context;
        const struct {
                const char *prefix;
                const char **path;
        } files[] = {
                { "key=", &words->key },
                { "cert=", &words->certificate },
                { "pwd=", &words->password },
        };
        const char *word = options->value;

        for (size_t i = 0; i < LENGTH_OF(files); i++)
                if (strncasecmp(word, files[i].prefix, strlen(files[i].prefix)) == 0) {
                        *files[i].path = word + strlen(files[i].prefix);
                        return 1;
                }
        return strncasecmp(word, "per=", 4) == 0 ? check_permitted(word + 4) : 0;
}

/* --- files --------------------------------------------------------------------------------- */

static int read_chain(const struct closed_words *words, struct closed_credentials *credentials)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct bytes text CLEANUP(bytes_wipe_free) = { 0 };
        const struct adac_chain *chain = &credentials->chain;
        int r = file_read(words->certificate, ADAC_FILE_MAX, &file);

        if (r >= 0)
                r = adac_chain_parse(words->certificate, file.data, file.length,
                                     &credentials->chain);
        if (r >= 0)
                r = secrets_read_file("private key", words->key, &text);
        if (r >= 0)
                r = pem_parse(words->key, text.data, text.length, &credentials->key);
        if (r < 0)
                return r;
        if (!credentials->key.has_private)
                return fault(FAULT_BAD_FILE,
                             "%s holds a public key; wanted the private key of the last "
                             "certificate, which signs what the part asks",
                             words->key);
        if (memcmp(credentials->key.public_key, chain->certificates[chain->count - 1].public_key,
                   CURVE_POINT_LENGTH) != 0)
                return fault(FAULT_BAD_FILE,
                             "%s is not the key of the last of %zu certificates in %s; ST's "
                             "examples: key_3_leaf.pem with cert_leaf_chain.b64",
                             words->key, chain->count, words->certificate);
        credentials->has_chain = true;
        return 0;
}

static int read_password(const char *path, struct closed_credentials *credentials)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        int r = secrets_read_file("password", path, &file);

        if (r >= 0)
                r = adac_password_parse(path, file.data, file.length, &credentials->password);
        credentials->has_password = r >= 0;
        return r;
}

int closed_credentials_read(const struct closed_words *words,
                            struct closed_credentials *ret_credentials)
{
        int r = 0;

        *ret_credentials = (struct closed_credentials){ 0 };
        if (!words->key != !words->certificate)
                return fault(FAULT_BAD_VALUE,
                             "%s was given alone: a certificate chain and the private key of its "
                             "last certificate belong together, --certificate and --key",
                             words->key ? "--key" : "--certificate");
        if (words->key)
                r = read_chain(words, ret_credentials);
        if (r >= 0 && words->password)
                r = read_password(words->password, ret_credentials);
        return r;
}

void closed_wipe(struct closed_credentials *credentials)
{
        pem_wipe(&credentials->key);
        bytes_wipe_free(&credentials->password);
}

/* --- the part ------------------------------------------------------------------------------ */

static int has_device_id(void *subject, const struct family *family)
{
        return family_field(family, ROLE_STATE) && family->device_id == *(const uint32_t *)subject;
}

static int load_profile(const char *given, struct debug_profile *ret_profile)
{
        char path[PLACE_LENGTH_MAX];
        int r = 0;

        if (!given)
                r = place_find(PROFILE_DEFAULT, path);
        return r < 0 ? r : debug_profile_load(given ? given : path, ret_profile);
}

/* The probe is open and its clock set; is there a closed part behind it? */
static int find_closed(struct target_session *session, struct closed_part *part)
{
        uint32_t dpidr, idcode = 0, device_id;
        int r = stlink_enter(&session->probe, &dpidr);

        if (r >= 0)
                r = debug_check_allowed(&part->session);
        if (r >= 0)
                r = debug_read_idcode(&part->session, &idcode);
        if (r < 0)
                return r;
        device_id = idcode & 0xFFF;
        r = family_search(has_device_id, &device_id, &session->chosen);
        if (r == 0)
                return fault(FAULT_WRONG_PART,
                             "no family in configs/targets/ with product states has the device id "
                             "0x%03X",
                             device_id);
        session->identity = (struct target_identity){ .dpidr = dpidr,
                                                      .device_id = (uint16_t)device_id,
                                                      .revision = (uint16_t)(idcode >> 16) };
        session->target = (struct target){ &session->probe, &session->chosen.family };
        return r < 0 ? r
                     : option_fields_load(session->chosen.path, &session->chosen.family,
                                          &session->fields);
}

int closed_session_open(const struct target_choice *choice, const char *profile,
                        struct target_session **ret_session, struct closed_part *ret_part,
                        bool *ret_is_shut)
{
        char sentence[400];
        int r = load_profile(profile, &ret_part->profile), shut;

        *ret_is_shut = false;
        if (r >= 0)
                r = target_session_open(choice, ret_session);
        if (*ret_session)
                ret_part->session =
                        (struct debug_session){ &(*ret_session)->probe, &ret_part->profile };
        if (r != -FAULT_WRONG_PART && r != -FAULT_LOCKED)
                return r;
        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        shut = find_closed(*ret_session, ret_part);
        *ret_is_shut = shut >= 0;
        if (shut == -FAULT_LOCKED || shut == -FAULT_TARGET_ACCESS || shut == -FAULT_PROBE)
                return fault((enum fault) - r, "%s", sentence); /* no part of that kind */
        return shut < 0 ? shut : 0;
}

int closed_discover(struct target_session *session, struct closed_part *part)
{
        int r;

        part->is_awake = true;
        r = debug_open(&part->session, &part->found);
        if (r < 0)
                return r;
        memcpy(session->identity.unique_id, part->found.soc_id,
               sizeof(session->identity.unique_id));
        snprintf(session->identity.unique_id_text, sizeof(session->identity.unique_id_text), "%s",
                 part->found.unique_id_text);
        return 0;
}

/* A probe that is gone resets nothing: what came before is what counts. */
int closed_release(struct closed_part *part, int result)
{
        char sentence[512];
        int ignored;

        if (!part->is_awake)
                return result;
        part->is_awake = false;
        snprintf(sentence, sizeof(sentence), "%s", result < 0 ? fault_sentence(result) : "");
        ignored = debug_close(&part->session);
        (void)ignored;
        return result < 0 ? fault((enum fault) - result, "%s", sentence) : result;
}

/* --- which credential ---------------------------------------------------------------------- */

#define LOST "the part erases ALL of its flash, RAM and OB-keys"

static int check_permission(const struct closed_part *part, const struct adac_chain *chain)
{
        uint8_t of_chain[ADAC_PERMISSION_LENGTH];
        char text[2 * ADAC_PERMISSION_LENGTH + 3];

        adac_chain_permissions(chain, of_chain);
        if (!adac_permission_has(of_chain, ADAC_FULL_REGRESSION))
                return fault(FAULT_LOCKED,
                             "the certificates let 0x4000, the full regression, not through (all "
                             "of them together: %s); make a chain with bit 14 from its keys",
                             adac_permission_text(of_chain, text));
        if (!adac_permission_has(part->found.permissions, ADAC_FULL_REGRESSION))
                return fault(FAULT_LOCKED,
                             "the part was provisioned with permissions %s: without bit 14 no "
                             "certificate brings it back to virgin",
                             adac_permission_text(part->found.permissions, text));
        return 0;
}

int closed_choose(const struct closed_part *part, const struct closed_credentials *credentials,
                  bool *ret_by_password)
{
        unsigned methods = part->found.methods;

        *ret_by_password = (methods & BY_PASSWORD) && credentials->has_password;
        if (!methods)
                return fault(FAULT_LOCKED,
                             "no debug authentication is provisioned (integrity 0x%08X): nobody "
                             "can open this part again",
                             part->found.integrity);
        if (*ret_by_password)
                return 0;
        if ((methods & BY_CERTIFICATE) && credentials->has_chain)
                return check_permission(part, &credentials->chain);
        if (methods & BY_CERTIFICATE)
                return fault(FAULT_BAD_VALUE,
                             "the way back wants the certificate chain of the root key that was "
                             "provisioned, and the private key of its last certificate: give "
                             "--certificate and --key. Then " LOST
                             ", and nothing brings that back");
        return fault(FAULT_BAD_VALUE,
                     "the way back wants the password that was provisioned: give --password, the "
                     "password.bin of gangway obk create. Then " LOST
                     ", and nothing brings that back");
}

int closed_regress(struct target_session *session, struct closed_part *part,
                   const struct closed_credentials *credentials, bool by_password)
{
        char before[sizeof(session->identity.unique_id_text)];
        int r;

        memcpy(before, part->found.unique_id_text, sizeof(before));
        r = by_password ? debug_by_password(&part->session, &credentials->password)
                        : debug_by_certificate(&part->session, &credentials->chain,
                                               credentials->key.private_key, ADAC_FULL_REGRESSION);
        if (r < 0)
                return r;
        part->is_awake = false;
        r = debug_await_open(&part->session, &session->target);
        if (r >= 0)
                r = target_identify(&session->target, &session->identity);
        if (r >= 0 && strcmp(before, session->identity.unique_id_text) != 0)
                return fault(FAULT_WRONG_PART,
                             "the part that came back is %s, %s was authenticated to",
                             session->identity.unique_id_text, before);
        return r;
}

/* --- shown --------------------------------------------------------------------------------- */

static void print_permissions(const struct debug_discovery *found)
{
        char text[2 * ADAC_PERMISSION_LENGTH + 3];

        printf("permits             : %s\n", adac_permission_text(found->permissions, text));
        for (unsigned bit = 8 * ADAC_PERMISSION_LENGTH; bit-- > 0;)
                if (adac_permission_has(found->permissions, bit))
                        printf("  bit %-3u           : %s\n", bit,
                               adac_permission_name(bit) ? adac_permission_name(bit)
                                                         : "not public");
}

static const char *state_text(const struct target_session *session,
                              const struct debug_discovery *found, char *text, size_t capacity)
{
        snprintf(text, capacity, "not known");
        for (size_t i = 0; i < session->fields.count; i++)
                if (session->fields.fields[i].role == ROLE_STATE)
                        option_field_text(&session->fields.fields[i], found->life_cycle & 0xFF,
                                          text, capacity);
        return text;
}

static const char *method_text(unsigned methods)
{
        switch (methods) {
        case BY_CERTIFICATE:
                return "certificate chain and key (ECDSA on P-256)";
        case BY_PASSWORD:
                return "password";
        case BY_CERTIFICATE | BY_PASSWORD:
                return "certificate chain and key, or password";
        default:
                return "nothing: no credential is provisioned for it";
        }
}

void closed_print(const struct target_session *session, const struct closed_part *part)
{
        const struct debug_discovery *found = &part->found;
        char text[100];

        target_session_mark(session);
        printf("device              : %s, id 0x%03X\n", session->chosen.family.name,
               session->identity.device_id);
        printf("unique id           : %s\n", found->unique_id_text);
        printf("life cycle          : %s (0x%04X)\n", debug_life_cycle_name(found->life_cycle),
               found->life_cycle);
        printf("product state       : %s (low byte 0x%02X)\n",
               state_text(session, found, text, sizeof(text)), found->life_cycle & 0xFF);
        printf("service             : %u.%u.%u, ADAC %u.%u\n", found->service[0], found->service[1],
               found->service[2], found->version[0], found->version[1]);
        if (found->has_integrity)
                printf("provisioning        : %s (0x%08X)\n",
                       found->integrity == INTEGRITY_PROVISIONED ? "good" : "missing or broken",
                       found->integrity);
        printf("takes               : %s\n", method_text(found->methods));
        print_permissions(found);
}

json_t *closed_json(const struct target_session *session, const struct closed_part *part)
{
        const struct debug_discovery *found = &part->found;
        char permissions[2 * ADAC_PERMISSION_LENGTH + 3];

        return json_pack("{s:s, s:i, s:s, s:i, s:s, s:I, s:b, s:b, s:s, s:b, s:b}", "family",
                         session->chosen.family.name, "device_id", (int)found->soc_class,
                         "unique_id", found->unique_id_text, "life_cycle", (int)found->life_cycle,
                         "life_cycle_name", debug_life_cycle_name(found->life_cycle), "integrity",
                         (json_int_t)found->integrity, "by_certificate",
                         (int)!!(found->methods & BY_CERTIFICATE), "by_password",
                         (int)!!(found->methods & BY_PASSWORD), "permissions",
                         adac_permission_text(found->permissions, permissions), "open", 0,
                         "simulated", (int)session->is_simulated);
}
