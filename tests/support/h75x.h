/*
 * h75x.h - option bits of the STM32H75x, for tests that look at one part (targets.md 7.1). Programs
 * ask family_fields.h.
 */
#pragma once

#define H75X_SECURITY      (1u << 21) /* OPTSR */
#define H75X_ST_RAM_SIZE_3 (3u << 19)
