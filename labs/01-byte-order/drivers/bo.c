/* bo.c - calls the functions of bo.h for the checks, one for each line. */
/*
 * put BITS OFFSET VALUE    a number to an address; answers the memory around it
 * get BITS OFFSET BYTES    bytes to a number; answers that; BITS 33 is signed
 * my NAME VALUE            my_htons and so on; answers what it returns
 */
#undef main
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bo.h"

enum {
	AREA = 24,
	FILL = 0xa5
};

static int
put(int bits, int offset, uint64_t v)
{
	/* from malloc: aligned, and watched on both sides */
	unsigned char *area = malloc(AREA);
	int i;

	if (area == NULL)
		return 1;
	memset(area, FILL, AREA);
	if (bits == 16)
		put_be16(area + offset, (uint16_t)v);
	else if (bits == 32)
		put_be32(area + offset, (uint32_t)v);
	else
		put_be64(area + offset, v);
	for (i = 0; i < AREA; i++)
		printf("%02x", area[i]);
	printf("\n");
	free(area);
	return 0;
}

static int
get(int bits, int offset, const char *hex)
{
	size_t i, len = strlen(hex) / 2;
	unsigned char *area = malloc((size_t)offset + len);
	unsigned byte;

	if (area == NULL)
		return 1;
	memset(area, FILL, (size_t)offset);
	for (i = 0; i < len; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return 1;
		area[(size_t)offset + i] = (unsigned char)byte;
	}
	if (bits == 16)
		printf("%u\n", get_be16(area + offset));
	else if (bits == 32)
		printf("%" PRIu32 "\n", get_be32(area + offset));
	else if (bits == 33)
		printf("%" PRId32 "\n", get_be32s(area + offset));
	else
		printf("%" PRIu64 "\n", get_be64(area + offset));
	free(area);
	return 0;
}

static int
my(const char *name, uint64_t v)
{
	if (strcmp(name, "htons") == 0)
		printf("%u\n", my_htons((uint16_t)v));
	else if (strcmp(name, "ntohs") == 0)
		printf("%u\n", my_ntohs((uint16_t)v));
	else if (strcmp(name, "htonl") == 0)
		printf("%" PRIu32 "\n", my_htonl((uint32_t)v));
	else
		printf("%" PRIu32 "\n", my_ntohl((uint32_t)v));
	return 0;
}

int
main(void)
{
	char line[128], word[64];
	int bits, offset, bad;
	uint64_t v;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "put %d %d %" SCNx64, &bits, &offset, &v) == 3)
			bad = put(bits, offset, v);
		else if (sscanf(line, "get %d %d %63s", &bits, &offset, word) ==
		    3)
			bad = get(bits, offset, word);
		else if (sscanf(line, "my %63s %" SCNx64, word, &v) == 2)
			bad = my(word, v);
		else
			bad = 1;
		if (bad)
			return 1;
		fflush(stdout);
	}
	return 0;
}
