/* hostile-traced.c - asks its parent to trace it, and stops. */
#include <sys/ptrace.h>

#include <signal.h>
#include <stddef.h>

__attribute__((constructor)) static void
misbehave(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGUSR1);
	raise(SIGTRAP);
}
