/* dgruptime.c - ask a server by datagrams, which may get lost. */
/*
 * usage: dgruptime [-t MS] [-r N] HOST PORT
 *
 * A request is "RUP?" and an id of four bytes; its answer is "RUP!", the same
 * id, and a text of at most 1400 bytes.  The request is sent up to N times
 * (default 4); the first wait takes MS milliseconds (default 500), each further
 * one twice as long.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD = 8,
	TEXT = 1400
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dgruptime [-t MS] [-r N] HOST PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "dgruptime: %s: %s\n", what, strerror(e));
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

/* Say that nobody has answered any of TRIES requests, and exit. */
static _Noreturn void
give_up(int tries)
{
	fprintf(stderr, "dgruptime: timeout after %d tries\n", tries);
	exit(1);
}

/* Print the N bytes of TEXT, and exit. */
static _Noreturn void
show(const char *text, size_t n)
{
	if (fwrite(text, 1, n, stdout) != n || fflush(stdout) == EOF)
		fail(errno, "write");
	exit(0);
}

/* Milliseconds since some time or other, by a clock that nobody turns back. */
static long long
now(void)
{
	struct timespec ts;

	check(clock_gettime(CLOCK_MONOTONIC, &ts), "clock_gettime");
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Put a number that nobody can guess into the four bytes at ID. */
static void
make_id(char id[4])
{
	int fd = check(open("/dev/urandom", O_RDONLY), "/dev/urandom");

	if (read(fd, id, 4) != 4)
		fail(EIO, "/dev/urandom");
	close(fd);
}

/*
 * Wait up to MS milliseconds for the answer to REQUEST, from SERVER and nobody
 * else, and put it into REPLY.  Return its length, or 0 when the time is over.
 * Whatever else comes is passed over, and must not make the wait any longer;
 * nor does a signal, or an error that tells of an earlier datagram.
 */
static size_t
wait_for(int fd, const struct sockaddr_in *server, const char request[HEAD],
    int ms, char reply[HEAD + TEXT])
{
	long long deadline = now() + ms;
	/* Linux takes from it what has gone by: select(2). */
	struct timeval left = {ms / 1000, ms % 1000 * 1000};
	char buf[HEAD + TEXT + 1]; /* the one byte shows that more has come */
	struct sockaddr_in from;
	socklen_t len;
	ssize_t n;
	fd_set set;

	while (now() < deadline) {
		FD_ZERO(&set);
		FD_SET(fd, &set);
		switch (select(fd + 1, &set, NULL, NULL, &left)) {
		case -1:
			if (errno != EINTR)
				fail(errno, "select");
			continue;
		case 0:
			return 0;
		}
		len = sizeof(from);
		n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);
		if (n < HEAD || n > HEAD + TEXT ||
		    from.sin_port != server->sin_port ||
		    from.sin_addr.s_addr != server->sin_addr.s_addr ||
		    memcmp(buf, "RUP!", 4) != 0 ||
		    memcmp(buf + 4, request + 4, 4) != 0)
			continue;
		memcpy(reply, buf, (size_t)n);
		return (size_t)n;
	}
	return 0;
}

/*
 * Ask HOST, in dotted decimal, and PORT; anything else in HOST is a usage
 * error.  Send the request, wait for its answer, and show the text; if none
 * comes, send the very same request again, with the same id, and wait twice as
 * long.  Give up after TRIES requests.  Check every call.
 */
static _Noreturn void
ask(const char *host, in_port_t port, int ms, int tries)
{
	char request[HEAD] = "RUP?", reply[HEAD + TEXT];

	make_id(request + 4);
	struct sockaddr_in server = {.sin_family = AF_INET};
	int k, fd = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	size_t n;

	server.sin_port = htons(port);
	if (inet_pton(AF_INET, host, &server.sin_addr) != 1)
		usage();
	for (k = 0; k < tries; k++, ms *= 2) {
		if (sendto(fd, request, HEAD, 0, (struct sockaddr *)&server,
			sizeof(server)) == -1)
			fail(errno, "sendto");
		n = wait_for(fd, &server, request, ms, reply);
		if (n > 0)
			show(reply + HEAD, n - HEAD);
	}
	give_up(tries);
}

int
main(int argc, char *argv[])
{
	int c, ms = 500, tries = 4;

	while ((c = getopt(argc, argv, ":t:r:")) != -1)
		if (c == 't')
			ms = number(optarg, 1, 60000);
		else if (c == 'r')
			tries = number(optarg, 1, 10);
		else
			usage();
	if (argc - optind != 2)
		usage();
	ask(argv[optind], (in_port_t)number(argv[optind + 1], 1, 65535), ms,
	    tries);
}
