/*
 * gcm_ipsec.c - AES-128-GCM by intel-ipsec-mb, where the machine has it.
 *
 * The library is loaded at run time, so a station without it runs on OpenSSL. Its direct GCM calls
 * are used: jobs and bursts bring nothing here (limits.md). init_mb_mgr_auto() looks at the
 * processor and fills the manager with the fastest functions; afterwards the manager is only read,
 * so all threads share it, while each key keeps its own tables and scratch.
 *
 * The manager's layout is compiled in from the header. Within one soname Intel appends only, so a
 * library older than the header is refused, and gcm.c compares the first results with OpenSSL's
 * before it trusts any.
 */
#include "crypto/gcm_engine.h"

#if defined(__x86_64__) && __has_include(<intel-ipsec-mb.h>)

#include "scheduler/bytes.h"

#include <dlfcn.h>
#include <intel-ipsec-mb.h>
#include <stdio.h>

#define SONAME "libIPSec_MB.so.1"

/* The key tables want 64-byte alignment; gcm.c gives it to the whole. The scratch holds keystream
 * of the last partial block, so it lives where it is wiped. */
struct state {
        struct gcm_key_data key;
        struct gcm_context_data scratch;
};

static IMB_MGR *manager;
static char name[48];

/* POSIX lets dlsym's result be a function; ISO C does not let it be cast, so it is copied. */
static bool symbol_find(void *library, const char *symbol, void *ret_function)
{
        void *found = dlsym(library, symbol);

        memcpy(ret_function, &found, sizeof(found));
        return found != NULL;
}

static const char *arch_name(const IMB_MGR *mgr)
{
        const uint64_t vaes = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;

        switch (mgr->used_arch) {
        case IMB_ARCH_SSE:
                return "SSE";
        case IMB_ARCH_AVX:
                return "AVX";
        case IMB_ARCH_AVX2:
                return "AVX2";
        case IMB_ARCH_AVX512:
                return (mgr->features & vaes) == vaes ? "AVX512-VAES" : "AVX512";
        default: /* without AES-NI it is slower than OpenSSL and may leak by timing */
                return NULL;
        }
}

static const char *manager_make(void *library)
{
        unsigned (*version)(void);
        IMB_MGR *(*allocate)(uint64_t flags);
        void (*release)(IMB_MGR * mgr);
        void (*initialize)(IMB_MGR * mgr, IMB_ARCH * arch);
        const char *arch;

        if (!symbol_find(library, "imb_get_version", &version) ||
            !symbol_find(library, "alloc_mb_mgr", &allocate) ||
            !symbol_find(library, "free_mb_mgr", &release) ||
            !symbol_find(library, "init_mb_mgr_auto", &initialize) || version() < IMB_VERSION_NUM)
                return NULL;
        manager = allocate(0);
        if (!manager)
                return NULL;
        initialize(manager, NULL);
        arch = arch_name(manager);
        if (!arch || !manager->gcm128_pre || !manager->gcm128_enc || !manager->gcm128_dec) {
                release(manager);
                manager = NULL;
                return NULL;
        }
        snprintf(name, sizeof(name), "ipsec-mb %s", arch);
        return name;
}

static const char *ipsec_load(void)
{
        void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
        const char *found;

        if (!library)
                return NULL;
        found = manager_make(library);
        if (!found)
                dlclose(library);
        return found;
}

static void ipsec_init(void *opaque, const uint8_t key[static GCM_KEY_LENGTH])
{
        struct state *state = opaque;

        manager->gcm128_pre(key, &state->key);
}

static void ipsec_finish(void *opaque)
{
        (void)opaque; /* nothing of its own; gcm.c wipes the state */
}

static void ipsec_seal(void *opaque, const struct gcm_message *message,
                       uint8_t ret_tag[static GCM_TAG_LENGTH])
{
        struct state *state = opaque;

        manager->gcm128_enc(&state->key, &state->scratch, message->out, message->in,
                            message->length, message->iv, message->aad, message->aad_length,
                            ret_tag, GCM_TAG_LENGTH);
}

static bool ipsec_open(void *opaque, const struct gcm_message *message,
                       const uint8_t tag[static GCM_TAG_LENGTH])
{
        struct state *state = opaque;
        uint8_t found[GCM_TAG_LENGTH];
        bool is_equal;

        manager->gcm128_dec(&state->key, &state->scratch, message->out, message->in,
                            message->length, message->iv, message->aad, message->aad_length, found,
                            GCM_TAG_LENGTH);
        is_equal = equal_secret(found, tag, GCM_TAG_LENGTH);
        wipe(found, sizeof(found)); /* the right tag of a forged message is worth having */
        return is_equal;
}

const struct gcm_engine gcm_ipsec = {
        .load = ipsec_load,
        .state_length = sizeof(struct state),
        .init = ipsec_init,
        .finish = ipsec_finish,
        .seal = ipsec_seal,
        .open = ipsec_open,
};

#else

static const char *ipsec_load(void)
{
        return NULL; /* built without the header: never on this machine */
}

const struct gcm_engine gcm_ipsec = { .load = ipsec_load };

#endif
