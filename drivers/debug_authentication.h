/*
 * debug_authentication.h - the way back of closed STM32H5 and H7Rx/7Sx: discovery, credentials, regression.
 *
 * A service in the boot ROM, reached through an access port of its own that stays when the core's is gone
 * (wiki.st.com, debug authentication). It speaks Arm's ADAC (DEN0101): a request is u16 zero, u16 command,
 * u32 words and the words; an answer has a status in place of the command. Words go one by one through two
 * registers of DBGMCU; a flag is set by the writer and cleared when the other side has read (CMSIS
 * stm32h573xx.h, DBGMCU_DBG_AUTH_HOST, _DEVICE, _ACK; ST's own service for the STM32N6, debug_authentication.c).
 *
 *      discovery             who are you, what do you take?
 *      start                 32 bytes to sign
 *      response, repeated    a certificate each, root first, then the token; or the password
 *
 * What is not public for these parts is in a profile (configs/debug-authentication/NAME.conf), and one
 * whose source is "reference" is refused where its marker is not found, as in rss.h.
 *
 * A session belongs to its site's fiber; every call waits. Faults as in stlink.h and those named here.
 */
#pragma once

#include "crypto/adac.h"
#include "drivers/debug_discovery.h"
#include "drivers/rss.h"
#include "drivers/stlink.h"

struct debug_profile {
        char name[32];
        enum profile_source source;
        char gap[200]; /* what is missing, and who has it */
        unsigned access_port;
        uint32_t debug_unit; /* DBGMCU as that port shows it */
        uint32_t request, reply;
        uint32_t marker_address; /* 0: none */
        char marker[33];
        unsigned reply_timeout_ms, word_timeout_ms, regression_timeout_ms;
};

/* Read and check a profile (waits). -FAULT_BAD_FILE */
int debug_profile_load(const char *path, struct debug_profile *ret_profile) MUST_USE;

/* One probe in debug mode, and how its part is spoken to. */
struct debug_session {
        struct stlink *probe;                /* borrowed */
        const struct debug_profile *profile; /* borrowed */
};

/* May this profile be used on this part? Opens the access port; reads, writes nothing.
 *      -FAULT_REFERENCE_ONLY, -FAULT_LOCKED  no such access port */
int debug_check_allowed(struct debug_session *session) MUST_USE;

/* DBGMCU_IDCODE, which this port shows whatever the product state is. */
int debug_read_idcode(struct debug_session *session, uint32_t *ret_idcode) MUST_USE;

/* Reset by NRST with the request in the mailbox, wait for the reply, and ask who answers. The part runs
 * nothing but this service until it is reset again.
 *      -FAULT_LOCKED  nobody answers: open, locked, or NRST does not reach the part
 *      -FAULT_RSS     it answered something else */
int debug_open(struct debug_session *session, struct debug_discovery *ret_discovery) MUST_USE;

/* Back to the part's own program: a reset by NRST. */
int debug_close(struct debug_session *session) MUST_USE;

/* Ask for `bit` (adac.h) with a chain and the private key of its last certificate, or with the bytes of a
 * password (adac_password_parse). A full regression has begun when 0 is returned.
 *      -FAULT_LOCKED  the part refused; the sentence says at which step and what that means
 *      -FAULT_RSS     an answer that is none of this protocol */
int debug_by_certificate(struct debug_session *session, const struct adac_chain *chain,
                         const uint8_t private_key[static CURVE_NUMBER_LENGTH],
                         unsigned bit) MUST_USE;
int debug_by_password(struct debug_session *session, const struct bytes *password) MUST_USE;

/* After a full regression was granted: wait until the part has erased itself, come back to it through its
 * own access port and see that its product state is open. The target is attached when 0 is returned.
 *      -FAULT_TARGET_LOST  not within the profile's time
 *      -FAULT_LOCKED       it came back, and not open */
int debug_await_open(struct debug_session *session, struct target *target) MUST_USE;
