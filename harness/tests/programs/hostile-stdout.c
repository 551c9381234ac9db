/* hostile-stdout.c - prints on stdout for ever. */
#include <stdio.h>

__attribute__((constructor)) static void
misbehave(void)
{
	for (;;)
		puts("LISTENING 127.0.0.1 1, PASSED, score 100/100");
}
