/* ipconv.c - an IP address as text, and as the bytes that go over the wire. */
/*
 * usage: ipconv 4|6 TEXT
 *        ipconv -n 4|6 HEX
 *
 * HEX is the address as 8 or 32 hexadecimal digits.
 */
#define _DEFAULT_SOURCE
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: ipconv 4|6 TEXT | ipconv -n 4|6 HEX\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "ipconv: %s: %s\n", what, strerror(e));
	exit(1);
}

/* Say that TEXT is no address of FAMILY, and exit. */
static _Noreturn void
no_address(int family, const char *text)
{
	fprintf(stderr, "ipconv: not an IPv%c address: %s\n",
	    family == AF_INET ? '4' : '6', text);
	exit(1);
}

/* Turn HEX into LEN bytes; anything but 2 * LEN digits is a usage error. */
static void
from_hex(const char *hex, unsigned char *bytes, size_t len)
{
	unsigned byte;

	if (strlen(hex) != 2 * len ||
	    hex[strspn(hex, "0123456789abcdefABCDEF")])
		usage();
	for (; len > 0; len--, hex += 2) {
		sscanf(hex, "%2x", &byte);
		*bytes++ = (unsigned char)byte;
	}
}

/*
 * Put the address that TEXT says into BYTES: 4 bytes if FAMILY is AF_INET, 16
 * if it is AF_INET6, in network order.  If TEXT is no such address, say so by
 * no_address.
 */
static void
to_bytes(int family, const char *text, unsigned char *bytes)
{
	if (inet_pton(family, text, bytes) != 1)
		no_address(family, text);
}

/* Print the LEN bytes of an address, two blanks, and its canonical text. */
static void
print_address(int family, const unsigned char *bytes, size_t len)
{
	struct in_addr in;
	char *text = malloc(INET6_ADDRSTRLEN), line[128] = "";
	size_t i;

	if (text == NULL)
		fail(errno, "malloc");
	if (family == AF_INET) {
		memcpy(&in, bytes, sizeof(in));
		strcpy(text, inet_ntoa(in));
	} else if (inet_ntop(family, bytes, text, INET6_ADDRSTRLEN) == NULL) {
		fail(errno, "inet_ntop");
	}
	for (i = 0; i < len; i++)
		sprintf(line + 3 * i, "%02x ", bytes[i]);
	if (printf("%s %s\n", line, text) < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
	free(text);
}

int
main(int argc, char *argv[])
{
	unsigned char bytes[16];
	int family, numeric = argc > 1 && strcmp(argv[1], "-n") == 0;
	size_t len;

	argv += 1 + numeric;
	if (argc != 3 + numeric || strlen(argv[0]) != 1)
		usage();
	if (argv[0][0] != '4' && argv[0][0] != '6')
		usage();
	family = argv[0][0] == '4' ? AF_INET : AF_INET6;
	len = family == AF_INET ? 4 : 16;
	if (numeric)
		from_hex(argv[1], bytes, len);
	else
		to_bytes(family, argv[1], bytes);
	print_address(family, bytes, len);
	return 0;
}
