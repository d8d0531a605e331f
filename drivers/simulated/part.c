/*
 * A simulated part, its life: made, powered, reset, moved through time.
 *
 * Every call from outside brings the time. Before it does anything the part catches up: what was
 * due by then (a flash word, an option change, a step of the RSS) happens in the order of its due
 * times. Nothing else moves it, so a power cut leaves exactly what had come due. The silicon itself
 * - flash, option bytes, keys - lies in the caller's store behind a magic word that is written
 * last, so a process killed while a part is being made leaves no half of one.
 *
 * The other files each hold one noun: part_memory the bus, part_flash, part_options, part_debug,
 * part_core what executes if anything does, part_rss, part_rsse, part_authentication, part_certificate; and the registers of
 * each sequence of controllers: part_h7, part_l4, part_h5, part_h7rs.
 */
#include "drivers/simulated/part_private.h"

#include "crypto/digest.h"
#include "scheduler/bytes.h"

#include <stdlib.h>

#define PART_MAGIC   0x35545247u /* "GRT5": changes with the layout of the store */
#define RECORD_ALIGN 4096u

static size_t record_length(void)
{
        return (sizeof(struct part_record) + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

static size_t flash_length_of(const struct family *family)
{
        return (size_t)family->banks * family->bank_length;
}

size_t part_store_length(const struct family *family)
{
        size_t words = flash_length_of(family) / family->word_length;

        return record_length() + flash_length_of(family) + (words + 7) / 8 +
               family->external_count * EXTERNAL_LENGTH;
}

uint64_t part_scaled(const struct simulated_part *part, uint64_t duration_ns)
{
        return (uint64_t)((double)duration_ns * part->speed);
}

void part_changed(struct simulated_part *part)
{
        part->next_ns = 0;
}

/* --- making one ---------------------------------------------------------------------------- */

/* Word 0 die position, word 1 wafer and lot, word 2 lot: targets.md 1.3. */
static void make_unique_id(struct part_record *record, const uint8_t *seed)
{
        static const char label[] = "unique id";
        const struct piece pieces[] = { { label, sizeof(label) }, { seed, 32 } };
        uint8_t digest[DIGEST_LENGTH];
        uint8_t *id = digest;

        digest_sha256_pieces(pieces, LENGTH_OF(pieces), digest);
        id[4] %= 25; /* wafers of a lot */
        for (unsigned i = 5; i < 12; i++)
                id[i] = (uint8_t)(id[i] % 36 < 10 ? '0' + id[i] % 36 : 'A' + id[i] % 36 - 10);
        for (unsigned i = 0; i < 3; i++)
                record->unique_id[i] = load_le32(id + 4 * i);
}

static void make_fresh(struct simulated_part *part, const uint8_t *seed)
{
        struct part_record *record = part->record;
        size_t words = part->flash_length / part->family->word_length;

        nor_make_fresh(part);
        memset(record, 0, sizeof(*record));
        record->device_id = part->family->device_id;
        record->revision = part->family->revision;
        record->is_boot_pin_high = 1;
        make_unique_id(record, seed);
        license_chip_key(seed, record->private_key, record->public_key);
        for (size_t i = 0; i < part->family->option_count; i++)
                record->options[i] = part->family->options[i].factory;
        memset(part->flash, 0xFF, part->flash_length);
        memset(part->written, 0, (words + 7) / 8);
        /* Everything above must be there before the word that vouches for it. */
        __atomic_store_n(&record->magic, PART_MAGIC, __ATOMIC_RELEASE);
}

static const struct sequence *sequence_of(const struct family *family)
{
        switch (family->sequence) {
        case FAMILY_H7:
        case FAMILY_H7AB:
                break;
        case FAMILY_L4:
                return &l4_sequence;
        case FAMILY_H5:
                return &h5_sequence;
        case FAMILY_H7RS:
                return &h7rs_sequence;
        }
        return &h7_sequence;
}

struct simulated_part *part_create(const struct part_settings *settings)
{
        struct simulated_part *part = calloc(1, sizeof(*part));
        const struct family *family = settings->family;

        INSIST(part);
        INSIST(family->banks >= 1 && family->banks <= FAMILY_BANKS_MAX);
        INSIST(family->word_length >= 1 && family->word_length <= WORD_LENGTH_MAX);
        part->family = family;
        part->sequence = sequence_of(family);
        part->rss = settings->rss;
        part->speed = settings->speed;
        part->engine = settings->engine;
        part->record = settings->store;
        part->flash = (uint8_t *)settings->store + record_length();
        part->flash_length = flash_length_of(family);
        part->written = part->flash + part->flash_length;
        part->external = part->written + (part->flash_length / family->word_length + 7) / 8;
        part->boot_ns = part->certificate_ns = part->option_due_ns = part->loader.due_ns = NEVER;
        nor_power_on(part);
        part->authentication.due_ns = NEVER;
        if (__atomic_load_n(&part->record->magic, __ATOMIC_ACQUIRE) != PART_MAGIC)
                make_fresh(part, settings->seed);
        option_load(part);
        return part;
}

static void drop_charge(struct simulated_part *part)
{
        rss_abandon(part);
        core_drop(part);
        free(part->ram);
        free(part->apb);
        free(part->ppb);
        free(part->plain);
        part->ram = NULL;
        part->apb = part->ppb = part->plain = NULL;
}

struct simulated_part *part_destroy(struct simulated_part *part)
{
        if (!part)
                return NULL;
        drop_charge(part);
        free(part);
        return NULL;
}

/* --- defects ------------------------------------------------------------------------------- */

void part_set_boot_pin(struct simulated_part *part, bool high)
{
        part->record->is_boot_pin_high = high;
}

void part_set_device_id(struct simulated_part *part, uint16_t device_id)
{
        part->record->device_id = device_id;
}

void part_set_weak_word(struct simulated_part *part, uint32_t address)
{
        part->record->weak_word = address - address % part->family->word_length;
        part->record->has_weak_word = 1;
}

void part_fill_flash(struct simulated_part *part, uint32_t address, const void *data, size_t length)
{
        const uint8_t *bytes = data;
        uint32_t unit = part->family->word_length;

        INSIST(length <= UINT32_MAX && flash_holds(part, address, (uint32_t)length));
        while (length > 0) {
                uint32_t start = address - address % unit, skip = address - start;
                uint32_t count = unit - skip < length ? unit - skip : (uint32_t)length;
                uint8_t word[WORD_LENGTH_MAX];

                memcpy(word, flash_at(part, start), unit);
                memcpy(word + skip, bytes, count);
                (void)flash_commit(part, start, word);
                bytes += count;
                address += count;
                length -= count;
        }
}

void part_provision(struct simulated_part *part, const void *file, size_t length)
{
        authentication_provision(part, file, length);
}

const uint8_t *part_flash(const struct simulated_part *part, uint32_t address)
{
        INSIST(flash_holds(part, address, 1));
        return part->flash + flash_offset(part, address);
}

const uint32_t *part_options(const struct simulated_part *part)
{
        return part->record->options;
}

unsigned part_installed(const struct simulated_part *part, char type)
{
        return type == SFI_OPTION_KEY_REFERENCE ? part->record->option_keys
               : type == SFI_SSFI_REFERENCE     ? part->record->images
                                                : 0;
}

/* --- power and reset ----------------------------------------------------------------------- */

bool part_is_powered(const struct simulated_part *part)
{
        return part->is_powered;
}

bool part_boots_system(const struct simulated_part *part)
{
        return part->record->is_boot_pin_high;
}

/* The ROM can only look into the mailbox while the core runs it. */
bool part_rom_is_running(const struct simulated_part *part)
{
        return part->is_powered && !part->is_reset_held && part->boot_ns == NEVER &&
               part_boots_system(part) && !part->is_halted && part->run.step == RSS_IDLE &&
               part->loader.due_ns == NEVER && !core_executes(part);
}

/* targets.md 1.2, 10.2: while the part boots, and while the RSS runs, nothing answers on SWD. Under
 * NRST the debug port does: that is what connect-under-reset lives on (stlink.md 5.3). */
bool part_answers(const struct simulated_part *part)
{
        if (!part->is_powered)
                return false;
        if (part->protection == LEVEL_2 && family_field(part->family, ROLE_READOUT))
                return false; /* a closed product state only takes the access port away */
        return part->is_reset_held || (part->boot_ns == NEVER &&
                                       (part->run.step == RSS_IDLE || part->run.step == RSS_SHOW));
}

/* Does a boot go through the RSS? */
static bool is_secure(const struct simulated_part *part)
{
        return family_is_secure(part->family, part->in_force) || part->is_trustzone_on;
}

/* What every kind of reset does; the debug port and SRAM live on. */
static void reset_system(struct simulated_part *part)
{
        rss_abandon(part);
        part->is_rsse_running = false;
        flash_reset(part);
        option_reset(part);
        external_reset(part);
        octospi_reset(part);
        otfdec_reset(part);
        authentication_reset(part);
        part->is_trustzone_on = family_is_trustzone_on(part->family, part->in_force);
        if (!family_field(part->family, ROLE_READOUT)) /* targets.md 6.4: at the next reset */
                part->protection = option_level(part, part->in_force);
        part->flash_access = 0;
        memset(part->plain, 0, part_plain_length(part->family));
        part->boot_ns = part->certificate_ns = NEVER;
        part_changed(part);
}

/* From the release of reset until boot code has handed over. A core that is caught at its reset
 * vector answers at once, unless security hides what comes before it. */
static void leave_reset(struct simulated_part *part, uint64_t now_ns)
{
        uint64_t duration = part->family->reset_ms * NS_PER_MS;

        part_core_reset(part, false);
        if (part->is_halted && !is_secure(part))
                return;
        part->is_halted = false;
        if (is_secure(part))
                duration += part->family->rss_boot_ms * NS_PER_MS;
        part->boot_ns = now_ns + part_scaled(part, duration);
        part_changed(part);
}

/* Boot code done: SECURITY = 1 goes through the RSS, and there a pending install is taken. */
static void boot(struct simulated_part *part)
{
        uint64_t now_ns = part->boot_ns;

        part->boot_ns = NEVER;
        if (authentication_begins(part) || !part_boots_system(part))
                return;
        if (rsse_is_pending(part)) {
                rsse_begin(part, now_ns);
                return;
        }
        if (!rss_has_pending_install(part)) {
                rss_look_into_mailbox(part, now_ns);
                return;
        }
        if (is_secure(part) && !rsse_is_wanted(part))
                rss_begin(part, now_ns);
        else
                rss_refuse(part, RSS_ERROR_SECURITY);
}

void part_reset(struct simulated_part *part, uint64_t now_ns)
{
        part_advance(part, now_ns);
        if (!part->is_powered)
                return;
        reset_system(part);
        if (!part->is_reset_held)
                leave_reset(part, now_ns);
}

void part_hold_reset(struct simulated_part *part, uint64_t now_ns, bool held)
{
        part_advance(part, now_ns);
        if (held == part->is_reset_held)
                return;
        part->is_reset_held = held;
        if (!part->is_powered)
                return;
        reset_system(part);
        part->has_been_reset = true;
        if (!held)
                leave_reset(part, now_ns);
}

static void power_on(struct simulated_part *part, uint64_t now_ns)
{
        part->ram = calloc(1, part_ram_length(part));
        part->apb = calloc(1, APB_LENGTH);
        part->ppb = calloc(1, PPB_LENGTH);
        part->plain = calloc(1, part_plain_length(part->family) + 4);
        INSIST(part->ram && part->apb && part->ppb && part->plain);
        nor_power_on(part);
        part->is_powered = true;
        option_load(part);
        part->protection = option_level(part, part->in_force);
        part->dp_control = part->dp_select = part->dp_buffer = 0;
        memset(part->ports, 0, sizeof(part->ports));
        part->option_is_dead = false;
        part->authentication = (struct authentication){ 0 };
        part_core_reset(part, true);
        reset_system(part);
        if (!part->is_reset_held)
                leave_reset(part, now_ns);
}

void part_power(struct simulated_part *part, uint64_t now_ns, bool on)
{
        part_advance(part, now_ns);
        if (on == part->is_powered)
                return;
        if (on) {
                power_on(part, now_ns);
                return;
        }
        reset_system(part);
        nor_power_on(part); /* what it was at is lost with it */
        drop_charge(part);
        part->is_powered = false;
}

/* --- time ---------------------------------------------------------------------------------- */

static uint64_t earliest(const struct simulated_part *part)
{
        uint64_t due = flash_due(part);

        if (part->boot_ns < due)
                due = part->boot_ns;
        if (part->certificate_ns < due)
                due = part->certificate_ns;
        if (part->option_due_ns < due)
                due = part->option_due_ns;
        if (part->loader.due_ns < due)
                due = part->loader.due_ns;
        if (nor_due(part) < due)
                due = nor_due(part);
        if (part->authentication.due_ns < due)
                due = part->authentication.due_ns;
        if (part->run.step != RSS_IDLE && part->run.due_ns < due)
                due = part->run.due_ns;
        return due;
}

static void run_what_is_due(struct simulated_part *part, uint64_t due_ns, uint64_t now_ns)
{
        if (part->boot_ns == due_ns)
                boot(part);
        else if (part->certificate_ns == due_ns)
                rss_look_into_mailbox(part, due_ns);
        else if (part->option_due_ns == due_ns)
                option_advance(part, due_ns);
        else if (part->loader.due_ns == due_ns)
                external_advance(part);
        else if (nor_due(part) == due_ns)
                nor_advance(part, due_ns);
        else if (part->authentication.due_ns == due_ns)
                authentication_advance(part, due_ns);
        else if (part->run.step != RSS_IDLE && part->run.due_ns == due_ns)
                rss_advance(part, now_ns);
        else
                flash_advance(part, due_ns);
}

void part_advance(struct simulated_part *part, uint64_t now_ns)
{
        core_advance(part, now_ns);
        if (now_ns > part->now_ns)
                part->now_ns = now_ns;
        while (part->next_ns <= now_ns) {
                uint64_t due_ns = earliest(part);

                part->next_ns = due_ns;
                if (due_ns <= now_ns && due_ns != NEVER)
                        run_what_is_due(part, due_ns, now_ns);
                if (due_ns == NEVER)
                        break;
        }
}
