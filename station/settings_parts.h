/*
 * settings_parts.h - what settings.c and its further files share; nobody else includes it.
 */
#pragma once

#include "station/settings.h"
#include "station/settings_tree.h"

/* The groups `simulated` (settings_simulated.c) and `license_server` (settings_server.c). */
int settings_read_simulated(struct tree *tree, const config_setting_t *setting, void *group);
int settings_read_server(struct tree *tree, const config_setting_t *setting, void *group);

/* `installer` and the group `vendor` (settings_vendor.c). */
int settings_read_installer(struct tree *tree, const config_setting_t *setting, void *group);
int settings_read_vendor(struct tree *tree, const config_setting_t *setting, void *group);

/* What they must be together, and with the rest. */
int settings_check_installer(const struct tree *tree, struct settings *settings);
