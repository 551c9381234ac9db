/* hops.c - a chain of processes, each of which lives for a moment. */
#include <time.h>

#include "attack.h"

int
main(void)
{
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
	}
}
