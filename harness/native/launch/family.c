/* family.c - a part of launch.c: who descends from us.
 *
 * We are the subreaper of all that we start, so whoever descends from us does
 * so as long as it lives.
 */

/* A chain longer than this is nobody's child. */
#define MAXDEPTH 1000

/* Read a small file of /proc; what is there ends with a null byte. */
static ssize_t
slurp(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* Return the parent of a process or thread; 0 when there is none to be seen. */
static pid_t
parent_of(pid_t pid)
{
	char path[64], text[512], *rest;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (slurp(path, text, sizeof(text)) <= 0)
		return 0;
	/* the name before it may hold anything */
	rest = strrchr(text, ')');
	if (rest == NULL || sscanf(rest, ") %*c %d", &parent) != 1)
		return 0;
	return (pid_t)parent;
}

static int
is_ours(pid_t pid)
{
	pid_t me = getpid();
	int depth;

	if (pid <= 0 || pid == me)
		return 0;
	for (depth = 0; depth < MAXDEPTH && pid > 0; depth++) {
		pid = parent_of(pid);
		if (pid == me)
			return 1;
	}
	return 0;
}

/*
 * Add the children of one thread to a list.  Returns how many the list has
 * then; those that it has no room for are left out.
 */
static size_t
children_of_thread(pid_t pid, pid_t tid, pid_t *list, size_t n, size_t room)
{
	char path[64], word[32];
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)tid);
	fp = fopen(path, "re");
	if (fp == NULL)
		return n;
	while (n < room && fscanf(fp, "%31s", word) == 1)
		list[n++] = (pid_t)atoi(word);
	fclose(fp);
	return n;
}

static size_t
children_of(pid_t pid, pid_t *list, size_t n, size_t room)
{
	char path[64];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	/* two links, and one for each thread */
	if (stat(path, &st) == 0 && st.st_nlink == 3)
		return children_of_thread(pid, pid, list, n, room);
	dir = opendir(path);
	if (dir == NULL)
		return n;
	while ((entry = readdir(dir)) != NULL)
		if (atoi(entry->d_name) > 0)
			n = children_of_thread(pid, (pid_t)atoi(entry->d_name),
			    list, n, room);
	closedir(dir);
	return n;
}
