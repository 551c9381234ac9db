/* leak.c - ends at once; with an argument, it loses memory first.
 *
 * What the probes start, to see whether the leak checker can see a leak.  It
 * loses many blocks: of one, the checker may find a stale pointer in a part of
 * the stack that its own functions leave unset, and take it for reachable (1 of
 * 2,400 runs, as the stack happens to lie).
 */
#include <stdlib.h>

#define BLOCKS 100

static void *volatile kept;

int
main(int argc, char **argv)
{
	int i;

	(void)argv;
	if (argc > 1) {
		for (i = 0; i < BLOCKS; i++)
			kept = malloc(100);
		kept = NULL;
	}
	return 0;
}
