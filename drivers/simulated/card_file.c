/*
 * card_file.c - a reader whose card is a file.
 *
 * Connecting locks and reads the file; the card then works in memory, and after each APDU that
 * changed it the whole memory goes back in one write, which a kill cannot divide, and to the disk,
 * before anyone sees the answer. So a license that was given is always counted.
 */
#include "drivers/simulated/card_file.h"

#include "drivers/simulated/card_private.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/file.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE     0600u
#define LOCK_AGAIN_NS (50 * NS_PER_MS)

struct file_reader {
        struct reader reader; /* first */
        const struct card_profile *profile;
        char *path;
        int descriptor; /* -1: no session */
        struct simulated_card *card;
        struct card_memory memory, written; /* the card's; as the file has it */
};

static struct file_reader *reader_of(struct reader *reader)
{
        return CONTAINER_OF(reader, struct file_reader, reader);
}

/* --- connecting ---------------------------------------------------------------------------- */

static int check_file(const char *path, int descriptor)
{
        struct stat found;

        if (fstat(descriptor, &found) < 0)
                return fault_errno(errno, "%s", path);
        if (!S_ISREG(found.st_mode))
                return fault(FAULT_BAD_FILE, "%s is not a regular file", path);
        if (found.st_mode & (S_IRWXG | S_IRWXO))
                return fault(FAULT_BAD_FILE,
                             "the card file %s has a key in it and others may use it (mode %04o): "
                             "chmod 600 %s",
                             path, found.st_mode & 07777u, path);
        return 0;
}

static int lock_file(struct file_reader *reader, uint64_t timeout_ns)
{
        uint64_t start_ns = clock_now_ns();

        while (flock(reader->descriptor, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return fault_errno(errno, "%s", reader->path);
                if (clock_now_ns() - start_ns >= timeout_ns)
                        return fault(FAULT_TIMEOUT, "another program uses the card in %s",
                                     reader->path);
                if (fiber_sleep_ns(LOCK_AGAIN_NS) < 0)
                        return fault(FAULT_CANCELLED, "no longer waiting for %s", reader->path);
        }
        return 0;
}

static int read_memory(struct file_reader *reader)
{
        uint8_t bytes[CARD_MEMORY_LENGTH + 1]; /* one more, to see a longer file */
        size_t length = 0;
        ssize_t r;

        do {
                r = ring_read(reader->descriptor, bytes + length, sizeof(bytes) - length,
                              (off_t)length);
                length += r > 0 ? (size_t)r : 0;
        } while (r > 0 && length < sizeof(bytes));
        if (r >= 0)
                r = card_memory_parse(reader->path, bytes, length, &reader->memory);
        wipe(bytes, sizeof(bytes));
        return (int)r;
}

static void end_session(struct file_reader *reader)
{
        reader->card = simulated_card_destroy(reader->card);
        wipe(&reader->memory, sizeof(reader->memory));
        wipe(&reader->written, sizeof(reader->written));
        if (reader->descriptor >= 0)
                close(reader->descriptor); /* and unlocks */
        reader->descriptor = -1;
}

static int start_session(struct file_reader *reader, uint64_t timeout_ns)
{
        struct card_settings settings = { .profile = reader->profile,
                                          .memory = &reader->memory,
                                          .seed = loop_seed() };
        int r;

        reader->descriptor = open(reader->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (reader->descriptor < 0)
                return fault_errno(errno, "the card file %s", reader->path);
        r = check_file(reader->path, reader->descriptor);
        if (r >= 0)
                r = lock_file(reader, timeout_ns);
        if (r >= 0)
                r = read_memory(reader);
        if (r < 0)
                return r;
        reader->written = reader->memory;
        reader->card = simulated_card_create(&settings);
        return 0;
}

static int file_connect(struct reader *base, uint64_t timeout_ns, uint8_t *ret_atr)
{
        struct file_reader *reader = reader_of(base);
        int r;

        end_session(reader);
        r = start_session(reader, timeout_ns);
        if (r < 0) {
                end_session(reader);
                return r;
        }
        return simulated_card_atr(ret_atr);
}

/* --- working ------------------------------------------------------------------------------- */

static int write_memory(struct file_reader *reader)
{
        ssize_t r;

        if (memcmp(&reader->written, &reader->memory, sizeof(reader->memory)) == 0)
                return 0;
        r = ring_write(reader->descriptor, &reader->memory, sizeof(reader->memory), 0);
        if (r >= 0 && r != (ssize_t)sizeof(reader->memory))
                return fault(FAULT_SYSTEM, "%zd of %zu bytes written", r, sizeof(reader->memory));
        if (r >= 0)
                r = ring_fsync(reader->descriptor);
        if (r >= 0)
                reader->written = reader->memory;
        return (int)r;
}

static int file_transmit(struct reader *base, const void *apdu, size_t length, uint8_t *ret_answer)
{
        struct file_reader *reader = reader_of(base);
        uint64_t duration_ns;
        int answered, r;

        if (!reader->card)
                return fault(FAULT_NO_CARD, "no session with the card in %s", reader->path);
        answered = simulated_card_apdu(reader->card, apdu, length, ret_answer, &duration_ns);
        r = write_memory(reader);
        if (r < 0) {
                simulated_card_kill(reader->card); /* memory and file differ: connect again */
                wipe(ret_answer, APDU_ANSWER_MAX);
                return r == -FAULT_CANCELLED
                               ? r
                               : fault(FAULT_CARD_DEAD, "the card file %s cannot be written: %s",
                                       reader->path, fault_sentence(r));
        }
        if (answered < 0)
                return fault(FAULT_CARD_DEAD, "the card in %s does not answer", reader->path);
        return answered;
}

static void file_disconnect(struct reader *base)
{
        end_session(reader_of(base));
}

static void file_close(struct reader *base)
{
        struct file_reader *reader = reader_of(base);

        end_session(reader);
        free(reader->path);
        free(reader);
}

static const struct reader_operations operations = {
        .connect = file_connect,
        .transmit = file_transmit,
        .disconnect = file_disconnect,
        .close = file_close,
};

struct reader *card_file_reader(const char *path, const struct card_profile *profile)
{
        struct file_reader *reader = calloc(1, sizeof(*reader));

        INSIST(reader);
        reader->reader.operations = &operations;
        reader->reader.is_simulated = true;
        snprintf(reader->reader.name, sizeof(reader->reader.name), "card file %.100s", path);
        reader->profile = profile;
        reader->descriptor = -1;
        reader->path = strdup(path);
        INSIST(reader->path);
        return &reader->reader;
}

struct simulated_card *card_file_card(struct reader *reader)
{
        return reader_of(reader)->card;
}

/* --- making -------------------------------------------------------------------------------- */

int card_file_make(const char *path, unsigned version, const char *type, uint64_t serial)
{
        struct card_memory memory = card_memory_blank(version, type, serial);
        int descriptor =
                open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

        int r;

        if (descriptor < 0 && errno == EEXIST)
                return fault(FAULT_DUPLICATE, "%s exists already; a card is never overwritten",
                             path);
        if (descriptor < 0)
                return fault_errno(errno, "%s", path);
        close(descriptor);
        r = file_write(path, &memory, sizeof(memory), FILE_MODE);
        if (r < 0)
                unlink(path);
        return r;
}
