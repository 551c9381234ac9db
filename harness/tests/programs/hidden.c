/* hidden.c - sleeps for so many milliseconds, by a timer that no call shows. */
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IS(word) (strcmp(argv[1], word) == 0)

static void
nothing(int sig)
{
	(void)sig;
}

int
main(int argc, char **argv)
{
	long ms = argc > 2 ? atol(argv[2]) : 100;
	struct itimerspec spec = {.it_value = {ms / 1000, ms % 1000 * 1000000}};
	struct itimerval val = {.it_value = {ms / 1000, ms % 1000 * 1000}};
	struct sigaction sa = {.sa_handler = nothing};
	struct pollfd fd = {.events = POLLIN};
	sigset_t alarms;
	uint64_t count;
	timer_t timer;
	int pair[2];

	if (argc < 2)
		return 2;
	sigaction(SIGALRM, &sa, NULL);
	if (IS("rcvtimeo")) {
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
		setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &val.it_value,
		    sizeof(val.it_value));
		signal(SIGALRM, SIG_DFL);
		(void)!read(pair[0], &count, 1);
	} else if (IS("timerfd")) {
		signal(SIGALRM, SIG_DFL);
		fd.fd = timerfd_create(CLOCK_MONOTONIC, 0);
		timerfd_settime(fd.fd, 0, &spec, NULL);
		poll(&fd, 1, -1);
	} else if (IS("timer_create")) {
		timer_create(CLOCK_MONOTONIC, NULL, &timer);
		timer_settime(timer, 0, &spec, NULL);
		pause();
	} else if (IS("setitimer")) {
		setitimer(ITIMER_REAL, &val, NULL);
		pause();
	} else if (IS("signalfd")) {
		sigemptyset(&alarms);
		sigaddset(&alarms, SIGALRM);
		sigprocmask(SIG_BLOCK, &alarms, NULL);
		signal(SIGALRM, SIG_DFL);
		fd.fd = signalfd(-1, &alarms, 0);
		setitimer(ITIMER_REAL, &val, NULL);
		poll(&fd, 1, -1);
	} else {
		return 2;
	}
	printf("woke\n");
	return 0;
}
