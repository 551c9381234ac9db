/* ruptimed.c - run a command for each client; a pipe tells of SIGCHLD. */
/*
 * usage: ruptimed [-c CMD] [-m N] ADDR PORT
 *
 * The output of CMD (default: uptime) goes straight to the client.  Each client
 * has a process of its own; with -m, at most N of them run at once.
 *
 * The handler of SIGCHLD only writes to a pipe.  The server sleeps in poll, on
 * the pipe and on the listening socket, and reaps when it is awake.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The pipe from the handler of SIGCHLD to the server. */
static int wakeup[2];

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
}

/* Handle SIGCHLD.  If the pipe is full, the server will wake up anyway. */
static void
wake(int sig)
{
	int e = errno;

	(void)sig;
	(void)!write(wakeup[1], "", 1);
	errno = e;
}

/* Empty the pipe, then reap every child that has ended; return how many. */
static int
reap(void)
{
	char junk[512];
	ssize_t n;
	int ended = 0;

	do
		n = read(wakeup[0], junk, sizeof(junk));
	while (n > 0 || (n == -1 && errno == EINTR));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		ended++;
	return ended;
}

/*
 * In the child: become the command WORDS, with FD, the connection, as standard
 * output and standard error.  Nothing else of the server is left: not LFD, its
 * listening socket, not FD, and not what it has done to its signals.  If the
 * command cannot be run, tell the client: "error: CMD: REASON".
 */
static _Noreturn void
run(char *words[], const char *cmd, int lfd, int fd)
{
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
}

/*
 * Run the command for every client of the listening socket LFD, for ever.
 * While MAX commands run, take no client, but sleep until one of them ends.
 */
static _Noreturn void
serve_all(int lfd, char *words[], const char *cmd, int max)
{
	struct sigaction sa = {.sa_handler = wake, .sa_flags = SA_NOCLDSTOP};
	struct pollfd events[2] = {{.events = POLLIN}, {.events = POLLIN}};
	sigset_t none;
	pid_t pid;
	int fd, running = 0;

	/* The client may have gone between poll and accept: do not wait. */
	check(fcntl(lfd, F_SETFL, O_NONBLOCK), "fcntl");
	check(sigaction(SIGCHLD, &sa, NULL), "sigaction");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	events[1].fd = wakeup[0];
	for (;;) {
		events[0].fd = running < max ? lfd : -1;
		if (poll(events, 2, -1) == -1)
			continue;
		if (events[1].revents != 0)
			running -= reap();
		if (events[0].fd == -1 || events[0].revents == 0)
			continue;
		if ((fd = accept(lfd, NULL, NULL)) == -1) {
			if (errno != EINTR && errno != EAGAIN)
				complain("accept");
			continue;
		}
		/* Elsewhere than on Linux it inherits O_NONBLOCK. */
		check(fcntl(fd, F_SETFL, 0), "fcntl");
		if ((pid = fork()) == 0)
			run(words, cmd, lfd, fd);
		else if (pid == -1)
			complain("fork");
		else
			running++;
		close(fd);
	}
}

int
main(int argc, char *argv[])
{
	const char *cmd = "uptime";
	int c, fd, i, max = INT_MAX;
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
	check(pipe(wakeup), "pipe");
	for (i = 0; i < 2; i++) {
		check(fcntl(wakeup[i], F_SETFL, O_NONBLOCK), "fcntl");
		check(fcntl(wakeup[i], F_SETFD, FD_CLOEXEC), "fcntl");
	}
	serve_all(listen_at(argv[optind], number(argv[optind + 1], 0, 65535)),
	    words, cmd, max);
}
