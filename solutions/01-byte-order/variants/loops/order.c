/* order.c - a number's bytes, as this machine and as the network has them. */
/*
 * usage: order 16|32|64 VALUE
 *
 * VALUE is a number as in C: decimal, 0x and hexadecimal, or 0 and octal.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: order 16|32|64 VALUE\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "order: %s: %s\n", what, strerror(e));
	exit(1);
}

/* Print LABEL and LEN bytes at P, in the order in which they lie in memory. */
static void
print_bytes(const char *label, const unsigned char *p, size_t len)
{
	if (printf("%s", label) < 0)
		fail(errno, "write");
	while (len-- > 0)
		if (printf(" %02x", *p++) < 0)
			fail(errno, "write");
}

/*
 * Return the number that S says, a constant as in C, but without a suffix.
 * Whatever else is in S (a sign, a blank, junk, or nothing) is a usage error,
 * and so is a number that does not fit into BITS bits.
 */
static uint64_t
to_number(const char *s, int bits)
{
	uint64_t n = 0, most = UINT64_MAX >> (64 - bits);
	const char *digits = "0123456789abcdef", *p;
	unsigned base = 10;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	} else if (s[0] == '0') {
		base = 8;
	}
	if (*s == '\0')
		usage();
	for (; *s != '\0'; s++) {
		p = strchr(digits, tolower((unsigned char)*s));
		if (p == NULL || p - digits >= (long)base ||
		    n > (most - (uint64_t)(p - digits)) / base)
			usage();
		n = n * base + (uint64_t)(p - digits);
	}
	return n;
}

/*
 * Put the number N, which is BITS bits wide, into HOST as this machine's memory
 * has it and into NET as it goes over the network.  There are htons and htonl;
 * for 64 bits there is no such function in POSIX.1-2008.
 */
static void
to_bytes(uint64_t n, int bits, unsigned char *host, unsigned char *net)
{
	uint16_t one = 1;
	int i, size = bits / 8;

	for (i = 0; i < size; i++)
		net[size - 1 - i] = (unsigned char)(n >> 8 * i);
	for (i = 0; i < size; i++)
		host[i] = *(unsigned char *)&one ? net[size - 1 - i] : net[i];
}

int
main(int argc, char *argv[])
{
	unsigned char host[8], net[8];
	int bits;

	if (argc != 3)
		usage();
	bits = atoi(argv[1]);
	if ((bits != 16 && bits != 32 && bits != 64) || strlen(argv[1]) != 2)
		usage();
	to_bytes(to_number(argv[2], bits), bits, host, net);
	print_bytes("host", host, (size_t)bits / 8);
	print_bytes(" net", net, (size_t)bits / 8);
	if (printf("\n") < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
	return 0;
}
