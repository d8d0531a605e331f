/*
 * family_fields.h - option fields by what they do: the same questions on every family.
 *
 * A family keeps those fields of its file that have a role (drivers/family.h). `options` are the
 * rows as target_read_options gives them. None of these waits.
 */
#pragma once

#include "drivers/family.h"

/* The first field with that role, or NULL. */
const struct family_field *family_field(const struct family *family, enum field_role role);

uint32_t family_field_get(const struct family_field *field, const uint32_t *options);
void family_field_set(const struct family_field *field, uint32_t *options, uint32_t value);

/* Has it the value that switches it on, and counts it at all (its `when`)? */
bool family_field_is_on(const struct family *family, const struct family_field *field,
                        const uint32_t *options);

/* Is any field with that role on? */
bool family_is_on(const struct family *family, enum field_role role, const uint32_t *options);
#define family_is_secure(family, options)       family_is_on(family, ROLE_SECURITY, options)
#define family_has_trustzone(family)            (family_field(family, ROLE_TRUSTZONE) != NULL)
#define family_is_trustzone_on(family, options) family_is_on(family, ROLE_TRUSTZONE, options)

/* The RDP byte or the product state; 0 on a family that has neither. */
uint8_t family_protection(const struct family *family, const uint32_t *options);

/* Is debug access open as on a virgin part: RDP level 0, product state open? */
bool family_is_open(const struct family *family, const uint32_t *options);

/* Switch SECURITY on and set the most memory apart for the RSS, where the family has these fields
 * (AN5054 figure 65). */
void family_secure(const struct family *family, uint32_t *options);

/* Bytes `ret_first` to `ret_last` of the range that begins with the ROLE_START field `start`, without
 * the secure alias; false: it is off, or does not count. */
bool family_area(const struct family *family, const struct family_field *start,
                 const uint32_t *options, uint32_t *ret_first, uint32_t *ret_last);

/* Keep of `fields` what has a role; called while the file is read.
 *      -FAULT_BAD_FILE  too many, or `when` names a field that has no role or stands later */
struct form;
struct option_fields;
int family_keep_fields(const struct form *form, const struct option_fields *fields,
                       struct family *family) MUST_USE;
