/* hostile-hidden.c - makes itself unobservable to others of its user. */
#include <sys/prctl.h>

__attribute__((constructor)) static void
misbehave(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
