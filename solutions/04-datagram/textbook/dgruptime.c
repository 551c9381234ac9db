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
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
show(char *text, size_t n)
{
	text[n] = '\0';
	printf("%s", text);
	exit(0);
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

static _Noreturn void
ask(const char *host, in_port_t port, int ms, int tries)
{
	struct sockaddr_in server = {.sin_family = AF_INET};
	char request[HEAD] = "RUP?", reply[HEAD + TEXT + 1];
	struct timeval tv;
	ssize_t n;
	int k, fd = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");

	make_id(request + 4);
	server.sin_port = htons(port);
	if (inet_pton(AF_INET, host, &server.sin_addr) != 1)
		usage();
	for (k = 0; k < tries; k++, ms *= 2) {
		check((int)sendto(fd, request, HEAD, 0,
			  (struct sockaddr *)&server, sizeof(server)),
		    "sendto");
		tv.tv_sec = ms / 1000;
		tv.tv_usec = ms % 1000 * 1000;
		check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)),
		    "setsockopt");
		for (;;) {
			n = recvfrom(fd, reply, HEAD + TEXT, 0, NULL, NULL);
			if (n == -1 && errno == EAGAIN)
				break;
			check((int)n, "recvfrom");
			if (memcmp(reply, "RUP!", 4) == 0 &&
			    memcmp(reply + 4, request + 4, 4) == 0)
				show(reply + HEAD, (size_t)n - HEAD);
		}
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
