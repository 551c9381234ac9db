/* spins.c - uses the CPU for ever; with an argument, in a child, and waits for it. */
#include <sys/wait.h>

#include <unistd.h>

int
main(int argc, char **argv)
{
	volatile unsigned long n = 0;

	(void)argv;
	if (argc > 1 && fork() > 0) {
		wait(NULL);
		return 0;
	}
	for (;;)
		n++;
}
