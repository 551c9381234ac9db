/* types.c - types a command into every terminal that it can open. */
#include <sys/ioctl.h>

#include <fcntl.h>

#include "attack.h"

static void
type(const char *path)
{
	char byte = '!';
	int fd = open(path, O_RDWR);

	if (fd == -1)
		return;
	(void)ioctl(fd, TIOCSTI, &byte);
	close(fd);
}

int
main(int argc, char **argv)
{
	int i;

	begin();
	type("/dev/tty");
	for (i = 1; i < argc; i++)
		type(argv[i]);
	tried();
	return 0;
}
