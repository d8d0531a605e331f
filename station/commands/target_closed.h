/*
 * target_closed.h - a part whose product state is not open, by its debug authentication: who is it, with what
 * does it let itself be opened, and the full regression.
 */
#pragma once

#include "drivers/debug_authentication.h"
#include "station/commands/target_session.h"

/* Files that prove who one is, in the words of ST's tool: key=, cert=, pwd=. */
struct closed_words {
        const char *key, *certificate, *password; /* paths, borrowed; NULL: not given */
        const char *profile; /* NULL: configs/debug-authentication/reference.conf */
};

/* Takes those words into the struct closed_words that is the context, and per=.
 *      -FAULT_BAD_VALUE  as closed_permission */
argument_function closed_word;

/* Takes the value of --permission, "a" or "14"; context: none.
 *      -FAULT_BAD_VALUE  a permission other than full regression */
argument_function closed_permission;

/* Rows of a command: ST's lines have those words for discovery too. */
/* clang-format off */
#define CLOSED_ARGUMENTS(words)                   \
        { "profile", .text = &(words)->profile }, \
        { .take = closed_word, .context = (words) }
/* clang-format on */

/* What the files hold, read and proven before any part is touched. Wiped by closed_wipe. */
struct closed_credentials {
        bool has_chain, has_password;
        struct adac_chain chain;
        struct pem_key key;
        struct bytes password;
};

/* Read them (waits); a secret file that others can read is used with a warning.
 *      -FAULT_BAD_FILE   what is no such file; a key that is not the last certificate's
 *      -FAULT_BAD_VALUE  key without chain or chain without key */
int closed_credentials_read(const struct closed_words *words,
                            struct closed_credentials *ret_credentials) MUST_USE;
void closed_wipe(struct closed_credentials *credentials); /* for CLEANUP */

/* A session and the service of its part. */
struct closed_part {
        struct debug_profile profile;
        struct debug_session session;
        struct debug_discovery found;
        bool is_awake; /* closed_release resets it */
};

/* target_session_open; where that finds a closed part (or no family at all), look for it through debug
 * authentication (waits): the family by DBGMCU_IDCODE. `*ret_is_shut`: the access port is gone, so that
 * nothing of `session` but the probe, the family and the option fields may be used. Resets nothing.
 *      -FAULT_REFERENCE_ONLY  how its service is woken is not public; and as target_session_open */
int closed_session_open(const struct target_choice *choice, const char *profile,
                        struct target_session **ret_session, struct closed_part *ret_part,
                        bool *ret_is_shut) MUST_USE;

/* Reset into the service, and discovery (waits). The unique id goes into the session's identity.
 *      -FAULT_LOCKED, -FAULT_RSS */
int closed_discover(struct target_session *session, struct closed_part *part) MUST_USE;

/* Reset the part back to its own program where it is still awake (waits). Returns `result`, its sentence
 * kept. */
int closed_release(struct closed_part *part, int result);

/* Which of the credentials the part takes, and whether they let a full regression through, as far as can be
 * seen from outside. `*ret_by_password`.
 *      -FAULT_LOCKED     nothing is provisioned: nobody will open it
 *      -FAULT_BAD_VALUE  the other kind is wanted, or none was given: which, and what will be lost */
int closed_choose(const struct closed_part *part, const struct closed_credentials *credentials,
                  bool *ret_by_password) MUST_USE;

/* Authenticate, and wait until the part has come back open; it is attached then (waits). */
int closed_regress(struct target_session *session, struct closed_part *part,
                   const struct closed_credentials *credentials, bool by_password) MUST_USE;

/* What discovery said, and who the part is, for people; and as JSON, given to the caller. */
void closed_print(const struct target_session *session, const struct closed_part *part);
struct json_t *closed_json(const struct target_session *session, const struct closed_part *part);
