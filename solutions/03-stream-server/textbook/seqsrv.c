/* seqsrv.c - hand out numbers, as after one reading of the chapter. */
/*
 * usage: seqsrv ADDR PORT
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

static void
usage(void)
{
	fprintf(stderr, "usage: seqsrv ADDR PORT\n");
	exit(2);
}

/* The port in S. */
static in_port_t
to_port(const char *s)
{
	unsigned long n = strtoul(s, NULL, 10);

	if (*s == '\0' || strspn(s, "0123456789") != strlen(s) || n > 65535)
		usage();
	return (in_port_t)n;
}

static void
die(const char *what)
{
	fprintf(stderr, "seqsrv: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The number in the request, or 0 if it is none. */
static long
parse(const char *line)
{
	char *end;
	long count;

	if (line[0] < '0' || line[0] > '9')
		return 0;
	count = strtol(line, &end, 10);
	if (*end != '\n' || end - line > 30 || count > 1000000000)
		return 0;
	return count;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	char line[64], answer[64];
	long count;
	long long counter = 0;
	int listenfd, connfd;
	ssize_t n;

	if (argc != 3)
		usage();
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(to_port(argv[2]));
	if (inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1)
		usage();

	if ((listenfd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		die("socket");
	if (bind(listenfd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		die("bind");
	if (listen(listenfd, 5) == -1)
		die("listen");
	if (getsockname(listenfd, (struct sockaddr *)&sin, &len) == -1)
		die("getsockname");
	printf("LISTENING %s %d\n", inet_ntoa(sin.sin_addr),
	    ntohs(sin.sin_port));
	fflush(stdout);

	for (;;) {
		if ((connfd = accept(listenfd, NULL, NULL)) == -1)
			die("accept");
		while ((n = read(connfd, line, sizeof(line) - 1)) > 0) {
			line[n] = '\0';
			if ((count = parse(line)) > 0)
				sprintf(answer, "%lld\n", counter);
			else
				strcpy(answer, "ERR\n");
			counter += count;
			if (write(connfd, answer, strlen(answer)) == -1)
				die("write");
			if (count == 0)
				break;
		}
		if (n == -1)
			die("read");
		close(connfd);
	}
}
