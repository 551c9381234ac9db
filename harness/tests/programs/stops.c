/* stops.c - stops itself; with an argument, it lets itself be traced before. */
#include <sys/ptrace.h>

#include <signal.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	printf("going on\n");
	return 3;
}
