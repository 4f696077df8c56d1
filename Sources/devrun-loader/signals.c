// The loader is process 1 of its container: what stops a container would not end it by itself.

#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>

#include "loader.h"

static void end(int signal, siginfo_t *cause, void *context) {
  (void)context;
  // The kernel sends it when the terminal has another size. Only one that somebody sent is meant to stop the container.
  if (signal == SIGWINCH && cause->si_code > 0) return;
  _exit(0);
}

// The signals that end the agent, whichever of them the image wants to be stopped by: all but those by which the kernel
// answers a program's mistakes, and those that stop nothing. Process 1 of a container has no default action for them.
static void ending_signals(sigset_t *signals) {
  static const int others[] = {SIGCHLD, SIGCONT, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
  sigfillset(signals);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) sigdelset(signals, others[i]);
}

void end_by_signals(void) {
  sigset_t signals;
  ending_signals(&signals);
  struct sigaction action = {.sa_sigaction = end, .sa_flags = SA_SIGINFO | SA_RESTART};
  for (int number = 1; number <= SIGRTMAX; number++) {
    // SIGKILL and SIGSTOP cannot be caught.
    if (sigismember(&signals, number) == 1) sigaction(number, &action, NULL);
  }
  sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

void keep_signals(void) {
  sigset_t signals;
  ending_signals(&signals);
  sigprocmask(SIG_BLOCK, &signals, NULL);
}
