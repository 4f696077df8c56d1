// The agent's loader: what the target's container runs instead of its app.
//
// The agent is too large for one ConfigMap, so it comes gzipped and cut into pieces. The loader joins, inflates and executes
// it. It must work in an image that holds nothing at all, as any user, with a read-only root: it is static, and
// writes only where it is told to.

#ifndef DEVRUN_LOADER_H
#define DEVRUN_LOADER_H

// Statuses of the loader itself. The agent's own are 0 and 64 to 67.
enum {
  LOADER_USAGE = 70,    // wrong command line
  LOADER_PAYLOAD = 71,  // a piece is missing or damaged
  LOADER_PLACE = 72,    // there is no place where the agent could be written and executed
};

// Says on standard error what failed, and why if `error` is an errno.
void complain(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Inflates DIRECTORY/agent.gz.000 and those that follow it into a descriptor.
//
// Returns 0; LOADER_PAYLOAD if a piece is at fault; LOADER_PLACE if writing failed, with errno set.
int inflate_pieces(const char *directory, int output);

// Lets each signal by which a container can be stopped end the loader.
void end_by_signals(void);

// Keeps these signals for the agent, which waits for them: one that came before that would be lost.
void keep_signals(void);

#endif
