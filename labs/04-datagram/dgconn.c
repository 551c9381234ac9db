/* dgconn.c - a datagram socket that has a peer. */
/*
 * usage: dgconn [-p PORT] HOST PORT MSG...
 *
 * Connect, send each MSG and print its reply; then dissolve the association.
 * With -p, bind the socket to that port first.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LARGEST = 65507
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dgconn [-p PORT] HOST PORT MSG...\n");
	exit(2);
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "dgconn: %s: %s\n", what, strerror(e));
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

/* The port that S says; anything but a number from 1 up is a usage error. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (s[strspn(s, "0123456789")] != '\0' || n < 1 || n > 65535)
		usage();
	return (in_port_t)n;
}

/* The symbolic name of the error E, so far as getpeername may fail with it. */
static const char *
errname(int e)
{
	return e == ENOTCONN ? "ENOTCONN" : strerror(e);
}

/* Print a name: " WORD ADDR PORT". */
static void
say_name(const char *word, const struct sockaddr_in *name)
{
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &name->sin_addr, addr, sizeof(addr));
	printf(" %s %s %u", word, addr, ntohs(name->sin_port));
}

/*
 * Print a line: WHEN, the socket's own name LOCAL, and its PEER's; but if E is
 * not 0, then there is no peer, and that is the error which says so.
 */
static void
say_names(const char *when, const struct sockaddr_in *local,
    const struct sockaddr_in *peer, int e)
{
	printf("%s:", when);
	say_name("local", local);
	if (e == 0)
		say_name("peer", peer);
	else
		printf(" peer %s", errname(e));
	if (putchar('\n') == EOF || fflush(stdout) == EOF)
		fail(errno, "write");
}

/* Print the N bytes of a REPLY in a line. */
static void
say_reply(const char *reply, size_t n)
{
	if (fwrite(reply, 1, n, stdout) != n || putchar('\n') == EOF ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
}

/*
 * Ask the kernel for the names of the socket FD and of its peer, and let
 * say_names print them after WHEN.  To have no peer is no failure.
 */
static void
show_names(int fd, const char *when)
{
	(void)fd;
	(void)when;
	(void)say_names;
	fail(ENOSYS, "show_names");
}

/*
 * Return a UDP socket that is connected to HOST, in dotted decimal, and PORT;
 * anything else in HOST is a usage error.  If OWN is not 0, bind it to that
 * port first, at any address; then throw away whatever has come before it was
 * connected, and don't wait for more.  Check every other call.
 */
static int
connect_to(const char *host, in_port_t port, in_port_t own)
{
	(void)host;
	(void)port;
	(void)own;
	(void)check;
	fail(ENOSYS, "connect_to");
}

/*
 * Send MSG to the peer of FD, wait for the reply as long as it takes, and let
 * say_reply print it.  A signal does not end the wait.  Check every other call.
 */
static void
ask(int fd, const char *msg)
{
	(void)fd;
	(void)msg;
	(void)say_reply;
	fail(ENOSYS, "ask");
}

/* Take the peer of FD away, so that anybody may write to it again. */
static void
dissolve(int fd)
{
	(void)fd;
	fail(ENOSYS, "dissolve");
}

int
main(int argc, char *argv[])
{
	in_port_t own = 0;
	int c, fd;

	while ((c = getopt(argc, argv, ":p:")) != -1)
		if (c == 'p')
			own = to_port(optarg);
		else
			usage();
	argv += optind;
	if (argc - optind < 3)
		usage();
	fd = connect_to(argv[0], to_port(argv[1]), own);
	show_names(fd, "connected");
	for (argv += 2; *argv != NULL; argv++)
		ask(fd, *argv);
	dissolve(fd);
	show_names(fd, "dissolved");
	return 0;
}
