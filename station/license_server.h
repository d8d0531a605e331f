/*
 * license_server.h - licenses from a server over HTTPS, its certificate pinned.
 *
 * The way of ST's 2017 examples (spec/secure-install.md section 12): POST
 * URL/fw/sfi/FIRMWARE-ID/get/license?user=USER as multipart/form-data with the part
 * dev_certificate_file (136 bytes); the answer's body is the license (license_answer.h). The
 * examples' other part, dev_bootloader_file of 32 bytes, is left out: no document says what these
 * bytes are, and nothing the station reads from a chip has that length.
 *
 * Believed is only the server that shows the pinned certificate (pinned.h), for the host of the URL
 * and within its time, by TLS 1.2 or later. One it has signed is not believed, nor one renewed, not
 * even for the same key: it is put into the file then. The system's authorities, proxies,
 * redirects, cookies and HTTP/2 have no part in it.
 *
 * A license must not be paid for twice, so each call opens a connection of its own: on a kept one
 * libcurl sends a request again, without a word, when the server closes it at the wrong moment.
 *
 * Four threads make the calls, one each; more wait their turn, first come, first served. The
 * license is wiped from every buffer of ours; those inside libcurl and OpenSSL are out of reach
 * (only its own chip can open it).
 *
 * In real time only: settings.c refuses it beside virtual_time.
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/license.h"
#include "station/settings.h"

struct license_server;

/* Read the pinned certificate (waits). `settings` is borrowed until license_server_close(). Does
 * not connect yet.
 *      -FAULT_NOT_FOUND, -FAULT_TOO_LARGE, -FAULT_BAD_FILE  the pinned certificate
 *      -FAULT_BAD_VALUE   under virtual time
 *      -FAULT_SYSTEM      a libcurl that cannot do this */
int license_server_open(const struct settings_server *settings,
                        struct license_server **ret_server) MUST_USE;

/* Let calls on their way end (waits: up to the settings' time); those that still wait their turn
 * are not made. Their fibers must not be told to ask again. NULL is fine; returns NULL. */
struct license_server *license_server_close(struct license_server *server);

/* Ask for a license of `type` ("SFI", "SMU", ...; in the URL in small letters) for this chip
 * (waits; up to the settings' time once it is its turn). The caller wipes. A call cannot be
 * cancelled: a cancel of the fiber is told at its next other wait, and the license that came
 * meanwhile is there to be kept.
 *      -FAULT_SERVER_REFUSED  it said no; nothing was issued
 *      -FAULT_SERVER          no connection, another certificate, broken off, or an answer that is
 *                             no license: it may have been issued. Asking again is safe for the
 *                             ledger.
 *      -FAULT_BAD_VALUE       a firmware identifier that cannot stand in a path: "", ".", ".."
 *      -FAULT_CANCELLED       not asked: the server was closed before its turn */
int license_server_ask(struct license_server *server, const struct certificate *certificate,
                       const char *firmware_id, const char *type,
                       uint8_t ret_license[static LICENSE_LENGTH]) MUST_USE;
