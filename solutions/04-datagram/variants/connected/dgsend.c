/* dgsend.c - send a file by datagrams, one at a time. */
/*
 * usage: dgsend HOST PORT FILE
 *
 * Data: 'D', its number in four bytes, a length in two, and so many bytes, at
 * most 1024; none at all is the end.  Answer: 'A' and the number.  Each packet
 * is sent again when 200 ms have brought no answer, and ten times at most.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD = 7,
	DATA = 1024,
	ACK = 5,
	TRIES = 10,
	WAIT = 200
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dgsend HOST PORT FILE\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "dgsend: %s: %s\n", what, strerror(e));
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

/* Milliseconds since some time or other, by a clock that nobody turns back. */
static long long
now(void)
{
	struct timespec ts;

	check(clock_gettime(CLOCK_MONOTONIC, &ts), "clock_gettime");
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Put SEQ and LEN into the head of a data packet. */
static void
put_head(unsigned char packet[HEAD], uint32_t seq, size_t len)
{
	uint32_t s = htonl(seq);
	uint16_t n = htons((uint16_t)len);

	packet[0] = 'D';
	memcpy(packet + 1, &s, sizeof(s));
	memcpy(packet + 5, &n, sizeof(n));
}

/* Whether the N bytes of PACKET are the answer to the data packet SEQ. */
static int
is_answer(const unsigned char *packet, ssize_t n, uint32_t seq)
{
	uint32_t s = htonl(seq);

	return n == ACK && packet[0] == 'A' &&
	    memcmp(packet + 1, &s, sizeof(s)) == 0;
}

/*
 * Send PACKET, of LEN bytes and with the number SEQ, to PEER, and wait for its
 * answer from there; whatever else comes is passed over, and makes the wait no
 * longer.  If none comes within WAIT milliseconds, send it again; after TRIES
 * times say "timeout after 10 tries" and exit with status 1.
 */
static void
deliver(int fd, const struct sockaddr_in *peer, const unsigned char *packet,
    size_t len, uint32_t seq)
{
	struct timeval tv;
	long long left, deadline;
	unsigned char buf[64];
	ssize_t n;
	int k;

	(void)peer;
	for (k = 0; k < TRIES; k++) {
		while (send(fd, packet, len, 0) == -1)
			if (errno != ECONNREFUSED)
				fail(errno, "send");
		deadline = now() + WAIT;
		while ((left = deadline - now()) > 0) {
			tv.tv_sec = 0;
			tv.tv_usec = left * 1000;
			check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv,
				  sizeof(tv)),
			    "setsockopt");
			n = recv(fd, buf, sizeof(buf), 0);
			if (is_answer(buf, n, seq))
				return;
		}
	}
	fprintf(stderr, "dgsend: timeout after %d tries\n", TRIES);
	exit(1);
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in peer = {.sin_family = AF_INET};
	unsigned char packet[HEAD + DATA];
	uint32_t seq = 0;
	size_t n;
	FILE *in;
	int fd;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &peer.sin_addr) != 1)
		usage();
	peer.sin_port = htons(to_port(argv[2]));
	in = fopen(argv[3], "rb");
	if (in == NULL)
		fail(errno, argv[3]);
	fd = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	check(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), "connect");
	do {
		n = fread(packet + HEAD, 1, DATA, in);
		if (ferror(in))
			fail(errno, argv[3]);
		put_head(packet, seq, n);
		deliver(fd, &peer, packet, HEAD + n, seq++);
	} while (n > 0);
	fclose(in);
	return 0;
}
