#ifndef DEVRUN_CLINUX_H
#define DEVRUN_CLINUX_H

// What Swift cannot see of Linux, or cannot do safely.
//
// Swift's Glibc module has neither variadic functions (prctl, ioctl), nor macros with casts, nor some newer calls; and
// nothing but C may run between fork and exec. Each header says why its entries are there. Unless said otherwise a
// function returns a negative errno on failure, so that no caller has to read `errno` in time.

#include "devrun_descriptors.h"
#include "devrun_follow.h"
#include "devrun_launch.h"
#include "devrun_listeners.h"
#include "devrun_mounts.h"
#include "devrun_process.h"
#include "devrun_record.h"
#include "devrun_seccomp.h"

#endif
