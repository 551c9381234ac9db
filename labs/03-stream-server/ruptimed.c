/* ruptimed.c - a server that runs a command for each client. */
/*
 * usage: ruptimed [-c CMD] [-m N] ADDR PORT
 *
 * The output of CMD (default: uptime) goes straight to the client.  Each client
 * has a process of its own; with -m, at most N of them run at once.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The commands that run.  Only reap() touches it unless SIGCHLD is blocked. */
static volatile sig_atomic_t running;

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: ruptimed [-c CMD] [-m N] ADDR PORT\n");
	exit(2);
}

/*
 * Say that WHAT has failed, and go on.  But if accept lacks a descriptor, it
 * would fail again at once, and nothing tells when there is one: pause.
 */
static void
complain(const char *what)
{
	int e = errno;

	fprintf(stderr, "ruptimed: %s: %s\n", what, strerror(e));
	if (e == EMFILE || e == ENFILE)
		sleep(1);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "ruptimed: %s: %s\n", what, strerror(e));
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

/* Print the line "LISTENING ADDR PORT", with the name of a listening socket. */
static void
say_listening(const struct sockaddr_in *name)
{
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &name->sin_addr, addr, sizeof(addr));
	if (printf("LISTENING %s %u\n", addr, ntohs(name->sin_port)) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
}

/* Split CMD at blanks: return its words, and a null pointer after the last. */
static char **
split(const char *cmd)
{
	char *copy = strdup(cmd);
	char **words = calloc(strlen(cmd) / 2 + 2, sizeof(*words));
	size_t n = 0;

	if (copy == NULL || words == NULL)
		fail(errno, "malloc");
	words[n] = strtok(copy, " \t");
	while (words[n] != NULL)
		words[++n] = strtok(NULL, " \t");
	return words;
}

/*
 * Make a TCP socket that is bound to ADDR, in dotted decimal, and PORT, and
 * listens.  What is left of old connections to the port must not hinder that.
 * Anything else in ADDR is a usage error.  Then, not before, ask the kernel for
 * the socket's name and let say_listening print it.  Return the socket.  Check
 * every call.
 */
static int
listen_at(const char *addr, in_port_t port)
{
	(void)addr;
	(void)port;
	(void)say_listening;
	fail(ENOSYS, "listen_at");
}

/*
 * Handle SIGCHLD: reap every child that has ended, for several may have ended
 * for one signal, and count them down.  Do not wait, and leave errno alone.
 */
static void
reap(int sig)
{
	(void)sig;
	(void)running;
}

/*
 * In the child: become the command WORDS, with FD, the connection, as standard
 * output and standard error.  Nothing else of the server is left: not LFD, its
 * listening socket, and not FD.  Every signal, from 1 to SIGRTMAX, is at its
 * default, and none is blocked.  If the command cannot be run, tell the client:
 * "error: CMD: REASON".
 */
static _Noreturn void
run(char *words[], const char *cmd, int lfd, int fd)
{
	(void)words;
	(void)cmd;
	(void)lfd;
	(void)fd;
	_exit(127);
}

/*
 * Run the command for every client of the listening socket LFD, for ever.  Let
 * reap() handle SIGCHLD.  Complain if accept fails, unless that was by a
 * signal, and if fork does.  While MAX commands run, take no client, but sleep
 * until one of them ends; and SIGCHLD must not slip in between the look at
 * "running" and the sleep, nor while "running" is counted up.
 */
static _Noreturn void
serve_all(int lfd, char *words[], const char *cmd, int max)
{
	(void)lfd;
	(void)words;
	(void)cmd;
	(void)max;
	(void)reap;
	(void)run;
	(void)complain;
	fail(ENOSYS, "serve_all");
}

int
main(int argc, char *argv[])
{
	const char *cmd = "uptime";
	int c, fd, max = INT_MAX;
	char **words;

	while ((c = getopt(argc, argv, ":c:m:")) != -1)
		if (c == 'c')
			cmd = optarg;
		else if (c == 'm')
			max = number(optarg, 1, INT_MAX);
		else
			usage();
	if (argc - optind != 2 || cmd[strspn(cmd, " \t")] == '\0')
		usage();
	words = split(cmd);
	/* A socket that got 0, 1 or 2 would pass for the command's own. */
	do
		fd = check(open("/dev/null", O_RDWR), "/dev/null");
	while (fd <= STDERR_FILENO);
	close(fd);
	serve_all(listen_at(argv[optind], number(argv[optind + 1], 0, 65535)),
	    words, cmd, max);
}
