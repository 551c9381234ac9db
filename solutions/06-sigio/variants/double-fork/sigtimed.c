/* sigtimed.c - count primes, and serve clients while counting. */
/*
 * usage: sigtimed [-c CMD] [-w N] ADDR PORT
 *
 * Counts the primes below N (default: 1000000).  Whoever connects meanwhile, or
 * afterwards, gets the output of CMD (default: uptime): SIGIO tells of clients.
 */
#define _DEFAULT_SOURCE
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

/* Whether SIGIO has come since somebody looked. */
static volatile sig_atomic_t io;

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: sigtimed [-c CMD] [-w N] ADDR PORT\n");
	exit(2);
}

/* Say that WHAT has failed, and go on. */
static void
complain(const char *what)
{
	fprintf(stderr, "sigtimed: %s: %s\n", what, strerror(errno));
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "sigtimed: %s: %s\n", what, strerror(e));
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

/* Print the line "WHAT COUNT", where WHAT is half or primes. */
static void
say(const char *what, int count)
{
	if (printf("%s %d\n", what, count) < 0 || fflush(stdout) == EOF)
		fail(errno, "write");
}

/* Whether N, which is 2 at least, is a prime. */
static int
is_prime(int n)
{
	int d;

	for (d = 2; d <= n / d; d++)
		if (n % d == 0)
			return 0;
	return 1;
}

/* Handle SIGIO: say in "io" that it was here. */
static void
on_sigio(int sig)
{
	(void)sig;
	io = 1;
}

/*
 * Let on_sigio handle SIGIO.  Only then make this process the owner of FD, and
 * then let FD send SIGIO and never block; keep its other flags.  Check every
 * call.
 */
static void
arm(int fd)
{
	struct sigaction sa = {.sa_handler = on_sigio, .sa_flags = SA_RESTART};

	check(sigaction(SIGIO, &sa, NULL), "sigaction");
	check(fcntl(fd, F_SETOWN, getpid()), "fcntl");
	check(fcntl(fd, F_SETFL,
		  check(fcntl(fd, F_GETFL), "fcntl") | O_ASYNC | O_NONBLOCK),
	    "fcntl");
}

/*
 * In a child: become the command WORDS, with FD, the connection, as standard
 * output and standard error.  The armed socket LFD and a blocked SIGIO are not
 * for it.  If the command cannot be run, tell the client:
 * "error: CMD: REASON".
 */
static _Noreturn void
run(char *words[], const char *cmd, int lfd, int fd)
{
	sigset_t none;

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
 * Run the command for every client that waits at LFD, until nobody waits there
 * any more.  It is the child of a child that ends at once, so nobody here has to
 * wait for it.  A client that has given up (ECONNABORTED) is not the last one.
 * Complain if accept fails in another way, or if fork does.
 */
static void
serve(int lfd, char *words[], const char *cmd)
{
	pid_t pid;
	int fd;

	while ((fd = accept(lfd, NULL, NULL)) != -1 || errno == ECONNABORTED) {
		if (fd == -1)
			continue;
		if ((pid = fork()) == 0) {
			if (fork() != 0)
				_exit(0);
			run(words, cmd, lfd, fd);
		}
		if (pid == -1)
			complain("fork");
		else
			while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
				;
		close(fd);
	}
	if (errno != EAGAIN)
		complain("accept");
}

/*
 * Count the primes below MAX; say how many are below half of it (MAX / 2) as
 * soon as these are counted, and how many there are at the end.  Serve, between
 * two numbers, whenever SIGIO has come; and serve at the start, for who came
 * before LFD was armed has sent no SIGIO.  Afterwards sleep in sigsuspend, and
 * serve whenever SIGIO has come.
 */
static _Noreturn void
work(int max, int lfd, char *words[], const char *cmd)
{
	sigset_t set, none;
	int n, count = 0;

	io = 1;
	for (n = 0; n < max; n++) {
		if (n == max / 2)
			say("half", count);
		if (io) {
			io = 0;
			serve(lfd, words, cmd);
		}
		count += n > 1 && is_prime(n);
	}
	say("primes", count);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		while (!io)
			sigsuspend(&none);
		io = 0;
		serve(lfd, words, cmd);
	}
}

int
main(int argc, char *argv[])
{
	const char *cmd = "uptime";
	int c, fd, max = 1000000;
	char **words;

	while ((c = getopt(argc, argv, ":c:w:")) != -1)
		if (c == 'c')
			cmd = optarg;
		else if (c == 'w')
			max = number(optarg, 2, 100000000);
		else
			usage();
	if (argc - optind != 2 || cmd[strspn(cmd, " \t")] == '\0')
		usage();
	words = split(cmd);
	fd = listen_at(argv[optind],
	    (in_port_t)number(argv[optind + 1], 0, 65535));
	arm(fd);
	say_listening(fd);
	work(max, fd, words, cmd);
}
