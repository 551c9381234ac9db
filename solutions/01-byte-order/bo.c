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

#ifndef SKELETON
#else
/* Say that FUNCTION is not written yet, and exit. */
static _Noreturn void
missing(const char *function)
{
	fprintf(stderr, "bo: %s: %s\n", function, strerror(ENOSYS));
	exit(1);
}

#endif
void
put_be16(unsigned char *p, uint16_t v)
{
#ifndef SKELETON
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
#else
	(void)p;
	(void)v;
	missing("put_be16");
#endif
}

void
put_be32(unsigned char *p, uint32_t v)
{
#ifndef SKELETON
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
#else
	(void)p;
	(void)v;
	missing("put_be32");
#endif
}

void
put_be64(unsigned char *p, uint64_t v)
{
#ifndef SKELETON
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
#else
	(void)p;
	(void)v;
	missing("put_be64");
#endif
}

/* Without the casts the shifts would be those of an int, which is signed. */
uint16_t
get_be16(const unsigned char *p)
{
#ifndef SKELETON
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
#else
	(void)p;
	missing("get_be16");
#endif
}

uint32_t
get_be32(const unsigned char *p)
{
#ifndef SKELETON
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
#else
	(void)p;
	missing("get_be32");
#endif
}

uint64_t
get_be64(const unsigned char *p)
{
#ifndef SKELETON
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
#else
	(void)p;
	missing("get_be64");
#endif
}

/* What does not fit into an int32_t is 2^32 too large. */
int32_t
get_be32s(const unsigned char *p)
{
#ifndef SKELETON
	int64_t v = get_be32(p);

	return (int32_t)(v > INT32_MAX ? v - (INT64_C(1) << 32) : v);
#else
	(void)p;
	missing("get_be32s");
#endif
}

/* The bytes in network order, taken for a number of this machine. */
uint16_t
my_htons(uint16_t host)
{
#ifndef SKELETON
	unsigned char bytes[2];
	uint16_t net;

	put_be16(bytes, host);
	memcpy(&net, bytes, sizeof(net));
	return net;
#else
	(void)host;
	missing("my_htons");
#endif
}

uint32_t
my_htonl(uint32_t host)
{
#ifndef SKELETON
	unsigned char bytes[4];
	uint32_t net;

	put_be32(bytes, host);
	memcpy(&net, bytes, sizeof(net));
	return net;
#else
	(void)host;
	missing("my_htonl");
#endif
}

/* The bytes of this machine's number, read as the network means them. */
uint16_t
my_ntohs(uint16_t net)
{
#ifndef SKELETON
	unsigned char bytes[2];

	memcpy(bytes, &net, sizeof(bytes));
	return get_be16(bytes);
#else
	(void)net;
	missing("my_ntohs");
#endif
}

uint32_t
my_ntohl(uint32_t net)
{
#ifndef SKELETON
	unsigned char bytes[4];

	memcpy(bytes, &net, sizeof(bytes));
	return get_be32(bytes);
#else
	(void)net;
	missing("my_ntohl");
#endif
}
