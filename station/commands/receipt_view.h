/*
 * receipt_view.h - what a receipt says, for people and for programs.
 */
#pragma once

#include "station/receipt.h"

#include <jansson.h>
#include <stdio.h>

void receipt_view_print(FILE *out, const char *name, const struct receipt_facts *facts);

/* The same as an object, "verified" true. Given to the caller. */
json_t *receipt_view_json(const struct receipt_facts *facts);
