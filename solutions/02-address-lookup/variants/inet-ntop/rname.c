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
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	    .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	char text[8];
	socklen_t len;

	snprintf(text, sizeof(text), "%u", port);
	if (getaddrinfo(addr, text, &hints, &list) != 0)
		return 0;
	len = list->ai_addrlen;
	memcpy(name, list->ai_addr, len);
	freeaddrinfo(list);
	return len;
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
	static const struct {
		char letter;
		int flag;
	} all[] = {{'n', NI_NUMERICHOST}, {'N', NI_NUMERICSERV},
	    {'d', NI_DGRAM}, {'r', NI_NAMEREQD}};
	size_t i;
	int flags = 0;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strchr(letters, all[i].letter) != NULL)
			flags |= all[i].flag;
	return getnameinfo((const struct sockaddr *)name, len, host, size,
	    service, NI_MAXSERV, flags);
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
