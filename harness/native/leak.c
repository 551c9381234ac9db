/* leak.c - ends at once; with an argument, it loses memory first.
 *
 * What the probes start, to see whether the leak checker can see a leak.
 */
#include <stdlib.h>

static void *volatile kept;

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		kept = malloc(100);
		kept = NULL;
	}
	return 0;
}
