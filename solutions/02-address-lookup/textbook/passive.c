/* passive.c - listen at every address that a server of this machine has. */
/*
 * usage: passive [-4 | -6] [-l] SERVICE
 */
#define _DEFAULT_SOURCE /* NI_MAXHOST, which POSIX does not know */
#include <sys/socket.h>

#include <netdb.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eai.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: passive [-4 | -6] [-l] SERVICE\n");
	exit(2);
}

/* Say that nobody can listen at ADDR PORT, because of the error E. */
static void
say_failed(const char *addr, const char *port, int e)
{
	fprintf(stderr, "passive: %s %s: %s\n", addr, port, strerror(e));
}

/* Print that clients can connect to ADDR PORT. */
static void
say_listening(const char *addr, const char *port)
{
	if (printf("LISTENING %s %s\n", addr, port) < 0 ||
	    fflush(stdout) == EOF) {
		perror("passive: write");
		exit(1);
	}
}

/*
 * Look up the addresses of FAMILY at which a server for SERVICE listens for
 * connections of type SOCK_STREAM: those that stand for all of this machine, or
 * those that only this machine can reach if LOOPBACK is not 0.  If that fails,
 * say "passive: NAME: TEXT" as resolve does, and exit with status 1.
 */
static struct addrinfo *
look_up(int family, int loopback, const char *service)
{
	struct addrinfo hints, *list;
	int code;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = family;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = loopback ? 0 : AI_PASSIVE;
	code = getaddrinfo(NULL, service, &hints, &list);
	if (code != 0) {
		fprintf(stderr, "passive: %s: %s\n", eai_name(code),
		    code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
		exit(1);
	}
	return list;
}

/*
 * Make a socket that listens at one entry of the list.  One for IPv6 leaves the
 * IPv4 addresses of its port to others.  Return it, or -1 with errno and without
 * a descriptor more than before.
 */
static int
listen_at(const struct addrinfo *p)
{
	int fd = socket(p->ai_family, p->ai_socktype, p->ai_protocol);

	if (fd == -1 || bind(fd, p->ai_addr, p->ai_addrlen) == -1 ||
	    listen(fd, 5) == -1)
		return -1;
	return fd;
}

/*
 * Write a socket address as two numbers, ADDR and PORT.  Return 0 or the error
 * code.
 */
static int
to_numbers(const struct sockaddr *name, socklen_t len, char addr[NI_MAXHOST],
    char port[NI_MAXSERV])
{
	return getnameinfo(name, len, addr, NI_MAXHOST, port, NI_MAXSERV,
	    NI_NUMERICHOST | NI_NUMERICSERV);
}

/*
 * Listen at every entry of the list, and give the list back.  Where that works,
 * call say_listening with what the kernel calls the socket; where it does not,
 * say_failed with what the entry says.  Return how many work.
 */
static int
listen_all(struct addrinfo *list)
{
	char addr[NI_MAXHOST], port[NI_MAXSERV];
	int fd = listen_at(list);

	to_numbers(list->ai_addr, list->ai_addrlen, addr, port);
	if (fd == -1)
		say_failed(addr, port, errno);
	else
		say_listening(addr, port);
	return fd != -1;
}

int
main(int argc, char *argv[])
{
	int opt, family = AF_UNSPEC, loopback = 0;

	while ((opt = getopt(argc, argv, "46l")) != -1) {
		if (opt == '?')
			usage();
		else if (opt == 'l')
			loopback = 1;
		else
			family = opt == '4' ? AF_INET : AF_INET6;
	}
	if (argc - optind != 1)
		usage();
	if (listen_all(look_up(family, loopback, argv[optind])) == 0)
		return 1;
	/* A server would take its clients now; this one only shows them. */
	for (;;)
		pause();
}
