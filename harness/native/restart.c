/* restart.c - ends with status 0 if a handler ran before its wait returned.
 *
 * What the probes start, to see whether a signal can be let in just before a
 * call that is held.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>

static volatile sig_atomic_t came;

static void
note(int sig)
{
	(void)sig;
	came++;
}

int
main(void)
{
	struct sigaction act = {.sa_handler = note};

	if (sigaction(SIGUSR1, &act, NULL) == -1)
		return 2;
	if (ppoll(NULL, 0, NULL, NULL) != -1 || errno != ENOMEM)
		return 3;
	return came == 1 ? 0 : 4;
}
