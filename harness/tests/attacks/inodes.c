/* inodes.c - makes five thousand empty files. */
#include <fcntl.h>

#include "attack.h"

int
main(void)
{
	char name[32];
	int i, fd;

	begin();
	for (i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "inode%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0600);
		if (fd == -1)
			break;
		close(fd);
	}
	tried();
	return 0;
}
