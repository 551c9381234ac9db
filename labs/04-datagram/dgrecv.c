/* dgrecv.c - receive a file by datagrams. */
/*
 * usage: dgrecv ADDR PORT OUT
 *
 * Data: 'D', its number in four bytes, a length in two, and so many bytes, at
 * most 1024; none at all is the end.  Answer: 'A' and the number.  After the
 * end, packets that come again are answered for one more second.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
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
	LINGER = 1000
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dgrecv ADDR PORT OUT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "dgrecv: %s: %s\n", what, strerror(e));
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

/* Print the line "LISTENING ADDR PORT", with the name of the socket. */
static void
say_listening(const struct sockaddr_in *name)
{
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &name->sin_addr, addr, sizeof(addr));
	if (printf("LISTENING %s %u\n", addr, ntohs(name->sin_port)) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
}

/*
 * Whether the N bytes of PACKET are a data packet, whole and with no more bytes
 * than it may have.  Put its number into SEQ and its length into LEN.
 */
static int
is_data(const unsigned char *packet, ssize_t n, uint32_t *seq, size_t *len)
{
	uint16_t l;

	if (n < HEAD || packet[0] != 'D')
		return 0;
	memcpy(seq, packet + 1, sizeof(*seq));
	memcpy(&l, packet + 5, sizeof(l));
	*seq = ntohl(*seq);
	*len = ntohs(l);
	return *len <= DATA && (size_t)n == HEAD + *len;
}

/*
 * Write what comes to FD to OUT, until LINGER milliseconds after the end.  The
 * first packet is number 0, from anybody; all others come from the same peer.
 * Answer the next packet and write it; answer an earlier one, and do not write
 * it again; pass over everything else.  Use the same socket for all.
 */
static void
receive(int fd, FILE *out, const char *name)
{
	(void)fd;
	(void)out;
	(void)name;
	(void)now;
	(void)is_data;
	fail(ENOSYS, "receive");
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in self = {.sin_family = AF_INET};
	socklen_t len = sizeof(self);
	FILE *out;
	int fd;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &self.sin_addr) != 1)
		usage();
	self.sin_port = htons(to_port(argv[2]));
	out = fopen(argv[3], "wb");
	if (out == NULL)
		fail(errno, argv[3]);
	fd = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	check(bind(fd, (struct sockaddr *)&self, len), "bind");
	check(getsockname(fd, (struct sockaddr *)&self, &len), "getsockname");
	say_listening(&self);
	receive(fd, out, argv[3]);
	if (fclose(out) == EOF)
		fail(errno, argv[3]);
	return 0;
}
