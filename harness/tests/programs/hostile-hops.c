/* hostile-hops.c - forks and ends, again and again: never the same number. */
#include <sys/wait.h>

#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	int i;

	for (i = 0; i < 50000; i++) {
		setsid();
		if (fork() > 0)
			_exit(0);
	}
	for (;;)
		pause();
}
