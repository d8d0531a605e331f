/*
 * obk_view.h - an .obk file for people and for programs.
 */
#pragma once

#include "crypto/obk.h"
#include "station/commands/image_view.h"

void obk_view_print(FILE *out, const char *name, const struct obk *obk);

/* Given to the caller. */
json_t *obk_view_json(const char *name, const struct obk *obk);
