/* vforks.c - waits in vfork for a child that sleeps instead of ending. */
#define _DEFAULT_SOURCE
#include <unistd.h>

int
main(void)
{
	if (vfork() == 0) {
		pause();
		_exit(0);
	}
	return 0;
}
