/* netdb.c - print the databases of hosts, networks, protocols, and services. */
/*
 * usage: netdb [-2] hosts|nets|protos|servs
 *        netdb serv NAME [PROTO]
 *        netdb port N [PROTO]
 *        netdb proto NAME|N
 *        netdb net NAME|ADDR
 *
 * These interfaces are history: new programs use getaddrinfo and getnameinfo.
 */
#define _DEFAULT_SOURCE
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: netdb [-2] hosts|nets|protos|servs\n"
	    "       netdb serv NAME [PROTO]\n"
	    "       netdb port N [PROTO]\n"
	    "       netdb proto NAME|N\n"
	    "       netdb net NAME|ADDR\n");
	exit(2);
}

/* Print one line: what it says, and the aliases. */
static void
print_line(const char *name, const char *value, char **aliases)
{
	printf("%s %s", name, value);
	for (; *aliases != NULL; aliases++)
		printf(" %s", *aliases);
	putchar('\n');
}

/* The number S, which must be one, in decimal, from 0 to 65535; or usage. */
static int
number(const char *s)
{
	long n = s[strspn(s, "0123456789")] == '\0' ? strtol(s, NULL, 10) : -1;

	if (*s == '\0' || n < 0 || n > 65535)
		usage();
	return (int)n;
}

/* The network S, four numbers with dots, in host byte order; or usage. */
static uint32_t
to_net(const char *s)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, s, &addr) != 1)
		usage();
	return ntohl(addr.s_addr);
}

/* Print a host with the first of its addresses; return whether there is one. */
static int
print_host(const struct hostent *h)
{
	char addr[INET6_ADDRSTRLEN];

	if (h == NULL)
		return 0;
	inet_ntop(h->h_addrtype, h->h_addr_list[0], addr, sizeof(addr));
	print_line(h->h_name, addr, h->h_aliases);
	return 1;
}

/* Print a network, as an address, if there is one; return whether. */
static int
print_net(const struct netent *n)
{
#ifndef SKELETON
	char text[INET_ADDRSTRLEN];
	struct in_addr addr;

	if (n == NULL)
		return 0;
	addr.s_addr = htonl(n->n_net);
	inet_ntop(AF_INET, &addr, text, sizeof(text));
	print_line(n->n_name, text, n->n_aliases);
	return 1;
#else
	(void)n;
	errno = ENOSYS;
	return 0;
#endif
}

/* Print a protocol, with its number, if there is one; return whether. */
static int
print_proto(const struct protoent *p)
{
	char text[16];

	if (p == NULL)
		return 0;
	snprintf(text, sizeof(text), "%d", p->p_proto);
	print_line(p->p_name, text, p->p_aliases);
	return 1;
}

/* Print a service, as "PORT PROTO", if there is one; return whether. */
static int
print_serv(const struct servent *s)
{
#ifndef SKELETON
	char text[128];

	if (s == NULL)
		return 0;
	snprintf(text, sizeof(text), "%u %s", ntohs((uint16_t)s->s_port),
	    s->s_proto);
	print_line(s->s_name, text, s->s_aliases);
	return 1;
#else
	(void)s;
	errno = ENOSYS;
	return 0;
#endif
}

/*
 * Print the whole of the database KIND ("hosts", "nets", "protos", "servs"),
 * from its beginning to its end, and close it.  Return 0, or -1 with errno.
 */
static int
scan(const char *kind)
{
#ifndef SKELETON
	if (strcmp(kind, "hosts") == 0) {
		sethostent(1);
		while (print_host(gethostent()))
			;
		endhostent();
	} else if (strcmp(kind, "nets") == 0) {
		setnetent(1);
		while (print_net(getnetent()))
			;
		endnetent();
	} else if (strcmp(kind, "protos") == 0) {
		setprotoent(1);
		while (print_proto(getprotoent()))
			;
		endprotoent();
	} else {
		setservent(1);
		while (print_serv(getservent()))
			;
		endservent();
	}
	return 0;
#else
	(void)kind;
	(void)print_host;
	errno = ENOSYS;
	return -1;
#endif
}

/*
 * Look up one entry of KIND ("serv", "port", "proto", "net") by WORD, which is
 * a number if it begins with a digit, and print it.  PROTO, "tcp" say, may be a
 * null pointer.  Return whether there is one.
 */
static int
look_up(const char *kind, const char *word, const char *proto)
{
#ifndef SKELETON
	int digit = isdigit((unsigned char)*word);

	if (strcmp(kind, "serv") == 0)
		return print_serv(getservbyname(word, proto));
	if (strcmp(kind, "port") == 0)
		return print_serv(
		    getservbyport(htons((uint16_t)number(word)), proto));
	if (strcmp(kind, "proto") == 0)
		return print_proto(digit ? getprotobynumber(number(word))
					 : getprotobyname(word));
	return print_net(
	    digit ? getnetbyaddr(to_net(word), AF_INET) : getnetbyname(word));
#else
	(void)isdigit((unsigned char)*kind);
	(void)word;
	(void)proto;
	(void)number;
	(void)to_net;
	(void)print_net;
	(void)print_proto;
	(void)print_serv;
	errno = ENOSYS;
	return 0;
#endif
}

/* Whether WORD is one of the words in LIST, each with a blank behind it. */
static int
among(const char *word, const char *list)
{
	size_t n = strlen(word);
	const char *p;

	for (p = list; n > 0 && (p = strstr(p, word)) != NULL; p++)
		if ((p == list || p[-1] == ' ') && p[n] == ' ')
			return 1;
	return 0;
}

int
main(int argc, char *argv[])
{
	int opt, times = 1;

	while ((opt = getopt(argc, argv, "2")) != -1) {
		if (opt != '2')
			usage();
		times = 2;
	}
	argc -= optind;
	argv += optind;
	if (argc == 1 && among(argv[0], "hosts nets protos servs ")) {
		while (times-- > 0)
			if (scan(argv[0]) == -1) {
				perror("netdb");
				return 1;
			}
	} else if (times == 1 &&
	    ((argc == 2 && among(argv[0], "proto net ")) ||
		((argc == 2 || argc == 3) && among(argv[0], "serv port ")))) {
		if (!look_up(argv[0], argv[1], argc == 3 ? argv[2] : NULL)) {
			fprintf(stderr, "netdb: %s: not found\n", argv[1]);
			return 1;
		}
	} else {
		usage();
	}
	if (fflush(stdout) == EOF || ferror(stdout)) {
		perror("netdb: write");
		return 1;
	}
	return 0;
}
