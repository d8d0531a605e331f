/*
 * vendor_rig.h - tests/rigs/fake_programmer.py, ready to be called as STM32_Programmer_CLI.
 */
#pragma once

/* A folder in `directory` from which the stand-in is called; its path as a program. Skips the test when
 * python3 is not there. The text stays until the next call. */
const char *vendor_rig(const char *directory);

/* What it plays: `name` for the probe `serial`, or for all (NULL). */
void vendor_rig_scenario(const char *serial, const char *name);

/* Any of the files it looks into. */
void vendor_rig_file(const char *name, const char *text);

/* Its calls so far, one line of JSON each; "" none. Given (free). */
char *vendor_rig_calls(void);
