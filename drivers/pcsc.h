/*
 * pcsc.h - real readers through pcscd.
 */
#pragma once

#include "drivers/card.h"

/* The reader called `name`, or slot `name` when it is a number, counted from 1 as ST's tools do.
 * Starts the reader's own thread and PC/SC context. Call on a fiber (waits).
 *      -FAULT_SYSTEM     pcscd is not running; the sentence says how to start it
 *      -FAULT_NOT_FOUND  no such reader; those present are named */
int pcsc_reader_open(const char *name, struct reader **ret_reader) MUST_USE;
