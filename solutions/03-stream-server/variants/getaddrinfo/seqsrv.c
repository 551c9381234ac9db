/* seqsrv.c - hand out numbers; getaddrinfo makes the address. */
/*
 * usage: seqsrv ADDR PORT
 *
 * A request is a line with a number N; the answer is a line with the first of
 * the N numbers that are the client's own from now on.  It is iterative.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <netdb.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAXLINE = 30, /* bytes in a request, without its newline */
	MAXCOUNT = 1000000000,
	ANSWERSIZE = 32 /* room for any answer and its NUL */
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: seqsrv ADDR PORT\n");
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

	fprintf(stderr, "seqsrv: %s: %s\n", what, strerror(e));
	if (e == EMFILE || e == ENFILE)
		sleep(1);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "seqsrv: %s: %s\n", what, strerror(e));
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

/* S, if it is a port: a number up to 65535.  Anything else is a usage error. */
static const char *
to_port(const char *s)
{
	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' ||
	    strtoul(s, NULL, 10) > 65535)
		usage();
	return s;
}

/* Print the line "LISTENING ADDR PORT", with the name of a listening socket. */
static void
say_listening(const struct sockaddr *name, socklen_t len)
{
	char addr[64], port[8];

	if (getnameinfo(name, len, addr, sizeof(addr), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		fail(EAFNOSUPPORT, "getnameinfo");
	if (printf("LISTENING %s %s\n", addr, port) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
}

/*
 * Put the answer to the request LINE into ANSWER, newline and all, and move the
 * counter on.  LINE has LEN bytes, without a newline and without a NUL.  Return
 * 1 if the request is good, 0 if it is bad and the answer is ERR.
 */
static int
make_answer(const char *line, size_t len, char answer[ANSWERSIZE])
{
	static long long counter;
	long long count = 0;
	size_t i;

	for (i = 0; i < len && isdigit((unsigned char)line[i]); i++)
		if (count <= MAXCOUNT)
			count = 10 * count + (line[i] - '0');
	if (i < len || len > MAXLINE || count < 1 || count > MAXCOUNT) {
		strcpy(answer, "ERR\n");
		return 0;
	}
	snprintf(answer, ANSWERSIZE, "%lld\n", counter);
	counter += count;
	return 1;
}

/*
 * The address of HOST and PORT, both of them in figures.  It may be of any
 * family that getaddrinfo knows.  Anything else is a usage error.
 */
static struct addrinfo *
resolve(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *ai;

	if (getaddrinfo(host, port, &hints, &ai) != 0)
		usage();
	return ai;
}

/*
 * Make a TCP socket that is bound to ADDR and PORT and listens, print its name,
 * and return it.
 */
static int
listen_at(const char *addr, const char *port)
{
	struct addrinfo *ai = resolve(addr, port);
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	int fd, on = 1;

	fd = check(socket(ai->ai_family, ai->ai_socktype, ai->ai_protocol),
	    "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
	    "setsockopt");
	check(bind(fd, ai->ai_addr, ai->ai_addrlen), "bind");
	freeaddrinfo(ai);
	check(listen(fd, SOMAXCONN), "listen");
	check(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
	say_listening((struct sockaddr *)&name, len);
	return fd;
}

/*
 * Answer every request of the client on FD, as soon as its newline is here, and
 * return 0 when the client has no more to say.  A line that is longer than
 * MAXLINE is a bad request as soon as that can be seen.  After the answer to a
 * bad request say that it was the last, and throw away what the client still
 * sends: its end of file is the proof that it has got everything.  Return -1
 * with errno if the connection breaks.  A signal does not break it.
 */
static int
serve(int fd)
{
	char buf[4096], line[MAXLINE + 1], answer[ANSWERSIZE], *p;
	size_t len = 0;
	ssize_t i, n, w;
	int good = 1;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n == -1 && errno != EINTR)
			return -1;
		for (i = 0; i < n && good; i++) {
			if (buf[i] != '\n')
				line[len++] = buf[i];
			if (buf[i] != '\n' && len <= MAXLINE)
				continue;
			good = make_answer(line, len, answer);
			len = 0;
			for (p = answer; *p != '\0'; p += w)
				while ((w = write(fd, p, strlen(p))) == -1)
					if (errno != EINTR)
						return -1;
			if (!good && shutdown(fd, SHUT_WR) == -1)
				return -1;
		}
	}
	return 0;
}

/*
 * Serve the clients of the listening socket LFD, one after the other, for ever.
 * Complain if accept fails, unless that was by a signal, and of a client whose
 * connection breaks.  No client ends the server, not even one that has gone
 * before its answer is written.
 */
static _Noreturn void
serve_all(int lfd)
{
	int fd;

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		while ((fd = accept(lfd, NULL, NULL)) == -1)
			if (errno != EINTR)
				complain("accept");
		if (serve(fd) == -1)
			complain("client");
		close(fd);
	}
}

int
main(int argc, char *argv[])
{
	if (argc != 3)
		usage();
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	serve_all(listen_at(argv[1], to_port(argv[2])));
}
