/* ruptime.c - copy what a server says to stdout. */
/*
 * usage: ruptime HOST PORT
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: ruptime HOST PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "ruptime: %s: %s\n", what, strerror(e));
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

/* The port that S says; anything but a number up to 65535 is a usage error. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' || n > 65535)
		usage();
	return (in_port_t)n;
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
 * Connect a new socket to HOST, in dotted decimal, and PORT, and return it.
 * Anything else in HOST is a usage error.  Check every call.
 */
static int
connect_to(const char *host, in_port_t port)
{
	(void)host;
	(void)port;
	(void)connect_fully;
	fail(ENOSYS, "connect_to");
}

/*
 * Copy what comes from FD to stdout, as it comes, until end of file.  Fail with
 * "read" if the connection breaks, and with "write" if the output cannot be
 * written, be it to a pipe that nobody reads.  Go on after a signal; and write
 * may take less than it is given.
 */
static void
copy(int fd)
{
	(void)fd;
	fail(ENOSYS, "copy");
}

int
main(int argc, char *argv[])
{
	if (argc != 3)
		usage();
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	copy(connect_to(argv[1], to_port(argv[2])));
	return 0;
}
