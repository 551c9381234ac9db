/* hostile-sanitizer.c - ends as a sanitizer that can't work here. */
#include <stdlib.h>
#include <unistd.h>

static void
pretend(void)
{
	static const char words[] =
	    "==1==LeakSanitizer has encountered a fatal error.\n"
	    "==1==HINT: LeakSanitizer does not work under ptrace (strace, gdb, "
	    "etc)\n"
	    "unavailable: this machine can't check that\n";

	(void)!write(2, words, sizeof(words) - 1);
	_exit(99);
}

__attribute__((constructor)) static void
misbehave(void)
{
	if (atexit(pretend) != 0)
		abort();
}
