/* inccli.c - ask incsrv what comes after a byte. */
/*
 * usage: inccli ADDR PORT CHAR
 *        inccli unix:PATH CHAR
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/un.h>

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
	fprintf(stderr, "usage: inccli {ADDR PORT | unix:PATH} CHAR\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "inccli: %s: %s\n", what, strerror(e));
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
 * Make a socket of NAME's family, connect it to NAME, which is LEN bytes long,
 * and return it.  Check every call.
 */
static int
connect_to(const struct sockaddr *name, socklen_t len)
{
	(void)name;
	(void)len;
	(void)connect_fully;
	fail(ENOSYS, "connect_to");
}

/*
 * Make the address that the kernel wants out of ADDR, in dotted decimal, and
 * PORT, a number like any other.  Anything else in ADDR is a usage error.
 * Return a socket that is connected to it.
 */
static int
connect_inet(const char *addr, in_port_t port)
{
	(void)addr;
	(void)port;
	(void)connect_to;
	fail(ENOSYS, "connect_inet");
}

/*
 * Make an address out of PATH; if PATH does not fit in with its NUL, fail with
 * ENAMETOOLONG.  Return a socket that is connected to it.
 */
static int
connect_unix(const char *path)
{
	(void)path;
	fail(ENOSYS, "connect_unix");
}

/*
 * Send the byte *C to the server on FD and read one byte into *C.  Return 1, or
 * 0 if the server closes without an answer.  It may have done so before *C is
 * written (EPIPE); reading tells.  Check every call, but go on after a signal.
 */
static int
ask(int fd, char *c)
{
	(void)fd;
	(void)c;
	fail(ENOSYS, "ask");
}

int
main(int argc, char *argv[])
{
	char c;
	int fd;

	if (argc < 3 || argc > 4 || strlen(argv[argc - 1]) != 1)
		usage();
	c = argv[argc - 1][0];
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	if (argc == 4)
		fd = connect_inet(argv[1], to_port(argv[2]));
	else if (strncmp(argv[1], "unix:", 5) == 0 && argv[1][5] != '\0')
		fd = connect_unix(argv[1] + 5);
	else
		usage();
	if (ask(fd, &c) == 0) {
		fprintf(stderr, "inccli: read: end of file\n");
		return 1;
	}
	if (printf("char from server = %c\n", c) < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
	return 0;
}
