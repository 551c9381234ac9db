/* ruptime.c - copy what a server says to stdout, by fwrite. */
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
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");

	in.sin_port = htons(port);
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		usage();
	check(connect_fully(fd, (struct sockaddr *)&in, sizeof(in)), "connect");
	return fd;
}

/*
 * Copy what comes from FD to stdout, until end of file.  Reading is not left to
 * a stream, since fread waits until its buffer is full, and what has come shall
 * go out as it comes; hence fflush, too.
 */
static void
copy(int fd)
{
	char buf[BUFSIZ];
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			fail(errno, "read");
		if (fwrite(buf, 1, (size_t)n, stdout) < (size_t)n ||
		    fflush(stdout) == EOF)
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
