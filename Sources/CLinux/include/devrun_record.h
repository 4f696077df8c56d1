#ifndef DEVRUN_RECORD_H
#define DEVRUN_RECORD_H

#include "devrun_launch.h"

// The helper gets a launch from a file in memory: not by its arguments, which others can read, nor by its environment, of
// which the dynamic loader takes away what could be dangerous to a program with capabilities.

/// Writes the launch to a file in memory, read from its beginning. Returns the descriptor, which is close-on-exec.
int devrun_write_record(const struct devrun_launch *launch);

/// Reads what `devrun_write_record` has written, trusting nothing: whoever runs the helper may have written it.
///
/// The launch's strings and arrays stay allocated for good. What is not the record's to say is not in it: the helper itself,
/// and what is given up. -EPROTO: this is no record, or one of another version.
int devrun_read_record(int descriptor, struct devrun_launch *out);

#endif
