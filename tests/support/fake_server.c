#include "tests/support/fake_server.h"

#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

void fake_server_init(struct license_server *server)
{
        *server = (struct license_server){ .answer = SERVER_ISSUES };
}

int license_server_open(const struct settings_server *settings, struct license_server **ret_server)
{
        (void)settings;
        *ret_server = calloc(1, sizeof(**ret_server));
        assert_non_null(*ret_server);
        fake_server_init(*ret_server);
        return 0;
}

struct license_server *license_server_close(struct license_server *server)
{
        if (server)
                server->closed++;
        return NULL;
}

static void issue(struct license_server *server, const struct certificate *certificate,
                  const char *type, uint8_t *ret_license)
{
        static const uint8_t key[16] = "key", nonce[12] = "nonce";
        uint8_t entropy[32] = { 0 };

        store_le32(entropy, ++server->issued);
        assert_int_equal(license_issue(certificate, type, key, nonce, entropy, ret_license), 0);
}

int license_server_ask(struct license_server *server, const struct certificate *certificate,
                       const char *firmware_id, const char *type,
                       uint8_t ret_license[static LICENSE_LENGTH])
{
        int r;

        server->asked++;
        server->now++;
        if (server->now > server->most)
                server->most = server->now;
        snprintf(server->firmware_id, sizeof(server->firmware_id), "%s", firmware_id);
        snprintf(server->type, sizeof(server->type), "%s", type);
        r = fiber_sleep_ns(server->takes_ns);
        server->now--;
        assert_int_equal(r, 0);
        switch (server->answer) {
        case SERVER_REFUSES:
                return fault(FAULT_SERVER_REFUSED, "the server said 403");
        case SERVER_BREAKS_OFF:
                server->issued++;
                return fault(FAULT_SERVER, "the connection broke off");
        case SERVER_OTHER_TYPE:
                issue(server, certificate, "SSP", ret_license);
                return 0;
        case SERVER_ISSUES:
                issue(server, certificate, type, ret_license);
                return 0;
        }
        return 0;
}
