/* ruptimed.c - run a command for each client, as a grandchild. */
/*
 * usage: ruptimed [-c CMD] [-m N] ADDR PORT
 *
 * The output of CMD (default: uptime) goes straight to the client.  Each client
 * has a process of its own; with -m, at most N of them run at once.
 *
 * The child of the server makes the process for the command and ends at once,
 * so that the server can wait for it, and the orphan is somebody else's.  With
 * -m the orphan is a keeper, who waits for the command and says so in a pipe.
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
 * In the orphan, with -m: have the command run by a child, wait for its end,
 * and write a byte to DONE.  The connection is the command's alone meanwhile.
 */
static _Noreturn void
keep(char *words[], const char *cmd, int lfd, int fd, int done)
{
	pid_t pid = fork();
	int std;

	if (pid == 0)
		run(words, cmd, lfd, fd);
	if (pid == -1)
		complain("fork");
	/* Whoever waits for the end of the server's output waits for this. */
	for (std = STDIN_FILENO; std <= STDERR_FILENO; std++)
		close(std);
	close(fd);
	close(lfd);
	if (pid != -1)
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			continue;
	while (write(done, "", 1) == -1 && errno == EINTR)
		continue;
	_exit(0);
}

/*
 * Have the command run for the connection FD by a process that is no child of
 * ours; DONE is the pipe for -m, or -1.  Return 0, or -1 if no process can be
 * made.
 */
static int
start(char *words[], const char *cmd, int lfd, int fd, int done)
{
	pid_t pid = fork();
	int status;

	if (pid == -1) {
		complain("fork");
		return -1;
	}
	if (pid == 0) {
		if ((pid = fork()) == -1)
			complain("fork");
		if (pid != 0)
			_exit(pid == -1);
		if (done != -1)
			keep(words, cmd, lfd, fd, done);
		run(words, cmd, lfd, fd);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	return status == 0 ? 0 : -1;
}

/*
 * Run the command for every client of the listening socket LFD, for ever; while
 * MAX commands run, take no client.  The sleep is in poll, for a client or for
 * the end of a command, of which the pipe DONE tells, if it is one.
 */
static _Noreturn void
serve_all(int lfd, char *words[], const char *cmd, int max, int done[2])
{
	struct pollfd events[2] = {{.events = POLLIN}, {.events = POLLIN}};
	char ended[512];
	int fd, running = 0;
	ssize_t n;

	/* The client may have gone between poll and accept: do not wait. */
	check(fcntl(lfd, F_SETFL, O_NONBLOCK), "fcntl");
	for (;;) {
		events[0].fd = running < max ? lfd : -1;
		events[1].fd = done[0];
		if (poll(events, 2, -1) == -1)
			continue;
		if (events[1].revents != 0) {
			n = read(done[0], ended, sizeof(ended));
			if (n > 0)
				running -= (int)n;
		}
		if (events[0].fd == -1 || events[0].revents == 0)
			continue;
		if ((fd = accept(lfd, NULL, NULL)) == -1) {
			if (errno != EINTR && errno != EAGAIN)
				complain("accept");
			continue;
		}
		/* Elsewhere than on Linux it inherits O_NONBLOCK. */
		check(fcntl(fd, F_SETFL, 0), "fcntl");
		if (start(words, cmd, lfd, fd, done[1]) == 0 && done[1] != -1)
			running++;
		close(fd);
	}
}

int
main(int argc, char *argv[])
{
	const char *cmd = "uptime";
	int c, fd, done[2] = {-1, -1}, max = INT_MAX;
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
	/* We may have been started with SIGCHLD ignored: then no wait works. */
	signal(SIGCHLD, SIG_DFL);
	if (max < INT_MAX) {
		check(pipe(done), "pipe");
		check(fcntl(done[0], F_SETFD, FD_CLOEXEC), "fcntl");
		check(fcntl(done[1], F_SETFD, FD_CLOEXEC), "fcntl");
	}
	serve_all(listen_at(argv[optind], number(argv[optind + 1], 0, 65535)),
	    words, cmd, max, done);
}
