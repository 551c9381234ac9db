/* multid.c - one service at several addresses: a command for each client. */
/*
 * usage: multid [-c CMD] ADDR PORT [ADDR PORT]...
 *
 * One process waits in select for all the listening sockets.  The output of CMD
 * (default: uptime) goes straight to the client, as in ruptimed of lab 03: each
 * client has a process of its own.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: multid [-c CMD] ADDR PORT [ADDR PORT]...\n");
	exit(2);
}

/*
 * Say that WHAT has failed, and go on.  But if accept lacks a descriptor, it
 * would fail again at once, and nothing tells when there is one: pause.  That
 * holds up nobody else: the commands are processes of their own.
 */
static void
complain(const char *what)
{
	int e = errno;

	fprintf(stderr, "multid: %s: %s\n", what, strerror(e));
	if (e == EMFILE || e == ENFILE)
		sleep(1);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "multid: %s: %s\n", what, strerror(e));
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

/* The port S, which must be a number from 0 to 65535; or usage. */
static in_port_t
port_number(const char *s)
{
	long n = s[strspn(s, "0123456789")] == '\0' ? strtol(s, NULL, 10) : -1;

	if (*s == '\0' || n < 0 || n > 65535)
		usage();
	return (in_port_t)n;
}

/* Return a TCP socket that listens at ADDR and PORT. */
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

/* Print the line "LISTENING ADDR PORT" for the listening socket LFD. */
static void
say_listening(int lfd)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	char addr[INET_ADDRSTRLEN];

	check(getsockname(lfd, (struct sockaddr *)&name, &len), "getsockname");
	inet_ntop(AF_INET, &name.sin_addr, addr, sizeof(addr));
	if (printf("LISTENING %s %u\n", addr, ntohs(name.sin_port)) < 0 ||
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

/* Handle SIGCHLD: reap every child that has ended, and leave errno alone. */
static void
reap(int sig)
{
	int e = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	errno = e;
}

/* In the child: become the command WORDS, or say on stdout why not. */
static _Noreturn void
become(char *words[], const char *cmd)
{
	int sig;

	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (sig = 1; sig <= SIGRTMAX; sig++)
		signal(sig, SIG_DFL);
	execvp(words[0], words);
	dprintf(STDOUT_FILENO, "error: %s: %s\n", cmd, strerror(errno));
	_exit(127);
}

/*
 * Start a child that becomes the command for the client of the connection FD.
 * Its standard output and standard error are the connection, and it has nothing
 * else of the server's: none of the N listening sockets LFDS, and no second copy
 * of the connection.  The server keeps no copy at all.  If there can't be a
 * child, complain.
 */
static void
start(int fd, const int lfds[], int n, char *words[], const char *cmd)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (dup2(fd, 1) == -1 || dup2(fd, 2) == -1)
			_exit(127);
		close(fd);
		while (n > 0)
			close(lfds[--n]);
		become(words, cmd);
	}
	if (pid == -1)
		complain("fork");
	close(fd);
}

/*
 * Serve the N listening sockets LFDS, for ever: wait in select for all of them
 * at once, and start a child for a client of each that has one.  SIGCHLD, which
 * comes when a child ends, interrupts select.  And a client that select has seen
 * may have gone before accept: then accept must not wait for the next.
 */
static _Noreturn void
serve_all(const int lfds[], int n, char *words[], const char *cmd)
{
	int i, fd, max = 0;
	sigset_t child, open;
	fd_set ready;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	check(sigprocmask(SIG_BLOCK, &child, &open), "sigprocmask");

	for (i = 0; i < n; i++)
		max = lfds[i] > max ? lfds[i] : max;
	for (i = 0; i < n; i++)
		check(fcntl(lfds[i], F_SETFL, O_NONBLOCK), "fcntl");
	for (;;) {
		FD_ZERO(&ready);
		for (i = 0; i < n; i++)
			FD_SET(lfds[i], &ready);
		if (pselect(max + 1, &ready, NULL, NULL, NULL, &open) == -1) {
			if (errno != EINTR)
				fail(errno, "select");
			continue;
		}
		for (i = 0; i < n; i++) {
			if (!FD_ISSET(lfds[i], &ready))
				continue;
			if ((fd = accept(lfds[i], NULL, NULL)) != -1)
				start(fd, lfds, n, words, cmd);
			else if (errno != EAGAIN && errno != EINTR)
				complain("accept");
		}
	}
}

int
main(int argc, char *argv[])
{
	struct sigaction sa = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
	const char *cmd = "uptime";
	int c, fd, n, *lfds;
	char **words;

	while ((c = getopt(argc, argv, ":c:")) != -1)
		if (c == 'c')
			cmd = optarg;
		else
			usage();
	argv += optind;
	argc -= optind;
	if (argc == 0 || argc % 2 != 0 || cmd[strspn(cmd, " \t")] == '\0')
		usage();
	words = split(cmd);
	/* A socket that got 0, 1 or 2 would pass for the command's own. */
	do
		fd = check(open("/dev/null", O_RDWR), "/dev/null");
	while (fd <= STDERR_FILENO);
	close(fd);
	if ((lfds = calloc((size_t)argc / 2, sizeof(*lfds))) == NULL)
		fail(errno, "calloc");
	for (n = 0; n < argc / 2; n++)
		if ((lfds[n] = listen_at(argv[2 * n],
			 port_number(argv[2 * n + 1]))) >= FD_SETSIZE)
			fail(EMFILE, "select");
	for (fd = 0; fd < n; fd++)
		say_listening(lfds[fd]);
	check(sigaction(SIGCHLD, &sa, NULL), "sigaction");
	serve_all(lfds, n, words, cmd);
}
