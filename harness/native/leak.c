/* leak.c - loses memory: shows the probe whether the leak checker can see. */
#include <stdlib.h>

static void *volatile kept;

int
main(void)
{
	kept = malloc(100);
	kept = NULL;
	return 0;
}
