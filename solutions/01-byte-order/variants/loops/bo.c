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

void
put_be16(unsigned char *p, uint16_t v)
{
	int i;

	for (i = 1; i >= 0; i--) {
		p[i] = (unsigned char)(v & 0xff);
		v = (uint16_t)(v >> 8);
	}
}

void
put_be32(unsigned char *p, uint32_t v)
{
	int i;

	for (i = 3; i >= 0; i--) {
		p[i] = (unsigned char)(v & 0xff);
		v = (uint32_t)(v >> 8);
	}
}

void
put_be64(unsigned char *p, uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--) {
		p[i] = (unsigned char)(v & 0xff);
		v = (uint64_t)(v >> 8);
	}
}

/* Without the casts the shifts would be those of an int, which is signed. */
uint16_t
get_be16(const unsigned char *p)
{
	uint16_t v = 0;
	int i;

	for (i = 0; i < 2; i++)
		v = (uint16_t)((unsigned)v << 8 | p[i]);
	return v;
}

uint32_t
get_be32(const unsigned char *p)
{
	uint32_t v = 0;
	int i;

	for (i = 0; i < 4; i++)
		v = (uint32_t)(v << 8 | p[i]);
	return v;
}

uint64_t
get_be64(const unsigned char *p)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = (uint64_t)(v << 8 | p[i]);
	return v;
}

/* What does not fit into an int32_t is 2^32 too large. */
int32_t
get_be32s(const unsigned char *p)
{
	int32_t v = (p[0] ^ 0x80) - 0x80;
	int i;

	for (i = 1; i < 4; i++)
		v = v * 256 + p[i];
	return v;
}

/* The bytes in network order, taken for a number of this machine. */
uint16_t
my_htons(uint16_t host)
{
	unsigned char bytes[2];
	uint16_t net;

	put_be16(bytes, host);
	memcpy(&net, bytes, sizeof(net));
	return net;
}

uint32_t
my_htonl(uint32_t host)
{
	unsigned char bytes[4];
	uint32_t net;

	put_be32(bytes, host);
	memcpy(&net, bytes, sizeof(net));
	return net;
}

/* The bytes of this machine's number, read as the network means them. */
uint16_t
my_ntohs(uint16_t net)
{
	unsigned char bytes[2];

	memcpy(bytes, &net, sizeof(bytes));
	return get_be16(bytes);
}

uint32_t
my_ntohl(uint32_t net)
{
	unsigned char bytes[4];

	memcpy(bytes, &net, sizeof(bytes));
	return get_be32(bytes);
}
