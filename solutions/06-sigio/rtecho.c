/* rtecho.c - echo for many TCP clients, told of each by a queued signal. */
/*
 * usage: rtecho ADDR PORT
 *
 * Each socket sends a real-time signal that says which descriptor it is about.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAXFD = 1024
};

/* The clients, by descriptor. */
static char is_client[MAXFD];

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: rtecho ADDR PORT\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "rtecho: %s: %s\n", what, strerror(e));
	exit(1);
}

/* Return RESULT, which CALL has returned; but if that is -1, fail. */
static int
check(int result, const char *call)
{
	if (result == -1)
		fail(errno, call);
	return result;
}

/* The port that S says; anything but a number up to 65535 is a usage error. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' || n > 65535)
		usage();
	return (in_port_t)n;
}

/* Return a TCP socket that listens at ADDR, in dotted decimal, and PORT. */
static int
listen_at(const char *addr, in_port_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	int on = 1, fd;

	name.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &name.sin_addr) != 1)
		usage();
	fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
	    "setsockopt");
	check(bind(fd, (struct sockaddr *)&name, sizeof(name)), "bind");
	check(listen(fd, SOMAXCONN), "listen");
	return fd;
}

/* Print the line "LISTENING ADDR PORT", with the name of the socket FD. */
static void
say_listening(int fd)
{
	struct sockaddr_in name = {.sin_family = AF_UNSPEC};
	socklen_t len = sizeof(name);
	char addr[INET_ADDRSTRLEN];

	check(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
	inet_ntop(AF_INET, &name.sin_addr, addr, sizeof(addr));
	if (printf("LISTENING %s %u\n", addr, ntohs(name.sin_port)) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
}

/*
 * Let FD, which must never block, send SIGRTMIN + 1 to this process, with its
 * number in si_fd.  Check every call.
 */
static void
arm(int fd)
{
#ifndef SKELETON
	check(fcntl(fd, F_SETSIG, SIGRTMIN + 1), "fcntl");
	check(fcntl(fd, F_SETOWN, getpid()), "fcntl");
	check(fcntl(fd, F_SETFL,
		  check(fcntl(fd, F_GETFL), "fcntl") | O_ASYNC | O_NONBLOCK),
	    "fcntl");
#else
	(void)fd;
	fail(ENOSYS, "arm");
#endif
}

/*
 * Echo what has come from the client on FD, until nothing has come any more.
 * Close the connection at end of file, at an error, and if the client does not
 * take the answer.
 */
static void
echo_all(int fd)
{
#ifndef SKELETON
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	if (n == -1 && errno == EAGAIN)
		return;
	is_client[fd] = 0;
	close(fd);
#else
	(void)fd;
	(void)is_client;
#endif
}

/*
 * Look at FD, which may be the listening socket LFD, a client, or neither: a
 * signal that was queued before FD was closed tells of the past.  Take all
 * clients that wait; what they sent before they were armed has sent no signal.
 */
static void
look(int fd, int lfd)
{
#ifndef SKELETON
	int new;

	if (fd != lfd) {
		if (fd >= 0 && fd < MAXFD && is_client[fd])
			echo_all(fd);
		return;
	}
	while ((new = accept(lfd, NULL, NULL)) != -1 || errno == ECONNABORTED) {
		if (new == -1)
			continue;
		if (new >= MAXFD) {
			close(new);
			continue;
		}
		arm(new);
		is_client[new] = 1;
		echo_all(new);
	}
#else
	(void)fd;
	(void)lfd;
	(void)echo_all;
#endif
}

/*
 * Block both signals, SIGRTMIN + 1 and SIGIO, then arm LFD and call READY.  For
 * ever, wait with sigwaitinfo: SIGRTMIN + 1 says which descriptor to look at,
 * and SIGIO says that there was no room for more signals, so look at all.
 */
static _Noreturn void
serve(int lfd, void (*ready)(int))
{
#ifndef SKELETON
	siginfo_t info;
	sigset_t set;
	int fd, sig;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGIO);
	check(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
	arm(lfd);
	ready(lfd);
	look(lfd, lfd);
	for (;;) {
		sig = sigwaitinfo(&set, &info);
		if (sig == SIGRTMIN + 1)
			look(info.si_fd, lfd);
		for (fd = 0; sig == SIGIO && fd < MAXFD; fd++)
			look(fd, lfd);
	}
#else
	(void)lfd;
	(void)ready;
	(void)arm;
	(void)look;
	fail(ENOSYS, "serve");
#endif
}

int
main(int argc, char *argv[])
{
	if (argc != 3)
		usage();
	serve(listen_at(argv[1], to_port(argv[2])), say_listening);
}
