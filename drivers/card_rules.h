/*
 * card_rules.h - how the texts of a card profile become struct card_template, fields and statuses:
 * what card_profile.c shares with card_template.c and card_rules.c.
 */
#pragma once

#include "drivers/card_profile.h"
#include "drivers/form.h"

/* "80 20 00 00 {certificate} le 88". `setting` is for the line of a refusal; values of another
 * command than `command` are refused.
 *      -FAULT_BAD_FILE */
int card_template_parse(const struct form *form, config_setting_t *setting, const char *text,
                        enum card_command command, struct card_template *ret_template) MUST_USE;

/* The `fields` and the `status` of an exchange, whose answer's length was read before.
 *      -FAULT_BAD_FILE */
int card_fields_read(const struct form *form, config_setting_t *list, enum card_command command,
                     struct card_exchange *exchange) MUST_USE;

/* A table of status words into `statuses`, at most CARD_STATUSES_MAX. `meanings` is the set of what
 * may stand in it, bits by enum status_meaning.
 *      -FAULT_BAD_FILE */
int card_statuses_read(const struct form *form, config_setting_t *list, unsigned meanings,
                       struct card_status *statuses, size_t *ret_count) MUST_USE;

/* "3B 8B 80" into `bytes`; `what` is for the sentence.
 *      -FAULT_BAD_FILE  no hexadecimal, fewer than `least` or more than `most` bytes */
int card_bytes_read(const struct form *form, config_setting_t *setting, const char *what,
                    size_t least, size_t most, uint8_t *bytes, size_t *ret_length) MUST_USE;

/* "firmware_id". */
const char *card_fact_name(enum card_fact fact);
