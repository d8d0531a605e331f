/*
 * places.h - where the files of configs/ are found: the tree, or the installed share directory.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#define PLACE_LENGTH_MAX 512u

/* The path of configs/`name`: beside the program in the tree (build/gangway -> configs/), or
 * PREFIX/share/gangway/ when installed, or ./configs/.
 *      -FAULT_NOT_FOUND  names what was tried */
int place_find(const char *name, char ret_path[static PLACE_LENGTH_MAX]) MUST_USE;
