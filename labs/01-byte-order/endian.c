/* endian.c - in which order this machine keeps the bytes of an integer. */
/*
 * usage: endian
 *
 * Prints little, big or other.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum order {
	UNKNOWN, /* this number can't tell */
	LITTLE,
	BIG,
	OTHER
};

int classify_order(uint32_t v, const unsigned char rep[4]);

/*
 * REP are the four bytes of the number V, as they lie in some machine's memory,
 * at ascending addresses.  Return LITTLE if the lowest byte of V comes first
 * and so on up, BIG if the highest comes first and so on down, OTHER if it is
 * neither; UNKNOWN if it is both, as with 0x01010101.
 */
int
classify_order(uint32_t v, const unsigned char rep[4])
{
	/* There is a mistake here: the handout walks you through it. */
	if (rep[0] == (v & 0xff))
		return BIG;
	return LITTLE;
}

int
main(int argc, char *argv[])
{
	static const char *const names[] = {"unknown", "little", "big",
	    "other"};
	const uint32_t v = 0x01020304;
	unsigned char rep[4];

	(void)argv;
	if (argc != 1) {
		fprintf(stderr, "usage: endian\n");
		return 2;
	}
	/* The bytes of v, in the order in which they lie in memory. */
	memcpy(rep, &v, sizeof(rep));
	if (printf("%s\n", names[classify_order(v, rep)]) < 0 ||
	    fflush(stdout) == EOF) {
		fprintf(stderr, "endian: write: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
