/* hoards.c - takes memory and keeps it until it is killed.
 *
 * usage: hoards own|shared PROCESSES MEGABYTES
 *
 * Each process takes so much of its own; or all take the same, once.
 */
#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
take(size_t size, int how)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS,
	    -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	memset(p, 1, size);
	return p;
}

int
main(int argc, char **argv)
{
	int shared, i, ready[2];
	size_t size, k;
	volatile char *p = NULL;
	char byte;

	if (argc != 4)
		return 2;
	shared = strcmp(argv[1], "shared") == 0;
	size = (size_t)atoi(argv[3]) << 20;
	alarm(60);
	if (pipe(ready) == -1)
		return 1;
	if (shared)
		p = take(size, MAP_SHARED);
	for (i = 1; i < atoi(argv[2]); i++) {
		if (fork() == 0) {
			if (!shared)
				p = take(size, MAP_PRIVATE);
			for (k = 0; k < size; k += 4096)
				(void)p[k];
			(void)!write(ready[1], "x", 1);
			for (;;)
				pause();
		}
	}
	if (!shared)
		p = take(size, MAP_PRIVATE);
	for (i = 1; i < atoi(argv[2]); i++)
		(void)!read(ready[0], &byte, 1);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
