/* bo.c - numbers to bytes in network order, and back. */
/*
 * A byte order is a matter of bytes in memory.  A number in a variable has
 * none: shifts and masks mean the same on every machine.  So nothing in this
 * file needs to know which kind of machine it runs on.
 */
#include "bo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Say that FUNCTION is not written yet, and exit. */
static _Noreturn void
missing(const char *function)
{
	fprintf(stderr, "bo: %s: %s\n", function, strerror(ENOSYS));
	exit(1);
}

void
put_be16(unsigned char *p, uint16_t v)
{
	(void)p;
	(void)v;
	missing("put_be16");
}

void
put_be32(unsigned char *p, uint32_t v)
{
	(void)p;
	(void)v;
	missing("put_be32");
}

void
put_be64(unsigned char *p, uint64_t v)
{
	(void)p;
	(void)v;
	missing("put_be64");
}

/* Without the casts the shifts would be those of an int, which is signed. */
uint16_t
get_be16(const unsigned char *p)
{
	(void)p;
	missing("get_be16");
}

uint32_t
get_be32(const unsigned char *p)
{
	(void)p;
	missing("get_be32");
}

uint64_t
get_be64(const unsigned char *p)
{
	(void)p;
	missing("get_be64");
}

/* What does not fit into an int32_t is 2^32 too large. */
int32_t
get_be32s(const unsigned char *p)
{
	(void)p;
	missing("get_be32s");
}

/* The bytes in network order, taken for a number of this machine. */
uint16_t
my_htons(uint16_t host)
{
	(void)host;
	missing("my_htons");
}

uint32_t
my_htonl(uint32_t host)
{
	(void)host;
	missing("my_htonl");
}

/* The bytes of this machine's number, read as the network means them. */
uint16_t
my_ntohs(uint16_t net)
{
	(void)net;
	missing("my_ntohs");
}

uint32_t
my_ntohl(uint32_t net)
{
	(void)net;
	missing("my_ntohl");
}
