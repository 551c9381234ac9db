/* crowd.c - as many processes and files as it is told, for half a minute at most. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int i, fd, count = argc > 1 ? atoi(argv[1]) : 0;
	int files = argc > 2 ? atoi(argv[2]) : 0;
	char name[32];

	alarm(30);
	for (i = 0; i < count; i++)
		if (fork() == 0) {
			alarm(30);
			for (;;)
				pause();
		}
	for (i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		if (fd == -1)
			break;
		close(fd);
	}
	for (;;)
		pause();
}
