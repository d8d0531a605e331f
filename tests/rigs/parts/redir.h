/*
 * redir.h - one device of the rig as the USB host's end of a usb-redir connection (usbredirproto.h): QEMU's
 * usb-redir device is the other end, and gives it to the guest's kernel.
 *
 * Passive: the caller polls the descriptor and says when. Bulk and control endpoints only.
 */
#pragma once

#include "tests/rigs/parts/device.h"

struct redir;

/* Listen at `path` for the one connection. NULL with a line on stderr: the socket cannot be had, or the
 * device has endpoints of another sort. The device is borrowed. */
struct redir *redir_create(struct device *device, const char *path);

/* To be polled, and for what. */
int redir_descriptor(const struct redir *redir, short *ret_events);
void redir_serve(struct redir *redir);

/* Move what can move; when to look again, UINT64_MAX: not before something arrives. */
uint64_t redir_pump(struct redir *redir);

void redir_unplug(struct redir *redir);
void redir_plug(struct redir *redir);
