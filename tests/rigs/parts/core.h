/*
 * core.h - unicorn as the engine behind a simulated part (drivers/simulated/core.h).
 */
#pragma once

#include "drivers/simulated/core.h"

extern const struct core_engine unicorn_engine;
