/* hops.c - a chain of processes, each of which lives for a moment. */
#include <time.h>

#include "attack.h"

/*
 * So many hops are as fast as can be; nobody may reap who hops, and a machine
 * has room for some ten thousand processes.
 */
#define FAST 3000

int
main(void)
{
	static const struct timespec pause = {.tv_nsec = 5000000};
	time_t end = time(NULL) + 10;
	int hops = 0;

	begin();
	for (;;) {
		pid_t pid = fork();

		if (pid == -1)
			return 1;
		if (pid > 0)
			_exit(0);
		if (hops++ == 0 && setsid() == -1)
			return 1;
		if (hops == 50)
			tried();
		if (time(NULL) >= end)
			return 0;
		if (hops > FAST)
			(void)nanosleep(&pause, NULL);
	}
}
