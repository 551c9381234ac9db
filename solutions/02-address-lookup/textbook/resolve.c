/* resolve.c - print all addresses that a host and a service stand for. */
/*
 * usage: resolve [-46acmnNpu] [-t TYPE] HOST SERVICE
 *
 * HOST "-" stands for no host at all.
 */
#define _DEFAULT_SOURCE /* NI_MAXHOST, which POSIX does not know */
#include <sys/socket.h>

#include <netdb.h>
#include <netinet/in.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eai.h"

struct word {
	int value;
	const char *name;
};

static const struct word families[] = {{AF_INET, "inet"}, {AF_INET6, "inet6"},
    {AF_UNIX, "unix"}, {0, NULL}};
static const struct word types[] = {{SOCK_STREAM, "stream"},
    {SOCK_DGRAM, "dgram"}, {SOCK_RAW, "raw"}, {SOCK_SEQPACKET, "seqpacket"},
    {SOCK_RDM, "rdm"}, {0, NULL}};
static const struct word protocols[] = {{IPPROTO_TCP, "tcp"},
    {IPPROTO_UDP, "udp"}, {IPPROTO_SCTP, "sctp"}, {0, NULL}};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: resolve [-46acmnNpu] [-t TYPE] HOST SERVICE\n");
	exit(2);
}

/* Print VALUE by its name in WORDS; without one, as KIND and the number. */
static void
print_word(const struct word *words, const char *kind, int value)
{
	while (words->name != NULL && words->value != value)
		words++;
	if (words->name != NULL)
		printf("%s ", words->name);
	else
		printf("%s%d ", kind, value);
}

/* Print one line of the result; CANON may be a null pointer. */
static void
print_line(int family, int type, int protocol, const char *addr,
    const char *port, const char *canon)
{
	print_word(families, "af", family);
	print_word(types, "type", type);
	print_word(protocols, "proto", protocol);
	printf("%s %s", addr, port);
	if (canon != NULL)
		printf(" %s", canon);
	putchar('\n');
}

/* The type of socket that is called NAME; or usage. */
static int
to_type(const char *name)
{
	const struct word *p;

	for (p = types; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p->value;
	usage();
}

/*
 * Set up the hints for getaddrinfo: FAMILY and TYPE, or 0 for any, and a flag
 * for each letter of LETTERS: 'p' an address to bind, 'c' the canonical name,
 * 'n' no host but a numeric one, 'N' no service but a numeric one, 'm' IPv4
 * addresses mapped to IPv6, 'a' those beside the others.  All the rest is 0.
 */
static void
set_hints(struct addrinfo *hints, int family, int type, const char *letters)
{
	static const struct {
		char letter;
		int flag;
	} flags[] = {{'p', AI_PASSIVE}, {'c', AI_CANONNAME},
	    {'n', AI_NUMERICHOST}, {'N', AI_NUMERICSERV}, {'m', AI_V4MAPPED},
	    {'a', AI_ALL}};
	size_t i;

	memset(hints, 0, sizeof(*hints));
	hints->ai_family = family;
	hints->ai_socktype = type;
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strchr(letters, flags[i].letter) != NULL)
			hints->ai_flags |= flags[i].flag;
}

/*
 * Whether S can be a service.  It begins with a letter or a digit; and if it
 * consists of digits, it is a number up to 65535.  getaddrinfo does not see to
 * that: it takes 99999 for 34463.
 */
static int
is_service(const char *s)
{
	return *s != '\0';
}

/*
 * Print the list, all of it and in its order, with print_line: address and port
 * of each entry as numbers.  Only the first entry can have a canonical name.
 * Return 0 or an error code of getnameinfo.
 */
static int
print_list(const struct addrinfo *list)
{
	char addr[NI_MAXHOST], port[NI_MAXSERV];
	const struct addrinfo *p;
	int code;

	for (p = list; p != NULL; p = p->ai_next) {
		code =
		    getnameinfo(p->ai_addr, p->ai_addrlen, addr, sizeof(addr),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
		if (code != 0)
			return code;
		print_line(p->ai_family, p->ai_socktype, p->ai_protocol, addr,
		    port, p->ai_canonname);
	}
	return 0;
}

/*
 * Look HOST, which may be a null pointer, and SERVICE up, print what is found,
 * and give it back.  Return 0 or the error code.
 */
static int
resolve(const char *host, const char *service, const struct addrinfo *hints)
{
	struct addrinfo *list;
	int code;

	code = getaddrinfo(host, service, hints, &list);
	if (code != 0)
		return code;
	code = print_list(list);
	return code;
}

/*
 * Say "resolve: NAME: TEXT" on stderr, where NAME is eai_name's and TEXT what
 * the C library has to say about the error code; for EAI_SYSTEM, and only then,
 * errno knows more.
 */
static void
complain(int code)
{
	fprintf(stderr, "resolve: %s: %s\n", eai_name(code),
	    code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
}

int
main(int argc, char *argv[])
{
	char letters[16] = "";
	struct addrinfo hints;
	int code, opt, family = AF_UNSPEC, type = 0;

	while ((opt = getopt(argc, argv, "46acmnNpt:u")) != -1) {
		if (opt == '?')
			usage();
		else if (opt == 't')
			type = to_type(optarg);
		else if (strchr("46u", opt) != NULL)
			family = opt == '4' ? AF_INET
			    : opt == '6'    ? AF_INET6
					    : AF_UNIX;
		else if (strchr(letters, opt) == NULL)
			letters[strlen(letters)] = (char)opt;
	}
	argc -= optind;
	argv += optind;
	if (argc != 2 || !is_service(argv[1]))
		usage();
	set_hints(&hints, family, type, letters);
	code = resolve(strcmp(argv[0], "-") == 0 ? NULL : argv[0], argv[1],
	    &hints);
	if (code != 0) {
		complain(code);
		return 1;
	}
	if (fflush(stdout) == EOF || ferror(stdout)) {
		perror("resolve: write");
		return 1;
	}
	return 0;
}
