/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* devices.h - what devices there are, as the worker tells. */
#ifndef HETCKPT_DRIVER_DEVICES_H
#define HETCKPT_DRIVER_DEVICES_H

#include <jansson.h>
#include <stddef.h>

#include "runtime/common/error.h"

/*
 * Asks a worker (--list-devices --json), so that vendors' libraries are loaded there and not
 * here. *list is an object {"devices": [{"device": "cpu:0", ...}], "unavailable": [{"backend", "reason"}]}, a new
 * reference. Blocks while the libraries load.
 */
int hetckpt_devices_query(json_t **list, struct hetckpt_error *error);

/* The device to use if nobody says: $HETCKPT_DEVICE, else "", for the worker to choose: asking
   another process first would start the vendor's driver twice. */
int hetckpt_device_default(char *device, size_t size, struct hetckpt_error *error);

#endif
