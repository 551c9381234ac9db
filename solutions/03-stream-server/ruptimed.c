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
#ifndef SKELETON
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t len = sizeof(name);
	int on = 1, fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");

	name.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &name.sin_addr) != 1)
		usage();
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
	    "setsockopt");
	check(bind(fd, (struct sockaddr *)&name, len), "bind");
	check(listen(fd, SOMAXCONN), "listen");
	check(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
	say_listening(&name);
	return fd;
#else
	(void)addr;
	(void)port;
	(void)say_listening;
	fail(ENOSYS, "listen_at");
#endif
}

/*
 * Handle SIGCHLD: reap every child that has ended, for several may have ended
 * for one signal, and count them down.  Do not wait, and leave errno alone.
 */
static void
reap(int sig)
{
	(void)sig;
#ifndef SKELETON
	int e = errno;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		running--;
	errno = e;
#else
	(void)running;
#endif
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
#ifndef SKELETON
	sigset_t none;
	int sig;

	for (sig = 1; sig <= SIGRTMAX; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(fd, STDOUT_FILENO) == -1 || dup2(fd, STDERR_FILENO) == -1)
		_exit(127);
	close(fd);
	close(lfd);
	execvp(words[0], words);
	dprintf(STDOUT_FILENO, "error: %s: %s\n", cmd, strerror(errno));
	_exit(127);
#else
	(void)words;
	(void)cmd;
	(void)lfd;
	(void)fd;
	_exit(127);
#endif
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
#ifndef SKELETON
	struct sigaction sa = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
	sigset_t all, none;
	pid_t pid;
	int fd;

	sigemptyset(&none);
	sigfillset(&all);
	check(sigaction(SIGCHLD, &sa, NULL), "sigaction");
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (;;) {
		while (running >= max)
			sigsuspend(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		while ((fd = accept(lfd, NULL, NULL)) == -1)
			if (errno != EINTR)
				complain("accept");
		sigprocmask(SIG_SETMASK, &all, NULL);
		if ((pid = fork()) == 0)
			run(words, cmd, lfd, fd);
		else if (pid == -1)
			complain("fork");
		else
			running++;
		close(fd);
	}
#else
	(void)lfd;
	(void)words;
	(void)cmd;
	(void)max;
	(void)reap;
	(void)run;
	(void)complain;
	fail(ENOSYS, "serve_all");
#endif
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
