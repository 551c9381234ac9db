/* asleep.c - sleeps for ever, or for a minute, in the call that is named. */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IS(word) (strcmp(argv[1], word) == 0)

/* Descriptor 3 listens; 4 and 5 are the ends of a socket pair. */
static void
open_three(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), pair[2];

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1 ||
	    listen(fd, 5) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		_exit(1);
}

static void
sleep_in_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, 3, &event);
	epoll_ctl(ep, EPOLL_CTL_ADD, 4, &event);
	epoll_wait(ep, &event, 1, 60000);
}

static void
sleep_in_select(int exact)
{
	struct timeval timeout = {60, 0};
	struct timespec minute = {60, 0};
	fd_set reads;

	FD_ZERO(&reads);
	FD_SET(3, &reads);
	FD_SET(5, &reads);
	if (exact)
		pselect(6, &reads, NULL, NULL, &minute, NULL);
	else
		select(6, &reads, NULL, NULL, &timeout);
}

int
main(int argc, char **argv)
{
	struct pollfd fds[] = {{.fd = 3, .events = POLLIN},
	    {.fd = -1, .events = POLLIN}, {.fd = 4, .events = POLLIN}};
	struct timespec minute = {60, 500000000};
	struct iovec iov;
	char buf[1];
	sigset_t usr1;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (argc < 2)
		return 2;
	open_three();
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	iov.iov_base = buf;
	iov.iov_len = sizeof(buf);
	if (IS("accept"))
		accept(3, NULL, NULL);
	else if (IS("accept4"))
		accept4(3, NULL, NULL, SOCK_CLOEXEC);
	else if (IS("read"))
		(void)!read(4, buf, sizeof(buf));
	else if (IS("recv"))
		recv(4, buf, sizeof(buf), 0);
	else if (IS("recvmsg"))
		recvmsg(5, &msg, 0);
	else if (IS("select"))
		sleep_in_select(0);
	else if (IS("pselect"))
		sleep_in_select(1);
	else if (IS("poll"))
		poll(fds, 3, 60000);
	else if (IS("poll for ever"))
		poll(fds, 3, -1);
	else if (IS("ppoll"))
		ppoll(fds, 3, &minute, NULL);
	else if (IS("epoll"))
		sleep_in_epoll();
	else if (IS("nanosleep"))
		nanosleep(&minute, NULL);
	else if (IS("pause"))
		pause();
	else if (IS("sigtimedwait"))
		sigtimedwait(&usr1, NULL, &minute);
	else
		return 2;
	return 0;
}
