/* endian.c - calls classify_order for the checks: "VALUE BYTE BYTE BYTE BYTE". */
#undef main
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int classify_order(uint32_t v, const unsigned char rep[4]);

int
main(void)
{
	unsigned a, b, c, d;
	uint32_t v;

	while (scanf("%" SCNx32 " %x %x %x %x", &v, &a, &b, &c, &d) == 5) {
		unsigned char *rep = malloc(4);

		if (rep == NULL)
			return 1;
		rep[0] = (unsigned char)a;
		rep[1] = (unsigned char)b;
		rep[2] = (unsigned char)c;
		rep[3] = (unsigned char)d;
		printf("%d\n", classify_order(v, rep));
		fflush(stdout);
		free(rep);
	}
	return 0;
}
