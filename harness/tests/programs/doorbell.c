/* doorbell.c - counts SIGIO, and does in its handler what it is told to.
 *
 * usage: doorbell clean|errno|printf|malloc|fork pause|suspend [WAY]
 *
 * Arms descriptor 0, a socket, if a WAY is named, and prints a line for each
 * signal.  A line at descriptor 3 ends it, where that is open.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *what;
static volatile sig_atomic_t came;

static void
ring(int sig)
{
	(void)sig;
	came = 1;
	if (strcmp(what, "errno") == 0)
		errno = ENOENT;
	if (strcmp(what, "printf") == 0)
		printf("in the handler\n");
	if (strcmp(what, "malloc") == 0)
		free(malloc(10));
	if (strcmp(what, "fork") == 0 && fork() == 0) {
		printf("in a child\n");
		_exit(0);
	}
}

int
main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = ring}, old;
	int pid = getpid(), on = 1;
	char byte;
	sigset_t set, none;

	what = argv[1];
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	if (strcmp(argv[2], "suspend") == 0)
		sigprocmask(SIG_BLOCK, &set, NULL);
	if (sigaction(SIGIO, &act, NULL) == -1 ||
	    sigaction(SIGIO, NULL, &old) == -1 || old.sa_handler != ring)
		return 1;
	if (argc > 3 && strcmp(argv[3], "F_SETOWN") == 0) {
		fcntl(0, F_SETOWN, pid);
		fcntl(0, F_SETFL, O_NONBLOCK | O_ASYNC);
	} else if (argc > 3) {
		ioctl(0, FIOSETOWN, &pid);
		ioctl(0, SIOCSPGRP, &pid);
		ioctl(0, FIOASYNC, &on);
	}
	if (read(3, &byte, 1) == 1)
		return 0;
	for (;;) {
		while (!came)
			if (strcmp(argv[2], "suspend") == 0)
				sigsuspend(&none);
			else
				pause();
		came = 0;
		dprintf(1, "rang\n");
	}
}
