/* tudp.c - an echo server for TCP and UDP, on the same port; with poll. */
#define _POSIX_C_SOURCE 200809L
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MOST = 1000
};

struct client {
	size_t from, to;
	char buf[4096];
};

static void
die(const char *what)
{
	fprintf(stderr, "tudp: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Returns -1 when there is nothing more to do for the client. */
static int
echo(int fd, struct client *c)
{
	ssize_t n;

	if (c->from == c->to) {
		n = read(fd, c->buf, sizeof(c->buf));
		if (n == 0)
			return -1;
		if (n == -1)
			return errno == EAGAIN ? 0 : -1;
		c->from = 0;
		c->to = (size_t)n;
	}
	n = write(fd, c->buf + c->from, c->to - c->from);
	if (n == -1)
		return errno == EAGAIN ? 0 : -1;
	c->from += (size_t)n;
	return 0;
}

int
main(int argc, char *argv[])
{
	static struct pollfd fds[MOST];
	static struct client *clients[MOST];
	static char data[65507];
	struct sockaddr_in name = {.sin_family = AF_INET}, peer;
	socklen_t len = sizeof(name);
	int fd, tries, n = 2, i, on = 1, wait = -1;
	ssize_t got;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &name.sin_addr) != 1) {
		fprintf(stderr, "usage: tudp ADDR PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (tries = 0; tries < 100; tries++) { /* UDP first, then TCP */
		name.sin_port = htons((in_port_t)atoi(argv[2]));
		fds[0].fd = socket(AF_INET, SOCK_DGRAM, 0);
		fds[1].fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fds[0].fd == -1 || fds[1].fd == -1)
			die("socket");
		setsockopt(fds[1].fd, SOL_SOCKET, SO_REUSEADDR, &on,
		    sizeof(on));
		if (bind(fds[0].fd, (struct sockaddr *)&name, len) == -1)
			die("bind");
		getsockname(fds[0].fd, (struct sockaddr *)&name, &len);
		if (bind(fds[1].fd, (struct sockaddr *)&name, len) == 0)
			break;
		if (errno != EADDRINUSE || atoi(argv[2]) != 0)
			die("bind");
		close(fds[0].fd);
		close(fds[1].fd);
	}
	fcntl(fds[0].fd, F_SETFL, O_NONBLOCK);
	fcntl(fds[1].fd, F_SETFL, O_NONBLOCK);
	if (listen(fds[1].fd, 10) == -1)
		die("listen");
	fds[0].events = fds[1].events = POLLIN;
	printf("LISTENING %s %d\n", inet_ntoa(name.sin_addr),
	    ntohs(name.sin_port));
	fflush(stdout);
	for (;;) {
		for (i = 2; i < n; i++)
			fds[i].events = clients[i]->from == clients[i]->to
			    ? POLLIN
			    : POLLOUT;
		if (poll(fds, (nfds_t)n, wait) == -1) {
			if (errno != EINTR)
				die("poll");
			continue;
		}
		wait = -1;
		for (i = n - 1; i >= 2; i--)
			if (fds[i].revents != 0 &&
			    echo(fds[i].fd, clients[i]) == -1) {
				close(fds[i].fd);
				free(clients[i]);
				clients[i] = clients[--n];
				fds[i] = fds[n];
			}
		len = sizeof(peer);
		if (fds[0].revents != 0 &&
		    (got = recvfrom(fds[0].fd, data, sizeof(data), 0,
			 (struct sockaddr *)&peer, &len)) != -1)
			sendto(fds[0].fd, data, (size_t)got, 0,
			    (struct sockaddr *)&peer, len);
		fds[1].events = POLLIN;
		if (fds[1].revents == 0 || n == MOST)
			continue;
		fd = accept(fds[1].fd, NULL, NULL);
		if (fd == -1 && (errno == EMFILE || errno == ENFILE)) {
			perror("tudp: accept");
			fds[1].events = 0;
			wait = 1000;
		}
		if (fd == -1)
			continue;
		fcntl(fd, F_SETFL, O_NONBLOCK);
		if ((clients[n] = calloc(1, sizeof(**clients))) == NULL)
			die("calloc");
		fds[n++].fd = fd;
	}
}
