/* hostile-stops.c - stops itself. */
#include <signal.h>

__attribute__((constructor)) static void
misbehave(void)
{
	raise(SIGSTOP);
}
