/*
 * card_file.h - a card made of memory that lives in a file: to rehearse with, without a reader.
 *
 * The file is card_memory.h's 128 bytes, mode 0600 since the key is in it. While a session is open
 * the file is locked, as a PC/SC session is exclusive; a second program waits its turn. What an
 * APDU changed is on disk before its answer is given.
 */
#pragma once

#include "drivers/simulated/card.h"

/* Make a new blank card (waits).
 *      -FAULT_DUPLICATE  there is such a file already */
int card_file_make(const char *path, unsigned version, const char *type, uint64_t serial) MUST_USE;

/* The card in `path` behind the reader seam; `profile` is borrowed until reader_close(). The card
 * takes no time for its work. Problems of the file are told by reader_connect():
 *      -FAULT_NOT_FOUND, -FAULT_BAD_FILE; -FAULT_TIMEOUT another program holds it */
struct reader *card_file_reader(const char *path, const struct card_profile *profile);

/* The card of a connected reader, to spoil; NULL without a session. */
struct simulated_card *card_file_card(struct reader *reader);
