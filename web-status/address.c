/*
 * address.c - where the page listens, and which names for it we answer to.
 *
 * Text is cut into host and port once (authority_split), for the station file and for Host headers
 * alike. Numbers are compared as numbers: "[0:0:0:0:0:0:0:1]" is "[::1]".
 */
#include "web-status/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_HTTP 80u

struct authority {
        char host[64];
        bool is_bracketed; /* "[::1]" */
        bool has_port;
        uint16_t port;
};

static bool port_parse(const char *text, uint16_t *ret_port)
{
        unsigned port = 0;

        if (!*text || strlen(text) > 5)
                return false;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return false;
                port = port * 10 + (unsigned)(*text - '0');
        }
        if (port > UINT16_MAX)
                return false;
        *ret_port = (uint16_t)port;
        return true;
}

/* "HOST", "HOST:PORT", "[HOST]", "[HOST]:PORT" (RFC 3986 section 3.2, without user information). */
static bool authority_split(const char *text, struct authority *ret_authority)
{
        struct authority authority = { .is_bracketed = text[0] == '[' };
        const char *host = text + authority.is_bracketed;
        size_t length = strcspn(host, authority.is_bracketed ? "]" : ":");
        const char *rest = host + length;

        if (length == 0 || length >= sizeof(authority.host))
                return false;
        memcpy(authority.host, host, length);
        if (authority.is_bracketed && *rest++ != ']')
                return false;
        if (*rest == ':') {
                if (!port_parse(rest + 1, &authority.port))
                        return false;
                authority.has_port = true;
        } else if (*rest) {
                return false;
        }
        *ret_authority = authority;
        return true;
}

static const struct sockaddr_in *four(const struct address *address)
{
        return (const struct sockaddr_in *)(const void *)&address->socket;
}

static const struct sockaddr_in6 *six(const struct address *address)
{
        return (const struct sockaddr_in6 *)(const void *)&address->socket;
}

static bool number_parse(const struct authority *authority, struct address *ret_address)
{
        struct address address = { .length = sizeof(struct sockaddr_in) };

        if (authority->is_bracketed) {
                struct sockaddr_in6 to = { .sin6_family = AF_INET6,
                                           .sin6_port = htons(authority->port) };

                if (inet_pton(AF_INET6, authority->host, &to.sin6_addr) != 1)
                        return false;
                address.length = sizeof(to);
                memcpy(&address.socket, &to, sizeof(to));
        } else {
                struct sockaddr_in to = { .sin_family = AF_INET,
                                          .sin_port = htons(authority->port) };

                if (inet_pton(AF_INET, authority->host, &to.sin_addr) != 1)
                        return false;
                memcpy(&address.socket, &to, sizeof(to));
        }
        *ret_address = address;
        return true;
}

int address_parse(const char *text, struct address *ret_address)
{
        struct authority authority;

        if (!authority_split(text, &authority) || !authority.has_port)
                return fault(FAULT_BAD_VALUE,
                             "web address \"%s\": wanted a number and a port, such as "
                             "\"127.0.0.1:8470\" or \"[::1]:8470\"",
                             text);
        if (!authority.is_bracketed && strcasecmp(authority.host, "localhost") == 0)
                snprintf(authority.host, sizeof(authority.host), "127.0.0.1");
        if (!number_parse(&authority, ret_address))
                return fault(FAULT_BAD_VALUE,
                             "web address \"%s\": \"%s\" is not an address in numbers, such as "
                             "127.0.0.1 or [::1]",
                             text, authority.host);
        return 0;
}

static uint16_t port_of(const struct address *address)
{
        return ntohs(address->socket.ss_family == AF_INET ? four(address)->sin_port
                                                          : six(address)->sin6_port);
}

char *address_text(const struct address *address, char text[static ADDRESS_TEXT_MAX])
{
        char host[INET6_ADDRSTRLEN] = "";

        if (address->socket.ss_family == AF_INET) {
                inet_ntop(AF_INET, &four(address)->sin_addr, host, sizeof(host));
                snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, port_of(address));
        } else {
                inet_ntop(AF_INET6, &six(address)->sin6_addr, host, sizeof(host));
                snprintf(text, ADDRESS_TEXT_MAX, "[%s]:%u", host, port_of(address));
        }
        return text;
}

bool address_is_loopback(const struct address *address)
{
        if (address->socket.ss_family == AF_INET)
                return ntohl(four(address)->sin_addr.s_addr) >> 24 == 127;
        return IN6_IS_ADDR_LOOPBACK(&six(address)->sin6_addr);
}

static bool is_every_interface(const struct address *address)
{
        if (address->socket.ss_family == AF_INET)
                return four(address)->sin_addr.s_addr == htonl(INADDR_ANY);
        return IN6_IS_ADDR_UNSPECIFIED(&six(address)->sin6_addr);
}

static bool is_same_number(const struct address *a, const struct address *b)
{
        if (a->socket.ss_family != b->socket.ss_family)
                return false;
        if (a->socket.ss_family == AF_INET)
                return four(a)->sin_addr.s_addr == four(b)->sin_addr.s_addr;
        return IN6_ARE_ADDR_EQUAL(&six(a)->sin6_addr, &six(b)->sin6_addr);
}

bool address_is_named(const struct address *address, const char *authority_text)
{
        struct authority authority;
        struct address number;

        if (!authority_split(authority_text, &authority) ||
            (authority.has_port ? authority.port : PORT_HTTP) != port_of(address))
                return false;
        if (number_parse(&authority, &number))
                return is_every_interface(address) || is_same_number(address, &number);
        if (authority.is_bracketed)
                return false;
        return strcasecmp(authority.host, "localhost") == 0 ||
               (address->host_name[0] && strcasecmp(authority.host, address->host_name) == 0);
}
