/* works.c - sleeps while its child works for some milliseconds of CPU time. */
#include <sys/wait.h>

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	long ms = argc > 1 ? atol(argv[1]) : 100;

	if (fork() == 0) {
		while (clock() < ms * (CLOCKS_PER_SEC / 1000))
			;
		(void)!write(1, "done\n", 5);
		_exit(0);
	}
	wait(NULL);
	pause();
	return 0;
}
