/* kids.c - starts ten children for each byte it reads, and reaps all or none. */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void
reap(int sig)
{
	int e = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = e;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = reap, .sa_flags = SA_RESTART};
	char byte;
	int i;

	if (argc > 1 && strcmp(argv[1], "reap") == 0)
		sigaction(SIGCHLD, &sa, NULL);
	while (read(0, &byte, 1) == 1)
		for (i = 0; i < 10; i++)
			if (fork() == 0)
				_exit(0);
	return 0;
}
