/* hostile-parent.c - stops and kills its parent, then serves. */
#include <signal.h>
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	kill(getppid(), SIGSTOP);
	kill(getppid(), SIGKILL);
	kill(-getppid(), SIGKILL);
}
