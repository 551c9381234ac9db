/* hostile-daemon.c - goes into the background, and listens there. */
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	if (fork() > 0)
		_exit(0);
	setsid();
	if (fork() > 0)
		_exit(0);
}
