/* sigmode.c - arm a socket for SIGIO, in one of six ways, and disarm it. */
/*
 * usage: sigmode OWNER ENABLE KIND
 *
 * The socket is descriptor 0.  OWNER, one of F_SETOWN, FIOSETOWN and SIOCSPGRP,
 * and ENABLE, O_ASYNC or FIOASYNC, say how; KIND, one of tcp, udp and unix,
 * says what it is.  A line at descriptor 3 disarms it; end of file there ends
 * the program.
 */
#define _DEFAULT_SOURCE
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "async.h"

enum {
	SOCKET = 0,
	ORDERS = 3
};

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: sigmode F_SETOWN|FIOSETOWN|SIOCSPGRP O_ASYNC|FIOASYNC "
	    "tcp|udp|unix\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "sigmode: %s: %s\n", what, strerror(e));
	exit(1);
}

/* The value of the constant called S, which must be one of ours; or usage. */
static int
value(const char *s, int owner)
{
	static const struct {
		const char *name;
		int owner, value;
	} all[] = {{"F_SETOWN", 1, F_SETOWN}, {"FIOSETOWN", 1, FIOSETOWN},
	    {"SIOCSPGRP", 1, SIOCSPGRP}, {"O_ASYNC", 0, O_ASYNC},
	    {"FIOASYNC", 0, FIOASYNC}};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].owner == owner && strcmp(all[i].name, s) == 0)
			return all[i].value;
	usage();
}

/* Fail unless the socket is of the kind that S says. */
static void
check_kind(const char *s)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name), size = sizeof(int);
	int type, local = strcmp(s, "unix") == 0;
	int wanted = strcmp(s, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;

	if (!local && strcmp(s, "tcp") != 0 && strcmp(s, "udp") != 0)
		usage();
	if (getsockname(SOCKET, (struct sockaddr *)&name, &len) == -1 ||
	    getsockopt(SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) == -1)
		fail(errno, "descriptor 0");
	if ((name.ss_family == AF_UNIX) != local || (!local && type != wanted))
		fail(EPROTOTYPE, "descriptor 0");
}

/* Print the line "armed OWNER ENABLE", or "disarmed". */
static void
say(const char *what, char *ways[])
{
	int n = ways == NULL ? printf("%s\n", what)
			     : printf("%s %s %s\n", what, ways[0], ways[1]);

	if (n < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
}

/* Take SIGIO, and do no more about it. */
static void
take(int sig)
{
	(void)sig;
}

/*
 * Let take() handle SIGIO, which would end the program by default.  Fail if that
 * is not possible.
 */
static void
catch_sigio(void)
{
	struct sigaction sa = {.sa_handler = take, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGIO, &sa, NULL) == -1)
		fail(errno, "sigaction");
}

/*
 * Wait for the end of a line at ORDERS and return 1, or 0 at end of file.  A
 * signal does not end the wait.
 */
static int
wait_line(void)
{
	char c = 0;
	ssize_t n;

	do {
		n = read(ORDERS, &c, 1);
		if (n == -1 && errno != EINTR)
			fail(errno, "read");
	} while (n == -1 || (n == 1 && c != '\n'));
	return (int)n;
}

/*
 * Let SIGIO be caught, arm the socket for this process, say so; after a line
 * disarm it, say so, and wait for end of file.
 */
int
main(int argc, char *argv[])
{
	int how_owner, how_async;

	if (argc != 4)
		usage();
	how_owner = value(argv[1], 1);
	how_async = value(argv[2], 0);
	check_kind(argv[3]);
	catch_sigio();
	if (async_on(SOCKET, getpid(), how_owner, how_async) == -1)
		fail(errno, "async_on");
	say("armed", argv + 1);
	if (wait_line() == 0)
		return 0;
	if (async_off(SOCKET) == -1)
		fail(errno, "async_off");
	say("disarmed", NULL);
	while (wait_line() == 1)
		continue;
	return 0;
}
