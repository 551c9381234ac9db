/* traces.c - attaches to a process and writes into its memory. */
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	pid_t pid = argument(argc, argv, 1);
	unsigned long where = address(argc, argv, 2);

	begin();
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0 &&
	    waitpid(pid, NULL, __WALL) == pid) {
		(void)ptrace(PTRACE_POKEDATA, pid, where, 0x6b6f6f74L);
		(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
	tried();
	return 0;
}
