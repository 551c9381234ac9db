/* leaves.c - leaves files for the next program. */
#include <fcntl.h>

#include "attack.h"

int
main(int argc, char **argv)
{
	int i, fd;

	begin();
	for (i = 1; i < argc; i++) {
		fd = open(argv[i], O_WRONLY | O_CREAT, 0666);
		if (fd != -1)
			close(fd);
	}
	tried();
	return 0;
}
