/* retrycli.c - connect to a server that is not there yet. */
/*
 * usage: retrycli [-n TRIES] [-i MS] HOST PORT
 *
 * It tries up to TRIES times (default: 5), and pauses in between: MS
 * milliseconds (default: 1000) at first, and twice as long each further time.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: retrycli [-n TRIES] [-i MS] HOST PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "retrycli: %s: %s\n", what, strerror(e));
	exit(1);
}

/* Return RESULT, which CALL has returned; but if that is -1, fail. */
static int
check(int result, const char *call)
{
	if (result == -1)
		fail(errno, call);
	return result;
}

/* The number S, which must be one, in decimal, from MIN to MAX; or usage. */
static int
number(const char *s, int min, int max)
{
	long n = s[strspn(s, "0123456789")] == '\0' ? strtol(s, NULL, 10) : -1;

	if (*s == '\0' || n < min || n > max)
		usage();
	return (int)n;
}

/*
 * connect, but a signal does not end it: what it has begun goes on in the
 * kernel, so wait for the end of that, and call again for the result.
 */
static int
connect_fully(int fd, const struct sockaddr *name, socklen_t len)
{
	struct pollfd done = {.fd = fd, .events = POLLOUT};

	while (connect(fd, name, len) == -1 && errno != EISCONN) {
		if (errno != EINTR)
			return -1;
		poll(&done, 1, -1);
	}
	return 0;
}

/*
 * Try once to connect to HOST, in dotted decimal, and PORT, and return 0 or the
 * error of connect.  An attempt has a socket of its own and leaves none behind.
 * Anything else in HOST is a usage error.  Check every other call.
 */
static int
attempt(const char *host, in_port_t port)
{
	(void)host;
	(void)port;
	(void)connect_fully;
	fail(ENOSYS, "attempt");
}

/* Sleep for MS milliseconds, and not less for a signal. */
static void
snooze(long long ms)
{
	(void)ms;
	fail(ENOSYS, "snooze");
}

int
main(int argc, char *argv[])
{
	long long ms = 1000; /* after 19 failures, more than 32 bits */
	int c, e, k, tries = 5;
	in_port_t port;

	while ((c = getopt(argc, argv, ":n:i:")) != -1)
		if (c == 'n')
			tries = number(optarg, 1, 20);
		else if (c == 'i')
			ms = number(optarg, 1, 60000);
		else
			usage();
	if (argc - optind != 2)
		usage();
	port = (in_port_t)number(argv[optind + 1], 0, 65535);
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	for (k = 1; (e = attempt(argv[optind], port)) != 0; k++) {
		fprintf(stderr, "attempt %d: %s\n", k, strerror(e));
		if (k == tries)
			fail(e, "connect");
		snooze(ms);
		ms *= 2;
	}
	if (printf("connected after %d\n", k) < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
	return 0;
}
