/* ruptimed.c - a command for each client, as after one reading. */
/*
 * usage: ruptimed [-c CMD] [-m N] ADDR PORT
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAXWORDS 64

static void
usage(void)
{
	fprintf(stderr, "usage: ruptimed [-c CMD] [-m N] ADDR PORT\n");
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
	fprintf(stderr, "ruptimed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
listen_at(const char *addr, const char *port)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(to_port(port));
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		usage();
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		die("socket");
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		die("bind");
	if (listen(fd, 5) == -1)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		die("getsockname");
	printf("LISTENING %s %d\n", inet_ntoa(sin.sin_addr),
	    ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char *argv[])
{
	char cmd[1024] = "uptime", copy[1024], *words[MAXWORDS + 1];
	int c, n = 0, max = 0, running = 0, listenfd, connfd;

	opterr = 0;
	while ((c = getopt(argc, argv, "c:m:")) != -1) {
		switch (c) {
		case 'c':
			strncpy(cmd, optarg, sizeof(cmd) - 1);
			break;
		case 'm':
			if ((max = atoi(optarg)) <= 0)
				usage();
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2)
		usage();
	strcpy(copy, cmd);
	words[0] = strtok(copy, " \t");
	while (words[n] != NULL && n < MAXWORDS)
		words[++n] = strtok(NULL, " \t");
	if (n == 0)
		usage();
	words[n] = NULL;

	listenfd = listen_at(argv[optind], argv[optind + 1]);
	for (;;) {
		if (max > 0 && running == max) {
			wait(NULL);
			running--;
		}
		if ((connfd = accept(listenfd, NULL, NULL)) == -1)
			die("accept");
		switch (fork()) {
		case -1:
			die("fork");
			break;
		case 0:
			dup2(connfd, STDOUT_FILENO);
			dup2(connfd, STDERR_FILENO);
			execvp(words[0], words);
			fprintf(stderr, "error: %s: %s\n", cmd,
			    strerror(errno));
			exit(127);
		default:
			running++;
			close(connfd);
		}
	}
}
