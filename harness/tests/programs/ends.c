/* ends.c - ends by an exit status, or by a signal, after a word on stderr. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	fprintf(stderr, "ends: %s %s\n", argv[1], argv[2]);
	if (strcmp(argv[1], "signal") == 0)
		raise(atoi(argv[2]));
	return atoi(argv[2]);
}
