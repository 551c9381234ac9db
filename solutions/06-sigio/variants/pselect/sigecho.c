/* sigecho.c - echo datagrams, woken by SIGIO. */
/*
 * usage: sigecho [-q N] ADDR PORT
 *        sigecho [-q N] -f
 *
 * With -f the socket is descriptor 0, bound already.  At most N datagrams
 * (default: 8) are taken off the socket before they are answered.  SIGHUP asks
 * for a line with the numbers so far.
 */
#define _DEFAULT_SOURCE
#include <sys/socket.h>

#include <sys/select.h>

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
	MAXDATA = 8192,
	MAXQUEUE = 64
};

/* A datagram between its receiving and its sending. */
struct datagram {
	struct sockaddr_in from;
	socklen_t fromlen;
	ssize_t len;
	char data[MAXDATA];
};

static struct datagram queue[MAXQUEUE];
static int queuesize = 8;
static long answered;

/* What the handler tells the program, which it does not read otherwise. */
static volatile sig_atomic_t io, hup, signals;

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: sigecho [-q N] ADDR PORT\n"
	    "       sigecho [-q N] -f\n");
	exit(2);
}

/* Say that WHAT has failed, and go on. */
static void
complain(const char *what)
{
	fprintf(stderr, "sigecho: %s: %s\n", what, strerror(errno));
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "sigecho: %s: %s\n", what, strerror(e));
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

/* The number S, which must be one, in decimal, from MIN to MAX; or usage. */
static int
number(const char *s, int min, int max)
{
	long n = s[strspn(s, "0123456789")] == '\0' ? strtol(s, NULL, 10) : -1;

	if (*s == '\0' || n < min || n > max)
		usage();
	return (int)n;
}

/* Return a UDP socket that is bound to ADDR, in dotted decimal, and PORT. */
static int
bind_at(const char *addr, in_port_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	int fd;

	name.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &name.sin_addr) != 1)
		usage();
	fd = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	check(bind(fd, (struct sockaddr *)&name, sizeof(name)), "bind");
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

/* Print the numbers so far.  It uses stdio: nothing for a signal handler. */
static void
report(void)
{
	if (printf("signals %ld datagrams %ld\n", (long)signals, answered) <
		0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
}

/*
 * Handle SIGIO and SIGHUP: say in "io" or "hup" that the signal was here, and
 * count SIGIO in "signals".
 */
static void
on_signal(int sig)
{
	if (sig == SIGHUP) {
		hup = 1;
	} else {
		io = 1;
		signals++;
	}
}

/*
 * Let on_signal handle SIGIO and SIGHUP, and block both, so that they come when
 * sigsuspend lets them.  Only then make this process the owner of FD, and then
 * let FD send SIGIO and never block; keep its other flags.  Check every call.
 */
static void
arm(int fd)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGIO);
	sigaddset(&sa.sa_mask, SIGHUP);
	check(sigprocmask(SIG_BLOCK, &sa.sa_mask, NULL), "sigprocmask");
	check(sigaction(SIGIO, &sa, NULL), "sigaction");
	check(sigaction(SIGHUP, &sa, NULL), "sigaction");
	check(fcntl(fd, F_SETOWN, getpid()), "fcntl");
	check(fcntl(fd, F_SETFL,
		  check(fcntl(fd, F_GETFL), "fcntl") | O_ASYNC | O_NONBLOCK),
	    "fcntl");
}

/*
 * Echo what waits at FD, until nothing waits there any more: take off as many
 * datagrams as the queue holds, answer each with sendto, and begin again.
 * Complain if a call fails, unless that only says that nothing waits.
 */
static void
echo_all(int fd)
{
	struct datagram *d;
	int i, n;

	do {
		for (n = 0; n < queuesize; n++) {
			d = &queue[n];
			d->fromlen = sizeof(d->from);
			d->len = recvfrom(fd, d->data, sizeof(d->data), 0,
			    (struct sockaddr *)&d->from, &d->fromlen);
			if (d->len == -1)
				break;
		}
		if (n < queuesize && errno != EAGAIN)
			complain("recvfrom");
		for (i = 0; i < n; i++) {
			d = &queue[i];
			if (sendto(fd, d->data, (size_t)d->len, 0,
				(struct sockaddr *)&d->from, d->fromlen) == -1)
				complain("sendto");
			answered++;
		}
	} while (n == queuesize);
}

/*
 * Sleep in sigsuspend until a signal has come, and do what it asks for; for
 * ever.  What came before the socket was armed has sent no signal: echo that
 * first.
 */
static _Noreturn void
serve(int fd)
{
	sigset_t none;

	sigemptyset(&none);
	for (io = 1;;) {
		while (!io && !hup)
			pselect(0, NULL, NULL, NULL, NULL, &none);
		if (hup) {
			hup = 0;
			report();
		}
		if (io) {
			io = 0;
			echo_all(fd);
		}
	}
}

int
main(int argc, char *argv[])
{
	int c, fd, given = 0;

	while ((c = getopt(argc, argv, ":fq:")) != -1)
		if (c == 'f')
			given = 1;
		else if (c == 'q')
			queuesize = number(optarg, 1, MAXQUEUE);
		else
			usage();
	if (argc - optind != (given ? 0 : 2))
		usage();
	fd = given ? STDIN_FILENO
		   : bind_at(argv[optind],
			 (in_port_t)number(argv[optind + 1], 0, 65535));
	arm(fd);
	say_listening(fd);
	serve(fd);
}
