/* sockdump.c - the structure that bind and connect want, byte by byte. */
/*
 * usage: sockdump ADDR PORT
 *
 * ADDR is an IPv4 or an IPv6 address; PORT is a number.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: sockdump ADDR PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "sockdump: %s: %s\n", what, strerror(e));
	exit(1);
}

/* Say that ADDR is no address, and exit. */
static _Noreturn void
no_address(const char *addr)
{
	fprintf(stderr, "sockdump: not an address: %s\n", addr);
	exit(1);
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
 * Print the LEN bytes of the address *SA.  Those of the family are shown as
 * ff ff if it is the right one for that length, because their order, and the
 * number itself, is the host's own affair; if not, they are shown as they are.
 */
static void
print_bytes(const struct sockaddr_storage *sa, size_t len)
{
	const unsigned char *p = (const unsigned char *)sa;
	int right = len == sizeof(struct sockaddr_in) ? AF_INET : AF_INET6;
	size_t i, hidden = sa->ss_family == right ? sizeof(sa->ss_family) : 0;

	for (i = 0; i < len; i++)
		if (printf("%02x%c", i < hidden ? 0xff : p[i],
			i + 1 < len ? ' ' : '\n') < 0)
			fail(errno, "write");
}

/* Print the last line. */
static void
print_decoded(const char *family, unsigned port, const char *addr)
{
	if (printf("family %s port %u addr %s\n", family, port, addr) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
}

/*
 * Make *SA the address that ADDR and PORT say: a struct sockaddr_in if ADDR is
 * an IPv4 address, a struct sockaddr_in6 if it is one of IPv6.  Every byte that
 * nothing is said about is 0.  Return how long it is.  If ADDR is neither, say
 * so by no_address.
 */
static socklen_t
make_address(struct sockaddr_storage *sa, const char *addr, in_port_t port)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (strchr(addr, ':') == NULL) {
		in.sin_family = AF_INET;
		in.sin_port = htons(port);
		if (inet_pton(AF_INET, addr, &in.sin_addr) < 0)
			no_address(addr);
		memcpy(sa, &in, sizeof(in));
		return sizeof(in);
	}
	in6.sin6_family = AF_INET6;
	in6.sin6_port = htons(port);
	if (inet_pton(AF_INET6, addr, &in6.sin6_addr) < 0)
		no_address(addr);
	memcpy(sa, &in6, sizeof(in6));
	return sizeof(in6);
}

/*
 * Print, by print_decoded, family, port and address that *SA says.  They come
 * from nowhere but *SA.
 */
static void
decode_address(const struct sockaddr_storage *sa)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	int inet = sa->ss_family == AF_INET;
	char text[INET6_ADDRSTRLEN];
	const void *addr = &in6->sin6_addr;

	if (inet)
		addr = &in->sin_addr;
	if (inet_ntop(sa->ss_family, addr, text, sizeof(text)) == NULL)
		fail(errno, "inet_ntop");
	print_decoded(inet ? "inet" : "inet6",
	    ntohs(inet ? in->sin_port : in6->sin6_port), text);
}

int
main(int argc, char *argv[])
{
	struct sockaddr_storage sa;
	socklen_t len;

	if (argc != 3)
		usage();
	len = make_address(&sa, argv[1], to_port(argv[2]));
	print_bytes(&sa, len);
	decode_address(&sa);
	return 0;
}
