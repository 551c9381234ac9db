/* selcli.c - talk to a server: stdin to it and its answers to stdout, at once. */
/*
 * usage: selcli HOST PORT
 *
 * At the end of stdin it says so to the server, and goes on until the server
 * has ended, too.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One direction: what has been read and is to be written. */
struct flow {
	int from, to; /* descriptors */
	int ended; /* FROM has ended */
	size_t start, len; /* LEN bytes from START on are to be written */
	char buf[65536];
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: selcli HOST PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "selcli: %s: %s\n", what, strerror(e));
	exit(1);
}

/* The server has ended: exit, or complain if stdin had not ended before. */
static _Noreturn void
finish(int early)
{
	if (early)
		fprintf(stderr, "selcli: server closed\n");
	exit(early);
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

/* Return a new socket that is connected to HOST and PORT. */
static int
connect_to(const char *host, in_port_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");

	in.sin_port = htons(port);
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		usage();
	check(connect(fd, (struct sockaddr *)&in, sizeof(in)), "connect");
	return fd;
}

/*
 * Read into F, which is empty, what there is; or learn that it has ended.
 * Nothing to read after all is no error; any other is, called "read".
 */
static void
fill(struct flow *f)
{
	(void)f;
	fail(ENOSYS, "fill");
}

/*
 * Write of what is in F as much as can be written without waiting.  A blocking
 * descriptor that select calls writable takes PIPE_BUF bytes, and perhaps no
 * more.  No room after all is no error; any other is, called "write".
 */
static void
drain(struct flow *f)
{
	(void)f;
	fail(ENOSYS, "drain");
}

/*
 * Wait until one of the two flows can go on: an empty one whose descriptor has
 * something, or one that holds something and can be written.  Then let both.
 */
static void
step(struct flow *up, struct flow *down)
{
	(void)up;
	(void)down;
	(void)fill;
	(void)drain;
	fail(ENOSYS, "step");
}

/*
 * Copy stdin to the connected socket FD, and what comes from there to stdout.
 * No call but select may wait; but leave the flags of 0 and 1 alone, for they
 * are not ours only.  When stdin has ended and all of it is sent, tell the
 * server.  When the server has ended and all it said is written, finish.
 */
static _Noreturn void
exchange(int fd)
{
	static struct flow up, down;
	(void)up;
	(void)down;
	(void)fd;
	(void)step;
	(void)finish;
	fail(ENOSYS, "exchange");
}

int
main(int argc, char *argv[])
{
	int i;

	if (argc != 3)
		usage();
	/* If one of these were closed, the socket would get its number. */
	for (i = 0; i <= 1; i++)
		check(fcntl(i, F_GETFD), i == 0 ? "read" : "write");
	exchange(connect_to(argv[1], to_port(argv[2])));
}
