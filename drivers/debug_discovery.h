/*
 * debug_discovery.h - what a part says of itself before it is authenticated to.
 *
 * The answer to ADAC's discovery is a row of pieces: u16 zero, u16 type, u32 length, the value (Arm
 * DEN0101; psa-adac, psa_adac.h). Arm brings each to a multiple of four, ST's service for the
 * STM32N6 packs them; both are read. Types from 0x8000 on are ST's.
 */
#pragma once

#include "crypto/adac.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define DISCOVERY_MAX    512u
#define DISCOVERY_PIECES 32u

/* What ST's tool calls the integrity of provisioning (logs in community.st.com, td-p/694861). */
#define INTEGRITY_PROVISIONED 0xEAEAEAEAu
#define INTEGRITY_MISSING     0xF5F5F5F5u

#define BY_CERTIFICATE 1u
#define BY_PASSWORD    2u

struct debug_discovery {
        uint32_t soc_class;                          /* STM32: the device id */
        uint32_t soc_id[4];                          /* STM32: words 0 to 2 of the unique id */
        uint8_t permissions[ADAC_PERMISSION_LENGTH]; /* what is provisioned lets through */
        uint16_t life_cycle; /* PSA's in the high byte, ST's state in the low one */
        uint8_t version[2];  /* of ADAC: 1, 0 */
        uint8_t service[4];  /* ST's service: 2, 4, 0, 0 */
        unsigned methods;    /* BY_CERTIFICATE, BY_PASSWORD */
        uint32_t integrity;
        bool has_integrity;
        char unique_id_text[25]; /* as target.h writes it */
};

/*      -FAULT_RSS  not an answer to discovery; offset, found and wanted */
int debug_discovery_parse(const void *answer, size_t length,
                          struct debug_discovery *ret_discovery) MUST_USE;

/* "secured", ... of the high byte (RFC 9783 section 4.3.1); "not known". */
const char *debug_life_cycle_name(uint16_t life_cycle);
