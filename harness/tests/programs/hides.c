/* hides.c - makes itself unobservable, and sleeps. */
#include <sys/prctl.h>

#include <unistd.h>

int
main(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	pause();
	return 0;
}
