/* hostile-again.c - starts itself again, without what the checks told a sanitizer. */
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(int argc, char **argv)
{
	(void)argc;
	if (getenv("AGAIN") != NULL)
		return;
	if (setenv("AGAIN", "1", 1) == -1 ||
	    setenv("ASAN_OPTIONS", "detect_leaks=0", 1) == -1)
		_exit(1);
	(void)execv("/proc/self/exe", argv);
}
