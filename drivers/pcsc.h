/*
 * pcsc.h - real readers through pcscd.
 *
 * One pcscd per process: libpcsclite reads PCSCLITE_CSOCK_NAME once and keeps the socket it names
 * (seen with 1.9.9). A pcscd as distributed serves 16 slots (PCSCLITE_MAX_READERS_CONTEXTS of
 * pcsclite.h), and a reader beyond them is not there for anybody. More cards than that need a
 * second station with a pcscd of its own, or a pcscd built with a larger number.
 */
#pragma once

#include "drivers/card.h"

/* The reader called `name`, or slot `name` when it is a number, counted from 1 as ST's tools do.
 * Starts the reader's own thread and PC/SC context. Call on a fiber (waits).
 *      -FAULT_SYSTEM     pcscd is not running; the sentence says how to start it
 *      -FAULT_NOT_FOUND  no such reader; those present are named */
int pcsc_reader_open(const char *name, struct reader **ret_reader) MUST_USE;

/* The same for a reader that may come later, with pcscd or without: reader_connect() waits for it,
 * and tells -FAULT_NO_CARD with those present instead of -FAULT_TIMEOUT while it is not there.
 * pcscd numbers readers of one model as they are plugged in, so when none has just this name, one
 * that differs in its number only is taken, unless another open reader has it or wants it by name;
 * reader_name() is then that one's. A slot number counts what is there: as pcsc_reader_open(). */
int pcsc_reader_expect(const char *name, struct reader **ret_reader) MUST_USE;
