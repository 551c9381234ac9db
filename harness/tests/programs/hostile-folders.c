/* hostile-folders.c - leaves folders that are deep and closed. */
#include <sys/stat.h>

#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	int i;

	for (i = 0; i < 60; i++)
		if (mkdir("a folder", 0700) == -1 || chdir("a folder") == -1 ||
		    symlink("/etc/passwd", "link") == -1)
			break;
	if (i > 1) {
		chmod(".", 0);
		chmod("..", 0);
	}
	if (chdir("/") == -1)
		_exit(1);
}
