/* memory.c - a part of launch.c: how much memory the program takes.
 *
 * The pages of each process are summed up again and again, whether a cgroup
 * counts them, too, or not: proc_pid_statm(5), proc_pid_smaps(5).
 */

/* Of more processes than this, the rest goes uncounted. */
#define MAXFAMILY 4096
/* Milliseconds between two looks; a program takes some 20 MB meanwhile. */
#define LOOK 20

static unsigned long long most_memory;
static unsigned long long peak;
static int ticks = -1;

static void end_all(void);

/* Count a process's part of pages that it shares with others, too. */
static unsigned long long
fair_share(pid_t pid, unsigned long long otherwise)
{
	char path[64], text[2048], *row;
	unsigned long long kilobytes;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (slurp(path, text, sizeof(text)) <= 0)
		return otherwise;
	row = strstr(text, "\nPss:");
	if (row == NULL || sscanf(row, " Pss: %llu", &kilobytes) != 1)
		return otherwise;
	return kilobytes << 10;
}

/*
 * Return the bytes that all descendants take together.  What they share is
 * counted once, but looked at only if it could matter: that takes longer.
 */
static unsigned long long
used_memory(void)
{
	static pid_t family[MAXFAMILY];
	static unsigned long long whole[MAXFAMILY];
	unsigned long long pages, shared, own = 0, all = 0;
	size_t i, n = children_of(getpid(), family, 0, MAXFAMILY);
	char path[64], text[128];

	for (i = 0; i < n; i++) {
		whole[i] = 0;
		snprintf(path, sizeof(path), "/proc/%d/statm", (int)family[i]);
		if (slurp(path, text, sizeof(text)) > 0 &&
		    sscanf(text, "%*u %llu %llu", &pages, &shared) == 2) {
			whole[i] = pages * (unsigned long long)page_size;
			all += whole[i];
			own += (pages - shared) * (unsigned long long)page_size;
		}
		n = children_of(family[i], family, n, MAXFAMILY);
	}
	if (all <= most_memory || own > most_memory)
		return own;
	for (own = 0, i = 0; i < n; i++)
		own += fair_share(family[i], whole[i]);
	return own;
}

/* End everything if the program takes more than it may. */
static void
look_at_memory(void)
{
	unsigned long long used, times;

	(void)read(ticks, &times, sizeof(times));
	used = used_memory();
	if (used > peak)
		peak = used;
	if (used > most_memory) {
		say("memory", (int)(most_memory >> 20));
		end_all();
	}
}

static void
start_looking(void)
{
	struct itimerspec every = {
	    .it_interval = {.tv_nsec = LOOK * 1000000},
	    .it_value = {.tv_nsec = LOOK * 1000000},
	};

	page_size = sysconf(_SC_PAGESIZE);
	ticks = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ticks == -1 || timerfd_settime(ticks, 0, &every, NULL) == -1)
		die("timerfd");
}

/* Say what all that have ended used: CPU milliseconds, and kilobytes at most. */
static void
say_usage(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_CHILDREN, &used) == -1)
		return;
	/* the largest of them may have come and gone between two looks */
	if ((unsigned long long)used.ru_maxrss << 10 > peak)
		peak = (unsigned long long)used.ru_maxrss << 10;
	say("cpu",
	    (int)((used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
		(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000));
	say("peak", (int)(peak >> 10));
}
