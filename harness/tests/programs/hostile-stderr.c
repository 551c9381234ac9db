/* hostile-stderr.c - prints on stderr for ever. */
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	static char line[4096];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (;;)
		(void)!write(2, line, sizeof(line));
}
