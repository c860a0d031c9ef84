/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLOT_MODEL_EXPLORER_H
#define SLOT_MODEL_EXPLORER_H

#include <stdint.h>

/* Stops the running thread before it touches shared memory; anything else is no step. */
void model_step(const void *at);

#endif
