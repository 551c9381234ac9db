/* hostile-deaf.c - catches every signal that can be caught, and never listens. */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void
ignore(int sig)
{
	(void)sig;
}

__attribute__((constructor)) static void
misbehave(void)
{
	struct sigaction sa = {.sa_handler = ignore, .sa_flags = SA_RESTART};
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	for (;;)
		pause();
}
