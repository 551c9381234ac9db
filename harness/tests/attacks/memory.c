/* memory.c - fills memory, and keeps it for so long as a watchdog may need.
 *
 * usage: memory PROCESSES MEGABYTES SECONDS
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "attack.h"

static int
fill(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (p == MAP_FAILED)
		return -1;
	(void)madvise(p, size, MADV_HUGEPAGE); /* it is faster */
	for (i = 0; i < size; i += 4096)
		p[i] = 1;
	return 0;
}

int
main(int argc, char **argv)
{
	int i, processes = argument(argc, argv, 1);
	size_t size = (size_t)argument(argc, argv, 2) << 20;
	int full[2];
	char byte;

	begin();
	/* whatever is asked for, no more than this */
	if (processes > 8 || (size_t)processes * size > 1UL << 30)
		return 2;
	if (pipe(full) == -1)
		return 1;
	for (i = 1; i < processes; i++) {
		pid_t pid = fork();

		if (pid == -1)
			break;
		if (pid == 0) {
			begin();
			if (fill(size) == -1)
				_exit(1);
			(void)write(full[1], "x", 1);
			for (;;)
				pause();
		}
	}
	if (fill(size) == -1)
		return 1;
	close(full[1]);
	while (--i > 0 && read(full[0], &byte, 1) == 1)
		;
	sleep((unsigned int)argument(argc, argv, 3));
	tried_and_stay();
}
