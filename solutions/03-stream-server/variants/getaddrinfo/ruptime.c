/* ruptime.c - copy what a server says; getaddrinfo makes the address. */
/*
 * usage: ruptime HOST PORT
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <netdb.h>

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

/* S, if it is a port: a number up to 65535.  Anything else is a usage error. */
static const char *
to_port(const char *s)
{
	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' ||
	    strtoul(s, NULL, 10) > 65535)
		usage();
	return s;
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
 * The address of HOST and PORT, both of them in figures.  It may be of any
 * family that getaddrinfo knows.  Anything else is a usage error.
 */
static struct addrinfo *
resolve(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *ai;

	if (getaddrinfo(host, port, &hints, &ai) != 0)
		usage();
	return ai;
}

/* Connect a new socket to HOST and PORT and return it. */
static int
connect_to(const char *host, const char *port)
{
	struct addrinfo *ai = resolve(host, port);
	int fd;

	fd = check(socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol),
	    "socket");
	check(connect_fully(fd, ai->ai_addr, ai->ai_addrlen), "connect");
	freeaddrinfo(ai);
	return fd;
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
	char buf[65536];
	ssize_t i, n, w;

	signal(SIGPIPE, SIG_IGN);
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno != EINTR)
			fail(errno, "read");
		for (i = 0; i < n; i += w)
			while ((w = write(1, buf + i, (size_t)(n - i))) == -1)
				if (errno != EINTR)
					fail(errno, "write");
	}
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
