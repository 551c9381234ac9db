/* hostile-group.c - kills its process group, and with it itself. */
#include <signal.h>

__attribute__((constructor)) static void
misbehave(void)
{
	kill(0, SIGKILL);
}
