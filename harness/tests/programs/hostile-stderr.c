/* hostile-stderr.c - prints on stderr for ever. */
#include <stdio.h>

__attribute__((constructor)) static void
misbehave(void)
{
	for (;;)
		fputs("incsrv: something is wrong, again\n", stderr);
}
