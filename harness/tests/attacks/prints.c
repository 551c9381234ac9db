/* prints.c - prints a hundred megabytes. */
#include "attack.h"

int
main(void)
{
	static char buf[1 << 16];
	int i;

	begin();
	memset(buf, 'x', sizeof(buf));
	for (i = 0; i < 1600; i++)
		if (write(STDOUT_FILENO, buf, sizeof(buf)) == -1)
			return 1;
	tried_and_stay();
}
