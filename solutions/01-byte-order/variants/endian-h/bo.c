/* bo.c - numbers to bytes in network order, and back. */
/*
 * A byte order is a matter of bytes in memory.  A number in a variable has
 * none: shifts and masks mean the same on every machine.  So nothing in this
 * file needs to know which kind of machine it runs on.
 */
#define _DEFAULT_SOURCE
#include "bo.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
put_be16(unsigned char *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

void
put_be32(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

void
put_be64(unsigned char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

/* Without the casts the shifts would be those of an int, which is signed. */
uint16_t
get_be16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

uint32_t
get_be32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

uint64_t
get_be64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* What does not fit into an int32_t is 2^32 too large. */
int32_t
get_be32s(const unsigned char *p)
{
	uint32_t u = get_be32(p);
	int32_t v;

	memcpy(&v, &u, sizeof(v));
	return v;
}

/* The bytes in network order, taken for a number of this machine. */
uint16_t
my_htons(uint16_t host)
{
	return htobe16(host);
}

uint32_t
my_htonl(uint32_t host)
{
	return htobe32(host);
}

/* The bytes of this machine's number, read as the network means them. */
uint16_t
my_ntohs(uint16_t net)
{
	return be16toh(net);
}

uint32_t
my_ntohl(uint32_t net)
{
	return be32toh(net);
}
