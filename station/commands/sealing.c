#include "station/commands/sealing.h"

#include "scheduler/loop.h"

#include <stdio.h>
#include <unistd.h>

static int64_t now_s(void)
{
        return (int64_t)(clock_calendar_us() / 1000000u);
}

static int warn_without(const struct sealing *sealing)
{
        if (strcmp(sealing->no_ledger, SEALING_OVERRIDE) != 0)
                return fault(FAULT_BAD_VALUE,
                             "--no-ledger seals without the guard against using a nonce twice; it "
                             "is taken only as --no-ledger " SEALING_OVERRIDE);
        fprintf(stderr,
                "WARNING: %s is sealed WITHOUT the nonce ledger: nothing records its nonce, and "
                "nothing will stop another image from using it again\n",
                sealing->output);
        return 0;
}

static void describe(struct sealing *sealing, const uint8_t *key, const uint8_t *nonce,
                     enum sfi_iv_policy policy, size_t areas, const uint8_t *digest)
{
        struct nonce_use *use = &sealing->use;
        char host[256] = "";

        nonce_key_name(key, use->key);
        memcpy(use->range.nonce, nonce, SFI_NONCE_LENGTH);
        use->range.policy = policy;
        use->range.areas = (uint32_t)areas;
        hex_encode(digest, DIGEST_LENGTH, use->digest);
        for (char *c = use->digest; *c; c++)
                *c |= 0x20;                        /* lower case, as sha256sum prints it */
        (void)gethostname(host, sizeof(host) - 1); /* unknown: the field stays empty */
        nonce_label(host, use->host, sizeof(use->host));
        nonce_label(sealing->output, use->name, sizeof(use->name));
        use->reserved_s = now_s();
}

/* The image's IVs are safe without it; only the loss of the ledger would go unnoticed. */
static void remember(const struct sealing *sealing)
{
        int r = nonce_ledger_remember(sealing->ledger, sealing->key_file, sealing->use.key);

        if (r < 0)
                fprintf(stderr,
                        "warning: %s; without it a deleted nonce ledger would not be noticed\n",
                        fault_sentence(r));
}

static int open_and_reserve(struct sealing *sealing)
{
        char path[NONCE_LEDGER_PATH_MAX];
        struct nonce_memory memory = { 0 };
        int r;

        r = nonce_ledger_place(path);
        if (r >= 0)
                r = nonce_memory_read(sealing->key_file, &memory);
        if (r >= 0)
                r = nonce_ledger_open(path, &sealing->ledger);
        return r < 0 ? r
                     : nonce_ledger_reserve(sealing->ledger, sealing->key_file, &memory,
                                            &sealing->use);
}

int sealing_reserve(struct sealing *sealing, const uint8_t key[static GCM_KEY_LENGTH],
                    const uint8_t nonce[static SFI_NONCE_LENGTH], enum sfi_iv_policy policy,
                    size_t areas, const uint8_t digest[static DIGEST_LENGTH])
{
        int r;

        INSIST(areas <= NONCE_AREAS_MAX);
        if (sealing->no_ledger)
                return warn_without(sealing);
        describe(sealing, key, nonce, policy, areas, digest);
        r = open_and_reserve(sealing);
        if (r < 0)
                return r;
        if (r == NONCE_NEW_KEY)
                fprintf(stderr,
                        "note: the first use of this key in %s; if it was used on another machine, "
                        "merge that ledger (gangway nonces merge)\n",
                        nonce_ledger_path(sealing->ledger));
        remember(sealing);
        return 0;
}

int sealing_confirm(struct sealing *sealing)
{
        return sealing->ledger ? nonce_ledger_confirm(sealing->ledger, &sealing->use, now_s()) : 0;
}

void sealing_close(struct sealing *sealing)
{
        nonce_ledger_release(&sealing->ledger);
        wipe(&sealing->use, sizeof(sealing->use));
}
