/* rname.c - print what an address and a port are called. */
/*
 * usage: rname [-dnNr] [-b BYTES] ADDR PORT
 */
#define _DEFAULT_SOURCE /* NI_MAXHOST, which POSIX does not know */
#include <sys/socket.h>

#include <arpa/inet.h>
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
	fprintf(stderr, "usage: rname [-dnNr] [-b BYTES] ADDR PORT\n");
	exit(2);
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

/*
 * Make the socket address of ADDR, which is IPv4 in dotted decimal or IPv6, and
 * PORT.  Return its length, or 0 if ADDR is neither.
 */
static socklen_t
make_address(const char *addr, in_port_t port, struct sockaddr_storage *name)
{
	struct sockaddr_in *in = (struct sockaddr_in *)name;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)name;

	memset(name, 0, sizeof(*name));
	if (inet_pton(AF_INET, addr, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, addr, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		return sizeof(*in6);
	}
	return 0;
}

/*
 * Look the names of a socket address up: HOST, of SIZE bytes, and SERVICE, of
 * NI_MAXSERV.  There is a flag for each letter of LETTERS: 'n' the host as
 * numbers, 'N' the service as a number, 'd' the service is one for datagrams,
 * 'r' a host without a name is an error.  Return 0 or an error code.
 */
static int
look_up(const struct sockaddr_storage *name, socklen_t len, char *host,
    socklen_t size, char *service, const char *letters)
{
	char *room = malloc(size), name_of_port[NI_MAXSERV];
	int code, flags = 0;

	if (room == NULL)
		return EAI_MEMORY;
	for (; *letters != '\0'; letters++)
		flags |= *letters == 'n' ? NI_NUMERICHOST
		    : *letters == 'N'	 ? NI_NUMERICSERV
		    : *letters == 'd'	 ? NI_DGRAM
					 : NI_NAMEREQD;
	code = getnameinfo((const struct sockaddr *)name, len, NULL, 0,
	    name_of_port, sizeof(name_of_port), flags & ~NI_NAMEREQD);
	if (code == 0)
		code = getnameinfo((const struct sockaddr *)name, len, room,
		    size, NULL, 0, flags);
	if (code == 0) {
		strcpy(host, room);
		strcpy(service, name_of_port);
	}
	free(room);
	return code;
}

/* Say "rname: NAME: TEXT" on stderr, as resolve does for its own errors. */
static void
complain(int code)
{
	fprintf(stderr, "rname: %s: %s\n", eai_name(code),
	    code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
}

int
main(int argc, char *argv[])
{
	char host[NI_MAXHOST], service[NI_MAXSERV], letters[16] = "";
	struct sockaddr_storage name;
	socklen_t len, size = sizeof(host);
	int code, opt;

	while ((opt = getopt(argc, argv, "b:dnNr")) != -1) {
		if (opt == '?')
			usage();
		else if (opt == 'b')
			size = (socklen_t)number(optarg, 1, sizeof(host));
		else if (strchr(letters, opt) == NULL)
			letters[strlen(letters)] = (char)opt;
	}
	argc -= optind;
	argv += optind;
	if (argc != 2)
		usage();
	len =
	    make_address(argv[0], (in_port_t)number(argv[1], 0, 65535), &name);
	if (len == 0)
		usage();
	code = look_up(&name, len, host, size, service, letters);
	if (code != 0) {
		complain(code);
		return 1;
	}
	if (printf("%s %s\n", host, service) < 0 || fflush(stdout) == EOF) {
		perror("rname: write");
		return 1;
	}
	return 0;
}
