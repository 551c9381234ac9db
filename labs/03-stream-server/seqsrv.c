/* seqsrv.c - a server that hands out numbers, a block for each request. */
/*
 * usage: seqsrv ADDR PORT
 *
 * A request is a line with a number N; the answer is a line with the first of
 * the N numbers that are the client's own from now on.  It is iterative.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

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

/* The port that S says; anything but a number up to 65535 is a usage error. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' || n > 65535)
		usage();
	return (in_port_t)n;
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
	(void)fd;
	(void)make_answer;
	errno = ENOSYS;
	return -1;
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
	(void)complain;
	(void)lfd;
	(void)serve;
	fail(ENOSYS, "serve_all");
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
