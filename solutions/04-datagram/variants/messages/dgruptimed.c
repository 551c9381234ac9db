/* dgruptimed.c - answer each datagram with the output of a command. */
/*
 * usage: dgruptimed [-c CMD] ADDR PORT
 *
 * A request is "RUP?" and an id of four bytes; its answer is "RUP!", the same
 * id, and the first 1400 bytes that CMD (default: uptime) prints.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	HEAD = 8,
	TEXT = 1400
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dgruptimed [-c CMD] ADDR PORT\n");
	exit(2);
}

/* Say that WHAT has failed, and go on. */
static void
complain(const char *what)
{
	fprintf(stderr, "dgruptimed: %s: %s\n", what, strerror(errno));
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "dgruptimed: %s: %s\n", what, strerror(e));
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

/* Print the line "LISTENING ADDR PORT", with the name of the socket. */
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
 * Run the command WORDS to its end and put the first TEXT bytes of what it
 * prints into BUF, or one line of the form "error: CMD: REASON".  Return their
 * number.  The command does not get the socket FD.
 */
static size_t
run(char *words[], const char *cmd, int fd, char buf[TEXT])
{
	char rest[BUFSIZ];
	size_t n = 0;
	ssize_t got = 1;
	int p[2];
	pid_t pid = -1;

	if (pipe(p) == 0 && (pid = fork()) == 0) {
		close(fd);
		close(p[0]);
		dup2(p[1], STDOUT_FILENO);
		dup2(p[1], STDERR_FILENO);
		close(p[1]);
		execvp(words[0], words);
		dprintf(STDOUT_FILENO, "error: %s: %s\n", cmd, strerror(errno));
		_exit(127);
	}
	check(pid, "fork");
	close(p[1]);
	while (got > 0 || (got == -1 && errno == EINTR)) {
		if (n < TEXT)
			got = read(p[0], buf + n, TEXT - n);
		else
			got = read(p[0], rest, sizeof(rest));
		if (n < TEXT && got > 0)
			n += (size_t)got;
	}
	close(p[0]);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	return n;
}

/*
 * Make a UDP socket that is bound to ADDR, in dotted decimal, and PORT.  It
 * must not share the port with anybody.  Anything else in ADDR is a usage
 * error.  Then ask the kernel for the socket's name and let say_listening print
 * it.  Return the socket.  Check every call.
 */
static int
bind_to(const char *addr, in_port_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t len = sizeof(name);
	int fd = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");

	name.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &name.sin_addr) != 1)
		usage();
	check(bind(fd, (struct sockaddr *)&name, len), "bind");
	check(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
	say_listening(&name);
	return fd;
}

/*
 * Answer every request that comes to FD, for ever: to whom it came from, with
 * its own id, and with what run() returns.  Pass over whatever is not exactly
 * "RUP?" and an id.  If an answer can't be sent, complain and go on.
 */
static _Noreturn void
serve(int fd, char *words[], const char *cmd)
{
	struct sockaddr_storage from;
	char head[HEAD], text[TEXT];
	struct iovec io[2] = {{head, sizeof(head)}, {text, sizeof(text)}};
	struct msghdr msg = {.msg_name = &from, .msg_iov = io};
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	for (;;) {
		if (poll(&ready, 1, -1) == -1)
			continue;
		msg.msg_namelen = sizeof(from);
		msg.msg_iovlen = 1;
		if (recvmsg(fd, &msg, MSG_DONTWAIT) != HEAD ||
		    msg.msg_flags & MSG_TRUNC || memcmp(head, "RUP?", 4) != 0)
			continue;
		head[3] = '!';
		io[1].iov_len = run(words, cmd, fd, text);
		msg.msg_iovlen = 2;
		if (sendmsg(fd, &msg, MSG_NOSIGNAL) == -1)
			complain("sendmsg");
	}
}

int
main(int argc, char *argv[])
{
	const char *cmd = "uptime";
	int c;

	while ((c = getopt(argc, argv, ":c:")) != -1)
		if (c == 'c')
			cmd = optarg;
		else
			usage();
	if (argc - optind != 2 || cmd[strspn(cmd, " \t")] == '\0')
		usage();
	serve(bind_to(argv[optind], to_port(argv[optind + 1])), split(cmd),
	    cmd);
}
