/*
 * fault.c - the table of faults, and where the last sentence is kept.
 *
 * A thread writes to its current note. The loop points it at the running fiber's note before it
 * goes on with that fiber; a worker points it at the note of the job it runs. Without either,
 * before a loop exists or in a tool that needs none, the thread's own note is used.
 *
 * Sentences contain what came from outside: file names, keys of a form, bytes of a device. So that
 * one stays one line of UTF-8 in every log, page and record, whatever is neither printable nor
 * UTF-8 becomes a question mark.
 */
#include "scheduler/fault.h"

#include "scheduler/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
        const char *name;
        const char *sentence;
        enum disposition disposition;
        enum blame blame;
};

static const struct entry table[FAULT_COUNT] = {
        [FAULT_NONE] = { "NONE", "no fault", RETRY_UNIT, BLAME_NOBODY },
#define FAULT_ENTRY(name, sentence, disposition, blame)                                            \
        [FAULT_##name] = { #name, sentence, disposition, blame },
        FAULTS(FAULT_ENTRY)
#undef FAULT_ENTRY
};

static _Thread_local struct note own;
static _Thread_local struct note *current;

static const struct entry *entry_of(int result)
{
        if (result >= 0)
                return &table[FAULT_NONE];
        INSIST(result > -FAULT_COUNT);
        return &table[-result];
}

/* How many bytes the character at `text` has: 0 when it is not well-formed UTF-8 (RFC 3629 section
 * 4) or not printable. The zero byte at the end stops it from reading on. */
static size_t character_length(const unsigned char *text)
{
        size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

        if (length == 1)
                return text[0] >= 0x20 && text[0] != 0x7f;
        if (text[0] < 0xc2 || text[0] > 0xf4)
                return 0;
        for (size_t i = 1; i < length; i++)
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
        if ((text[0] == 0xc2 && text[1] < 0xa0) /* control characters again */
            || (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
            (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
                return 0;
        return length;
}

static void make_presentable(char *sentence)
{
        for (unsigned char *at = (unsigned char *)sentence; *at;) {
                size_t length = character_length(at);

                if (length == 0) {
                        *at = '?';
                        length = 1;
                }
                at += length;
        }
}

/* Append what there is room for. */
static void append(char sentence[static SENTENCE_CAPACITY], const char *more)
{
        size_t length = strlen(sentence), wanted = strlen(more);
        size_t room = SENTENCE_CAPACITY - 1 - length;

        if (wanted > room)
                wanted = room;
        memcpy(sentence + length, more, wanted);
        sentence[length + wanted] = '\0';
}

/* By way of `text`, for an argument may well be the sentence that is replaced. */
static void keep(enum fault code, const char *text)
{
        struct note *note = fault_current_note();

        note->code = (int)code;
        memcpy(note->sentence, text, strlen(text) + 1);
        make_presentable(note->sentence);
}

struct note *fault_current_note(void)
{
        return current ? current : &own;
}

void fault_use_note(struct note *note)
{
        current = note;
}

void fault_take_note(const struct note *note)
{
        *fault_current_note() = *note;
}

int fault(enum fault code, const char *format, ...)
{
        char text[SENTENCE_CAPACITY];
        va_list arguments;

        INSIST(code > FAULT_NONE && code < FAULT_COUNT);
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments); /* cut when too long */
        va_end(arguments);
        keep(code, text);
        return -(int)code;
}

static enum fault code_of_errno(int error)
{
        switch (error) {
        case ENOENT:
                return FAULT_NOT_FOUND;
        case ENODEV:
                return FAULT_UNPLUGGED;
        default:
                return FAULT_SYSTEM;
        }
}

int fault_errno(int error, const char *format, ...)
{
        char text[SENTENCE_CAPACITY], number[32];
        const char *description;
        enum fault code;
        va_list arguments;

        error = abs(error);
        code = code_of_errno(error);
        description = strerrordesc_np(error); /* unlike strerror, fit for threads */
        (void)snprintf(number, sizeof(number), "error %d", error);
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (*text)
                append(text, ": ");
        append(text, description ? description : number);
        keep(code, text);
        return -(int)code;
}

int fault_prefix(int result, const char *format, ...)
{
        char text[SENTENCE_CAPACITY];
        va_list arguments;

        if (result >= 0)
                return result;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        append(text, ": ");
        append(text, fault_sentence(result));
        keep((enum fault) - result, text);
        return result;
}

const char *fault_sentence(int result)
{
        const struct note *note = fault_current_note();

        if (result < 0 && note->code == -result && note->sentence[0])
                return note->sentence;
        return entry_of(result)->sentence;
}

const char *fault_name(int result)
{
        return entry_of(result)->name;
}

enum disposition fault_disposition(int result)
{
        return entry_of(result)->disposition;
}

enum blame fault_blame(int result)
{
        return entry_of(result)->blame;
}
