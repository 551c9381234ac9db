/* waits.c - wait for a datagram, in one of many ways, for a limited time. */
/*
 * usage: waits STYLE SECONDS PORT
 *
 * Prints "got" or "over", the name of errno's value where the call failed, and
 * the seconds that went by.  A style for ever has no limit.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t rang;

static void
ring(int sig)
{
	(void)sig;
	rang = 1;
}

static int
is(const char *style, const char *name)
{
	return strcmp(style, name) == 0;
}

/* Wait for FD; return -1 or 0 when the time is over, else 1. */
static int
wait_for(int fd, const char *style, int seconds)
{
	struct timespec ts = {seconds, 0}, now;
	struct timeval tv = {seconds, 0};
	struct itimerval it = {{0, 0}, {seconds, 0}};
	struct itimerspec spec = {{0, 0}, {seconds, 0}};
	struct sigaction sa = {.sa_handler = ring};
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}};
	struct epoll_event ev = {.events = EPOLLIN};
	fd_set set;
	sigset_t none;
	timer_t timer;
	char c;
	int e;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	sigemptyset(&none);
	sigaction(SIGALRM, &sa, NULL);
	if (is(style, "poll"))
		return poll(p, 1, seconds * 1000);
	if (is(style, "ppoll"))
		return ppoll(p, 1, &ts, NULL);
	if (is(style, "select"))
		return select(fd + 1, &set, NULL, NULL, &tv);
	if (is(style, "pselect"))
		return pselect(fd + 1, &set, NULL, NULL, &ts, &none);
	if (is(style, "epoll")) {
		e = epoll_create1(0);
		epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
		return epoll_wait(e, &ev, 1, seconds * 1000);
	}
	if (is(style, "nanosleep"))
		return nanosleep(&ts, NULL);
	if (is(style, "until")) {
		clock_gettime(CLOCK_REALTIME, &now);
		now.tv_sec += seconds;
		return -clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &now,
		    NULL);
	}
	if (is(style, "timerfd")) {
		p[1].fd = timerfd_create(CLOCK_MONOTONIC, 0);
		p[1].events = POLLIN;
		timerfd_settime(p[1].fd, 0, &spec, NULL);
		poll(p, 2, -1);
		return p[0].revents != 0;
	}
	if (is(style, "option"))
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (is(style, "alarm"))
		alarm((unsigned)seconds);
	if (is(style, "setitimer"))
		setitimer(ITIMER_REAL, &it, NULL);
	if (is(style, "timer") || is(style, "timer until")) {
		timer_create(CLOCK_MONOTONIC, NULL, &timer);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (is(style, "timer until"))
			spec.it_value.tv_sec = now.tv_sec + seconds,
			spec.it_value.tv_nsec = now.tv_nsec;
		timer_settime(timer,
		    is(style, "timer until") ? TIMER_ABSTIME : 0, &spec, NULL);
	}
	return recv(fd, &c, 1, 0) == -1 ? -1 : 1;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	struct timespec began, ended;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), n;

	if (argc != 4)
		return 2;
	name.sin_port = htons((in_port_t)atoi(argv[3]));
	inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == -1)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &began);
	errno = 0;
	n = wait_for(fd, argv[1], atoi(argv[2]));
	printf("%s", n == 1 ? "got" : "over");
	if (n == -1)
		printf(", %s%s", strerrorname_np(errno), rang ? ", rang" : "");
	clock_gettime(CLOCK_MONOTONIC, &ended);
	printf(", after %.1f s\n",
	    (double)(ended.tv_sec - began.tv_sec) +
		(double)(ended.tv_nsec - began.tv_nsec) / 1e9);
	return 0;
}
