/* hostile-descriptors.c - opens ten thousand descriptors, then serves. */
#include <sys/resource.h>

#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	struct rlimit limit;
	int i;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < 10000; i++)
		(void)!dup(0);
}
