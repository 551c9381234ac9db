/* dgtrunc.c - receive datagrams that are longer than the buffer. */
/*
 * usage: dgtrunc SIZE
 *
 * Receive from descriptor 0, which must be a datagram socket, into a buffer of
 * SIZE bytes, until the message "quit" comes.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUIT "quit"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dgtrunc SIZE\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "dgtrunc: %s: %s\n", what, strerror(e));
	exit(1);
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

/* Print that N bytes have come of a message of REAL bytes. */
static void
say_message(size_t n, size_t real)
{
	if (real == 0)
		printf("EMPTY\n");
	else
		printf("GOT %zu OF %zu\n", n, real);
	if (fflush(stdout) == EOF)
		fail(errno, "write");
}

/*
 * Receive the next message from FD, as long as it takes, and put as much of it
 * as fits into the SIZE bytes of BUF.  Return the message's real length.
 *
 * The socket is somebody else's work: it may be non-blocking or have a time
 * limit, and be connected.  Neither a signal, nor the end of that time, nor an
 * error of an earlier datagram (ECONNREFUSED) is an end; but any other error is
 * a failure.  Sleep until a message is there.
 */
static size_t
receive(int fd, char *buf, size_t size)
{
#ifndef SKELETON
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t n;

	/* With MSG_TRUNC, recv tells how long the message was. */
	while ((n = recv(fd, buf, size, MSG_TRUNC)) == -1)
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			poll(&ready, 1, -1);
		else if (errno != EINTR && errno != ECONNREFUSED)
			fail(errno, "recv");
	return (size_t)n;
#else
	(void)fd;
	(void)buf;
	(void)size;
	fail(ENOSYS, "receive");
#endif
}

int
main(int argc, char *argv[])
{
	size_t n, real, size;
	char *buf;

	if (argc != 2)
		usage();
	size = (size_t)number(argv[1], 4, 65536);
	buf = malloc(size);
	if (buf == NULL)
		fail(errno, "malloc");
	for (;;) {
		real = receive(STDIN_FILENO, buf, size);
#ifndef SKELETON
		n = real < size ? real : size;
		if (real == strlen(QUIT) && memcmp(buf, QUIT, real) == 0)
			break;
		say_message(n, real);
#else
		/* How many bytes of BUF are good?  Is it QUIT, and no more? */
		n = real;
		say_message(n, real);
#endif
	}
	free(buf);
	return 0;
}
