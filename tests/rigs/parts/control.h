/*
 * control.h - a test tells its rig what to do: "2 yank answer 7", "0 unplug". One line over a local socket, a
 * number back when it is done.
 */
#pragma once

/* Serve at `path` on a thread of its own, for the life of the process. `tell` gets the device's number and the
 * words after it. 0 or -1. */
int control_serve(const char *path, int (*tell)(unsigned index, const char *words));

/* Ask whoever serves at `path`; its number, or -1. A path below /dev/ is a serial port whose other end is
 * the rig (usbredir.c). */
int control_ask(const char *path, unsigned index, const char *words);
