/* burrows.c - leaves folders that are a thousand deep, and closed. */
#include <sys/stat.h>

#include "attack.h"

int
main(void)
{
	char path[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	int i;

	begin();
	for (i = 0; i < 1200; i++) {
		if (mkdir(path, 0700) == -1 || chdir(path) == -1)
			break;
		if (i > 0)
			(void)chmod("../../"
				    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
			    0);
	}
	(void)chmod(".", 0);
	tried();
	return 0;
}
