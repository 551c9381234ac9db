/* naps.c - pauses in the call that is named, and says how long that took. */
#define _GNU_SOURCE
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IS(word) (strcmp(argv[1], word) == 0)

static double
now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
sleep_until(clockid_t id, int seconds)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	ts.tv_sec += seconds;
	return clock_nanosleep(id, TIMER_ABSTIME, &ts, NULL);
}

/* Past the C library, which would abort. */
static int
poll_many(struct pollfd *fd, int seconds)
{
#ifdef SYS_poll
	return (int)syscall(SYS_poll, fd, -1L, seconds * 1000);
#else
	struct timespec ts = {.tv_sec = seconds};

	return (int)syscall(SYS_ppoll, fd, -1L, &ts, NULL, 0L);
#endif
}

int
main(int argc, char **argv)
{
	struct timespec ts = {0};
	struct timeval tv = {0};
	struct pollfd fd = {.events = POLLIN};
	double before[2];
	int pair[2], seconds, result = -9;
	fd_set set;

	if (argc != 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return 2;
	seconds = atoi(argv[2]);
	ts.tv_sec = tv.tv_sec = seconds;
	fd.fd = pair[0];
	fd.revents = POLLIN;
	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	before[0] = now(CLOCK_REALTIME);
	before[1] = now(CLOCK_MONOTONIC);
	if (IS("nanosleep"))
		result = nanosleep(&ts, NULL);
	else if (IS("with the rest"))
		while ((result = nanosleep(&ts, &ts)) == -1 && errno == EINTR)
			continue;
	else if (IS("too many nanoseconds")) {
		ts.tv_nsec = 1000000000;
		result = nanosleep(&ts, NULL);
	} else if (IS("a bad pointer"))
		result = (int)syscall(SYS_nanosleep, -8L, 0L);
	else if (IS("a bad rest"))
		result = (int)syscall(SYS_nanosleep, &ts, 8L);
	else if (IS("a bad clock"))
		result = (int)syscall(SYS_clock_nanosleep, -1000L,
		    TIMER_ABSTIME, &ts, 0L);
	else if (IS("too many to poll"))
		result = poll_many(&fd, seconds);
	else if (IS("until realtime"))
		result = sleep_until(CLOCK_REALTIME, seconds);
	else if (IS("until monotonic"))
		result = sleep_until(CLOCK_MONOTONIC, seconds);
	else if (IS("select"))
		result = select(pair[0] + 1, &set, NULL, NULL, &tv);
	else if (IS("select nothing"))
		result = select(0, NULL, NULL, NULL, &tv);
	else if (IS("select for ever"))
		result = select(pair[0] + 1, &set, NULL, NULL, NULL);
	else if (IS("poll"))
		result = poll(&fd, 1, seconds * 1000);
	else if (IS("poll nothing"))
		result = poll(NULL, 0, seconds * 1000);
	else if (IS("ppoll"))
		result = ppoll(&fd, 1, &ts, NULL);
	printf("%d after %.0f and %.0f s, %d ready, time %s\n", result,
	    now(CLOCK_REALTIME) - before[0], now(CLOCK_MONOTONIC) - before[1],
	    IS("select") ? FD_ISSET(pair[0], &set) : fd.revents,
	    time(NULL) - (time_t)before[0] >= seconds ? "agrees" : "differs");
	return 0;
}
