/* flees.c - three chains of processes, each of which lives for a moment. */
#include <time.h>
#include <unistd.h>

int
main(void)
{
	time_t end = time(NULL) + 20;
	int i;

	for (i = 0; i < 3; i++) {
		if (fork() != 0)
			continue;
		setsid();
		while (time(NULL) < end) {
			if (fork() > 0)
				_exit(0);
			usleep(1000);
		}
		_exit(0);
	}
	sleep(20);
}
