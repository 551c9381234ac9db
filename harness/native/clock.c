/* clock.c - clocks that the harness can advance (preloaded into a program).
 *
 * When a check cuts a wait short, a program that measures time must find that
 * the time has passed.  The offset, in nanoseconds, is the first word of the
 * file named by SOCKLAB_CLOCK.  If the second is not 0, the clocks stand still
 * but for that: the third and fourth say where, for the time of day and for all
 * other clocks.  The calls go to the kernel directly, so the vDSO, which no
 * filter sees, is out of the game.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000LL

enum {
	WORDS = 4
};

static const volatile int64_t *offset;

__attribute__((constructor)) static void
map_offset(void)
{
	const char *path = getenv("SOCKLAB_CLOCK");
	void *page;
	int fd;

	if (path == NULL)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	page =
	    mmap(NULL, WORDS * sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		offset = page;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns;

	if (syscall(SYS_clock_gettime, id, ts) == -1)
		return -1;
	if (offset != NULL && id != CLOCK_PROCESS_CPUTIME_ID &&
	    id != CLOCK_THREAD_CPUTIME_ID) {
		if (offset[1] != 0) {
			ns = offset[id == CLOCK_REALTIME ||
				    id == CLOCK_REALTIME_COARSE ||
				    id == CLOCK_TAI
				? 2
				: 3];
			ts->tv_sec = ns / BILLION;
			ts->tv_nsec = ns % BILLION;
		}
		ns = ts->tv_nsec + *offset % BILLION;
		ts->tv_sec += *offset / BILLION + ns / BILLION;
		ts->tv_nsec = ns % BILLION;
	}
	return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return -1;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

int
timespec_get(struct timespec *ts, int base)
{
	if (base != TIME_UTC || clock_gettime(CLOCK_REALTIME, ts) == -1)
		return 0;
	return base;
}

time_t
time(time_t *out)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return (time_t)-1;
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
