/* crowd.c - as many processes as it is told, for half a minute at most. */
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int i, count = argc > 1 ? atoi(argv[1]) : 0;

	alarm(30);
	for (i = 0; i < count; i++)
		if (fork() == 0) {
			alarm(30);
			for (;;)
				pause();
		}
	for (;;)
		pause();
}
