/* prints.c - prints fifty megabytes. */
#include "attack.h"

int
main(void)
{
	static char buf[1 << 16];
	int i;

	begin();
	memset(buf, 'x', sizeof(buf));
	for (i = 0; i < 800; i++)
		if (write(STDOUT_FILENO, buf, sizeof(buf)) == -1)
			return 1;
	tried_and_stay();
}
