/*
 * license_server.h - licenses from a server over HTTPS, its certificate pinned.
 *
 * The way of ST's 2017 examples (spec/secure-install.md section 12): POST
 * URL/fw/sfi/FIRMWARE-ID/get/license?user=USER as multipart/form-data with the part
 * dev_certificate_file (136 bytes); the answer's body is the license. Nobody but the server whose
 * certificate is in the station file is believed: not the system's authorities, no redirect.
 *
 * libcurl does it, on threads of its own: one call a thread, the fiber waits.
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/license.h"
#include "station/settings.h"

struct license_server;

/* `settings` is borrowed. Does not connect yet.
 *      -FAULT_NOT_FOUND, -FAULT_BAD_FILE  the pinned certificate */
int license_server_open(const struct settings_server *settings,
                        struct license_server **ret_server) MUST_USE;

/* Let calls on their way end (waits). NULL is fine; returns NULL. */
struct license_server *license_server_close(struct license_server *server);

/* Ask for a license of `type` ("SFI", "SMU", ...; in the URL in small letters) for this chip (waits;
 * up to the settings' time). The caller wipes.
 *      -FAULT_SERVER_REFUSED  it said no; nothing was issued
 *      -FAULT_SERVER          no connection, another certificate, broken off, or an answer that is no
 *                             license: it may have been issued. Asking again is safe for the ledger. */
int license_server_ask(struct license_server *server, const struct certificate *certificate,
                       const char *firmware_id, const char *type,
                       uint8_t ret_license[static LICENSE_LENGTH]) MUST_USE;
