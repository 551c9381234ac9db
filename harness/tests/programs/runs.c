/* runs.c - becomes another program: the second word of execve is its own. */
#include <unistd.h>

int
main(int argc, char **argv)
{
	if (argc < 2)
		return 0;
	execv(argv[1], argv + 1);
	return 1;
}
