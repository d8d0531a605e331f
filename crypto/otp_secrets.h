/*
 * otp_secrets.h - the OTP words of an STM32MP2, the mandatory input of SSP-SFI (AN5054 section 15).
 *
 * REFERENCE: ST's layout of the secrets file is not public (spec/secure-install.md section 9). The
 * container is ours and none of ST's tools takes it:
 *
 *   0  8 "GWMP2SEC"   8  4 version 1   12  4 count   16  per word, rising: u16 word, u16 0, u32
 * value then SHA-256 of all before, 32 bytes
 *
 * What is known of the words is checked (spec/targets.md section 12): 384 of them in three classes,
 * those the chip or ST writes are refused, hashes and keys are given whole or not at all.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define OTP_WORDS    384u
#define OTP_FILE_MAX (16u + 8u * OTP_WORDS + 32u)
#define OTP_CSV_MAX  (64u << 10)

enum otp_class { OTP_LOWER, OTP_MIDDLE, OTP_UPPER };

struct otp_secrets {
        uint32_t values[OTP_WORDS];
        bool is_given[OTP_WORDS];
        size_t count;
};

enum otp_class otp_class(unsigned word);
const char *otp_class_name(enum otp_class class);

/* What a word is for; NULL: free. */
const char *otp_word_name(unsigned word);

/* Give a word. `source` is for the sentence.
 *      -FAULT_BAD_VALUE  beyond the last, twice, or not for a customer to write */
int otp_secrets_set(struct otp_secrets *secrets, const char *source, uint32_t word,
                    uint32_t value) MUST_USE;

/* Rows "WORD, VALUE, VALUE, ...": the values go to successive words. '#' and blank lines are
 * comments; numbers decimal or with 0x. Adds to `secrets`.
 *      -FAULT_BAD_FILE, -FAULT_BAD_VALUE  names file and line */
int otp_secrets_read_csv(const char *name, const void *text, size_t length,
                         struct otp_secrets *secrets) MUST_USE;

/* Are hashes and keys whole?
 *      -FAULT_BAD_VALUE  names the range and the missing word */
int otp_secrets_check(const struct otp_secrets *secrets) MUST_USE;

/* Given to the caller, who wipes. */
struct bytes otp_secrets_build(const struct otp_secrets *secrets);

/*      -FAULT_BAD_FILE  names file, offset, found and wanted */
int otp_secrets_parse(const char *name, const void *file, size_t length,
                      struct otp_secrets *ret_secrets) MUST_USE;

/* For CLEANUP(otp_secrets_wipe). */
void otp_secrets_wipe(struct otp_secrets *secrets);
