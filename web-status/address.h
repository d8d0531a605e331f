/*
 * address.h - where the page listens, and which names for it we answer to.
 *
 * Pure: the caller fills in the name of the machine, so that what strangers send can be fuzzed.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>
#include <sys/socket.h>

/* "[ffff:...]:65535" and its end. */
#define ADDRESS_TEXT_MAX 64u

struct address {
        struct sockaddr_storage socket; /* AF_INET or AF_INET6 with its port */
        socklen_t length;
        char host_name[65]; /* of the machine; "" on loopback, where only "localhost" is a name */
};

/* "127.0.0.1:8470", "[::1]:0", "localhost:8470": numbers, a port always.
 *      -FAULT_BAD_VALUE */
int address_parse(const char *text, struct address *ret_address) MUST_USE;

/* "127.0.0.1:8470" into `text`; returns text. */
char *address_text(const struct address *address, char text[static ADDRESS_TEXT_MAX]);

bool address_is_loopback(const struct address *address);

/*
 * Does `authority` ("localhost:8470", "[::1]", what a Host header holds) name this server?
 *
 * A page of a stranger can have its own name point at us (DNS rebinding) and then speaks to us
 * under that name: so only our number, "localhost" and the name of the machine are ours. Bound to
 * every interface, any number is: a rebinding attack needs a name. Without a port, 80 is meant.
 */
bool address_is_named(const struct address *address, const char *authority);
