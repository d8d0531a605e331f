/*
 * pcsc_name.h - which of pcscd's readers a name means. Pure; never waits.
 *
 * pcscd names a reader "MODEL [INTERFACE] (SERIAL) NN SS": NN numbers the readers of that name in the
 * order they were plugged in, SS is the slot (pcscd hotplug and readerfactory, 1.9.9). A reader
 * plugged in again may get another NN, so names that differ in nothing else are the same model.
 *
 * `names` are one after the other, each ended by a zero, an empty one at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PCSC_NAME_MAX 128 /* with its zero; MAX_READERNAME of pcsclite.h */

/* The reader meant by `wanted`: a slot number from 1, a whole name, or the only one that starts so.
 * NULL: none, or more than one. */
const char *pcsc_name_find(const char *names, const char *wanted);

/* As pcsc_name_find, with names only: NULL for a number that is nobody's name. */
const char *pcsc_name_match(const char *names, const char *wanted);

/* Is `wanted` a slot number? */
bool pcsc_name_is_slot(const char *wanted);

/* The same but for NN? */
bool pcsc_name_is_same_model(const char *a, const char *b);

const char *pcsc_name_next(const char *name);

/* "ACS ACR39U 00 00", "Gemalto PC Twin Reader 01 00", each in quotes, cut where it gets too long;
 * "none, plug one in". */
void pcsc_name_list(const char *names, char *ret_text, size_t capacity);
