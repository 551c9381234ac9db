/* hostile-disk.c - writes a file of one gigabyte in its folder. */
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	static char block[1 << 20];
	int fd = open("large", O_WRONLY | O_CREAT, 0600), i;

	for (i = 0; i < 1024; i++)
		(void)!write(fd, block, sizeof(block));
}
