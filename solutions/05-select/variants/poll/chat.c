/* chat.c - a chat server: what one client says, all others read; with poll. */
/*
 * The clients stand in a list in the order in which they came.  What can be sent
 * goes out at once; the rest waits in a queue that grows as needed.
 */
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

#define PIECE 4096
#define LIMIT 1048576

struct client {
	struct client *next;
	unsigned id;
	int fd, gone, slow;
	size_t nline, nqueue, room;
	char line[PIECE];
	char *queue;
	int cut; /* the last byte of LINE was one too many */
};

static struct client *first;

static void
die(const char *what)
{
	fprintf(stderr, "chat: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
deliver(struct client *c)
{
	ssize_t n;

	while (c->nqueue > 0) {
		n = write(c->fd, c->queue, c->nqueue);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n == -1) {
			c->nqueue = 0; /* reading will tell */
			return;
		}
		c->nqueue -= (size_t)n;
		memmove(c->queue, c->queue + n, c->nqueue);
	}
}

static void
tell(const struct client *but, const char *text, size_t n)
{
	struct client *c;

	for (c = first; c != NULL; c = c->next) {
		if (c == but || c->gone)
			continue;
		if (c->nqueue + n > LIMIT) {
			c->gone = c->slow = 1;
			continue;
		}
		if (c->nqueue + n > c->room) {
			c->room = (c->nqueue + n) * 2;
			c->queue = realloc(c->queue, c->room);
			if (c->queue == NULL)
				die("realloc");
		}
		memcpy(c->queue + c->nqueue, text, n);
		c->nqueue += n;
		deliver(c);
	}
}

static void
event(const struct client *c, const char *what)
{
	char text[64];

	tell(c, text,
	    (size_t)snprintf(text, sizeof(text), "* %u %s\n", c->id, what));
}

static void
speak(struct client *c)
{
	char text[PIECE + 16];
	size_t n = (size_t)snprintf(text, sizeof(text), "%u: ", c->id);

	memcpy(text + n, c->line, c->nline);
	n += c->nline;
	text[n++] = '\n';
	c->nline = 0;
	tell(c, text, n);
}

static void
hear(struct client *c)
{
	static char data[65536];
	ssize_t i, n = read(c->fd, data, sizeof(data));

	if (n == -1 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	for (i = 0; i < n; i++) {
		if (data[i] == '\n') {
			if (!c->cut)
				speak(c);
			c->cut = 0;
			continue;
		}
		c->cut = 0;
		c->line[c->nline++] = data[i];
		if (c->nline == PIECE) {
			speak(c);
			c->cut = 1;
		}
	}
	if (n <= 0) {
		if (c->nline > 0)
			speak(c);
		c->gone = 1;
	}
}

static void
bury(void)
{
	struct client **p = &first, *c;

	while (*p != NULL) {
		c = *p;
		if (!c->gone) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		close(c->fd);
		event(c, c->slow ? "left (slow)" : "left");
		free(c->queue);
		free(c);
		p = &first;
	}
}

/* Returns 0 if descriptors have run out. */
static int
welcome(int lfd)
{
	static unsigned count;
	struct client *c, **p;
	int fd;

	while ((fd = accept(lfd, NULL, NULL)) != -1) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			die("calloc");
		if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
			die("fcntl");
		c->fd = fd;
		c->id = count++;
		for (p = &first; *p != NULL; p = &(*p)->next)
			continue;
		*p = c;
		event(c, "joined");
	}
	if (errno != EMFILE && errno != ENFILE)
		return 1;
	perror("chat: accept");
	return 0;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t len = sizeof(name);
	struct pollfd *watched = NULL;
	struct client *c;
	size_t n, i;
	int lfd, on = 1, room = 1;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &name.sin_addr) != 1) {
		fprintf(stderr, "usage: chat ADDR PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	name.sin_port = htons((in_port_t)atoi(argv[2]));
	if ((lfd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		die("socket");
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(lfd, (struct sockaddr *)&name, len) == -1)
		die("bind");
	if (listen(lfd, SOMAXCONN) == -1)
		die("listen");
	if (getsockname(lfd, (struct sockaddr *)&name, &len) == -1)
		die("getsockname");
	printf("LISTENING %s %d\n", inet_ntoa(name.sin_addr),
	    ntohs(name.sin_port));
	fflush(stdout);
	fcntl(lfd, F_SETFL, O_NONBLOCK);
	for (;;) {
		n = 1;
		for (c = first; c != NULL; c = c->next)
			n++;
		watched = realloc(watched, n * sizeof(*watched));
		if (watched == NULL)
			die("realloc");
		watched[0].fd = room ? lfd : -1;
		watched[0].events = POLLIN;
		for (c = first, n = 1; c != NULL; c = c->next, n++) {
			watched[n].fd = c->fd;
			watched[n].events =
			    c->nqueue > 0 ? POLLIN | POLLOUT : POLLIN;
		}
		if (poll(watched, (nfds_t)n, room ? -1 : 1000) == -1) {
			if (errno != EINTR)
				die("poll");
			continue;
		}
		/* Nobody is added or taken away before the end of this loop. */
		for (c = first, i = 1; i < n; c = c->next, i++) {
			if (watched[i].revents & (POLLIN | POLLHUP | POLLERR))
				hear(c);
			if (watched[i].revents & POLLOUT)
				deliver(c);
		}
		bury();
		if (!room || watched[0].revents != 0)
			room = welcome(lfd);
		bury();
	}
}
