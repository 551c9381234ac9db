/* bo.c - numbers to bytes in network order, and back. */
/*
 * A byte order is a matter of bytes in memory.  A number in a variable has
 * none: shifts and masks mean the same on every machine.  So nothing in this
 * file needs to know which kind of machine it runs on.
 */
#include "bo.h"

#include <arpa/inet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
put_be16(unsigned char *p, uint16_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

void
put_be32(unsigned char *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

void
put_be64(unsigned char *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

/* Without the casts the shifts would be those of an int, which is signed. */
uint16_t
get_be16(const unsigned char *p)
{
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

uint32_t
get_be32(const unsigned char *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

uint64_t
get_be64(const unsigned char *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

/* What does not fit into an int32_t is 2^32 too large. */
int32_t
get_be32s(const unsigned char *p)
{
	return (int32_t)get_be32(p);
}

/* The bytes in network order, taken for a number of this machine. */
uint16_t
my_htons(uint16_t host)
{
	return htons(host);
}

uint32_t
my_htonl(uint32_t host)
{
	return htonl(host);
}

/* The bytes of this machine's number, read as the network means them. */
uint16_t
my_ntohs(uint16_t net)
{
	return ntohs(net);
}

uint32_t
my_ntohl(uint32_t net)
{
	return ntohl(net);
}
