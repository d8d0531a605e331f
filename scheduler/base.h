/*
 * base.h - the few words every file of Gangway uses.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A result that must be looked at; what we choose to ignore is given to IGNORE() and says why. gcc
 * does not take a cast to (void) for an answer, so the result is read before it is dropped. */
#define MUST_USE       __attribute__((warn_unused_result))
#define IGNORE(result) ((void)!(result))

/* Run `function(&variable)` when the variable leaves its scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))

#define PRINTF_LIKE(position, first) __attribute__((format(printf, position, first)))

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

#define CONTAINER_OF(pointer, type, member)                                                        \
        ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull
#define NS_PER_S  1000000000ull

/*
 * State what we believe; on in production. An insist is for our own mistakes: nothing an outsider
 * can send, plug or type may ever trip one (that is a fault, see fault.h).
 */
#define INSIST(claim) ((claim) ? (void)0 : insist_failed(#claim, __FILE__, __LINE__))

_Noreturn void insist_failed(const char *claim, const char *file, int line);
