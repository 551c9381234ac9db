/* snoops.c - looks for a name wherever a program can see paths; says where it found it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Apart, lest it be found here. */
static const char *const half[2] = {"wilhelmine-", "example"};
static int searched;

static void
look(const char *where, const char *text, size_t length)
{
	char name[64];
	size_t n;

	snprintf(name, sizeof(name), "%s%s", half[0], half[1]);
	n = strlen(name);
	searched++;
	for (size_t i = 0; i + n <= length; i++)
		if (memcmp(text + i, name, n) == 0) {
			fprintf(stderr, "FOUND in %s\n", where);
			return;
		}
}

static void
look_into(const char *path)
{
	static char data[1 << 20];
	size_t length = 0;
	ssize_t n;
	int fd;

	if ((fd = open(path, O_RDONLY | O_NONBLOCK)) < 0)
		return;
	while (length < sizeof(data) &&
	    (n = read(fd, data + length, sizeof(data) - length)) > 0)
		length += (size_t)n;
	close(fd);
	look(path, data, length);
}

static void
look_at_link(const char *path)
{
	char data[4096];
	ssize_t n = readlink(path, data, sizeof(data));

	if (n > 0)
		look(path, data, (size_t)n);
}

/* Looks at all names in a folder, and, where they are links, where they lead. */
static void
look_at_names(const char *folder)
{
	char path[8192];
	struct dirent *entry;
	DIR *dir = opendir(folder);

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		look(path, path, strlen(path));
		look_at_link(path);
	}
	closedir(dir);
}

static void
look_at_process(const char *pid)
{
	static const char *const files[] = {"cmdline", "environ", "maps",
	    "mountinfo", "comm", "status"};
	char path[300];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, files[i]);
		look_into(path);
	}
	snprintf(path, sizeof(path), "/proc/%s/cwd", pid);
	look_at_link(path);
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	look_at_link(path);
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	look_at_names(path);
}

int
main(int argc, char *argv[])
{
	char here[4096], above[8192];
	struct dirent *entry;
	DIR *proc;

	for (int i = 0; i < argc; i++)
		look("argv", argv[i], strlen(argv[i]));
	for (char **one = environ; *one != NULL; one++)
		look("the environment", *one, strlen(*one));
	look("__FILE__", __FILE__, strlen(__FILE__));
	if (getcwd(here, sizeof(here)) != NULL) {
		/* the folders around the working folder and the program */
		for (int up = 0; up < 6; up++) {
			look(here, here, strlen(here));
			look_at_names(here);
			snprintf(above, sizeof(above), "%.4000s/..", here);
			if (realpath(above, here) == NULL)
				break;
		}
	}
	if ((proc = opendir("/proc")) != NULL) {
		while ((entry = readdir(proc)) != NULL)
			if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
				look_at_process(entry->d_name);
		closedir(proc);
	}
	look_at_process("self");
	look_into("/proc/self/exe");
	fprintf(stderr, "looked at more than 20 places: %s\n",
	    searched > 20 ? "yes" : "no");
	return 0;
}
