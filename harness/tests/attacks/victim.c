/* victim.c - stands for the harness: keeps a word, says it at the end of stdin.
 *
 * usage: victim WORD {hidden|open}
 */
#include <sys/prctl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char word[64];

int
main(int argc, char **argv)
{
	char byte;

	if (argc != 3)
		return 2;
	(void)snprintf(word, sizeof(word), "%s", argv[1]);
	/* as the harness does; see harness/kernel/prctl.py */
	if (strcmp(argv[2], "hidden") == 0 &&
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return 1;
	printf("%lx\n", (unsigned long)word);
	if (fflush(stdout) == EOF)
		return 1;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	printf("%s\n", word);
	return 0;
}
