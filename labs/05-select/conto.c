/* conto.c - connect to a server, but do not wait for that longer than told. */
/*
 * usage: conto [-t MS] HOST PORT
 *
 * It prints "connected", "refused", or, after MS milliseconds (default: 1000),
 * "timeout".  Once connected, it prints what the server says.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: conto [-t MS] HOST PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "conto: %s: %s\n", what, strerror(e));
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

/* Print a line of one word, at once. */
static void
say(const char *word)
{
	if (printf("%s\n", word) < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
}

/* Copy what comes from FD to stdout until end of file.  FD must be blocking. */
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
			if ((w = write(1, buf + i, (size_t)(n - i))) == -1) {
				if (errno != EINTR)
					fail(errno, "write");
				w = 0;
			}
	}
}

/*
 * Wait until what connect has begun on FD is decided, MS milliseconds at most.
 * Return 0, or the error that it has ended with; ETIMEDOUT if that is not
 * known yet.
 */
static int
wait_connected(int fd, int ms)
{
	(void)fd;
	(void)ms;
	return ENOSYS;
}

/*
 * Connect FD to NAME, and do not wait for that longer than MS milliseconds.
 * Return 0 or the error, ETIMEDOUT if it takes longer.  FD is blocking before
 * and after.
 */
static int
connect_within(int fd, const struct sockaddr_in *name, int ms)
{
	(void)fd;
	(void)name;
	(void)ms;
	(void)wait_connected;
	return ENOSYS;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	int c, e, fd, ms = 1000;

	while ((c = getopt(argc, argv, ":t:")) != -1)
		if (c == 't')
			ms = number(optarg, 1, 600000);
		else
			usage();
	if (argc - optind != 2 ||
	    inet_pton(AF_INET, argv[optind], &name.sin_addr) != 1)
		usage();
	name.sin_port = htons((in_port_t)number(argv[optind + 1], 0, 65535));
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	e = connect_within(fd, &name, ms);
	if (e != 0 && e != ECONNREFUSED && e != ETIMEDOUT)
		fail(e, "connect");
	say(e == 0 ? "connected" : e == ECONNREFUSED ? "refused" : "timeout");
	if (e != 0)
		exit(1);
	copy(fd);
	return 0;
}
