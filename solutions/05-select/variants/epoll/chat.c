/* chat.c - a chat server: what one client says, all others read. */
/*
 * usage: chat ADDR PORT
 *
 * One process waits in epoll_wait for everybody at once.  Nobody is waited for:
 * what a client has said of a line is kept until the line is complete, and what
 * a client does not read yet is kept until it does, up to a limit.
 */
#define _POSIX_C_SOURCE 200809L
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE = 4096,
	QUEUE = 1 << 20
};

struct client {
	int fd;
	int wants_room; /* as the watcher knows it */
	unsigned id;
	const char *left; /* "" or " (slow)" once it has left, or NULL */
	size_t nline;
	char line[LINE]; /* what has come of its line, without newline */
	size_t nqueue;
	char queue[QUEUE]; /* what it is still to read */
};

/* The clients, by descriptor; none of them is as high as top. */
static struct client *clients[FD_SETSIZE];
static int top;

/* What is watched: everybody, level-triggered. */
static int watcher = -1;

/* accept has just failed for want of a descriptor. */
static int full;

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: chat ADDR PORT\n");
	exit(2);
}

/* Say that WHAT has failed, and go on. */
static void
complain(const char *what)
{
	fprintf(stderr, "chat: %s: %s\n", what, strerror(errno));
}

/* Say that WHAT has failed with the error E, and exit. */
static _Noreturn void
fail(int e, const char *what)
{
	fprintf(stderr, "chat: %s: %s\n", what, strerror(e));
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

/* The port S, which must be a number from 0 to 65535; or usage. */
static in_port_t
port_number(const char *s)
{
	long n = s[strspn(s, "0123456789")] == '\0' ? strtol(s, NULL, 10) : -1;

	if (*s == '\0' || n < 0 || n > 65535)
		usage();
	return (in_port_t)n;
}

/* Listen at ADDR and PORT, say so, and return the socket. */
static int
listen_at(const char *addr, in_port_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t len = sizeof(name);
	char text[INET_ADDRSTRLEN];
	int on = 1, fd;

	name.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &name.sin_addr) != 1)
		usage();
	fd = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
	    "setsockopt");
	check(bind(fd, (struct sockaddr *)&name, len), "bind");
	check(listen(fd, SOMAXCONN), "listen");
	check(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
	inet_ntop(AF_INET, &name.sin_addr, text, sizeof(text));
	if (printf("LISTENING %s %u\n", text, ntohs(name.sin_port)) < 0 ||
	    fflush(stdout) == EOF)
		fail(errno, "write");
	return fd;
}

/* Make FD a descriptor on which no call waits. */
static void
set_nonblocking(int fd)
{
	check(fcntl(fd, F_SETFL,
		  check(fcntl(fd, F_GETFL), "fcntl") | O_NONBLOCK),
	    "fcntl");
}

/* Return the client with descriptor FD, or NULL if there is none any more. */
static struct client *
here(int fd)
{
	struct client *c = clients[fd];

	return c != NULL && c->left == NULL ? c : NULL;
}

/*
 * Send C what it is still to read, as much as goes without waiting; the rest
 * stays.  If C can't be written to, drop its queue, but leave it to take() to
 * find out that it has gone: it may have said something before.
 */
static void
flush_queue(struct client *c)
{
	ssize_t n = send(c->fd, c->queue, c->nqueue, MSG_NOSIGNAL);

	if (n == -1)
		n = errno == EAGAIN || errno == EINTR ? 0 : (ssize_t)c->nqueue;
	c->nqueue -= (size_t)n;
	memmove(c->queue, c->queue + n, c->nqueue);
}

/*
 * Queue the N bytes at MSG for C.  If there is no room for them, even after
 * what can be sent has been sent, C is too slow, and has left.
 */
static void
enqueue(struct client *c, const char *msg, size_t n)
{
	if (n > QUEUE - c->nqueue)
		flush_queue(c);
	if (n > QUEUE - c->nqueue) {
		c->left = " (slow)";
		return;
	}
	memcpy(c->queue + c->nqueue, msg, n);
	c->nqueue += n;
}

/* Queue the N bytes at MSG for everybody who is here but FROM. */
static void
tell_others(const struct client *from, const char *msg, size_t n)
{
	int fd;

	for (fd = 0; fd < top; fd++)
		if (here(fd) != NULL && here(fd) != from)
			enqueue(here(fd), msg, n);
}

/* Tell all others that C has joined or left: "* N WHAT HOW". */
static void
announce(const struct client *c, const char *what, const char *how)
{
	char msg[64];

	tell_others(c, msg,
	    (size_t)snprintf(msg, sizeof(msg), "* %u %s%s\n", c->id, what,
		how));
}

/* Tell all others the line that C has completed, and begin a new one. */
static void
say(struct client *c)
{
	char msg[LINE + 16];
	int n = snprintf(msg, sizeof(msg), "%u: ", c->id);

	memcpy(msg + n, c->line, c->nline);
	msg[n + (int)c->nline] = '\n';
	tell_others(c, msg, (size_t)n + c->nline + 1);
	c->nline = 0;
}

/* C has no more to say: say what is there of a line, and let it be swept away. */
static void
end(struct client *c)
{
	if (c->nline > 0)
		say(c);
	c->left = "";
}

/*
 * Take what C has sent, in one call that does not wait, and say() each line
 * that is complete: at its newline, or at the byte that would be one too many.
 * When there is no more to come, end(c).
 */
static void
take(struct client *c)
{
	char buf[8192];
	ssize_t i, n = recv(c->fd, buf, sizeof(buf), 0);

	for (i = 0; i < n; i++) {
		if (buf[i] == '\n' || c->nline == LINE)
			say(c);
		if (buf[i] != '\n')
			c->line[c->nline++] = buf[i];
	}
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		end(c);
}

/* Watch FD for EVENTS; OP is EPOLL_CTL_ADD or EPOLL_CTL_MOD. */
static void
watch(int op, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	check(epoll_ctl(watcher, op, fd, &e), "epoll_ctl");
}

/* The client of the connection FD is here: give it a number, and announce it. */
static void
add_client(int fd)
{
	static unsigned count;
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		complain("calloc");
		close(fd);
		return;
	}
	set_nonblocking(fd);
	clients[fd] = c;
	top = fd < top ? top : fd + 1;
	c->fd = fd;
	watch(EPOLL_CTL_ADD, fd, EPOLLIN);
	c->id = count++;
	announce(c, "joined", "");
}

/*
 * Add the client that waits at the listening socket LFD; it may have gone: then
 * do nothing.  Neither accept nor any call on the connection may wait.  If
 * descriptors have run out, complain and set full.  A client whose descriptor
 * does not fit into an fd_set is sent away.
 */
static void
arrive(int lfd)
{
	int fd;

	fd = accept(lfd, NULL, NULL);
	full = fd == -1 && (errno == EMFILE || errno == ENFILE);
	if (full)
		complain("accept");
	if (fd >= FD_SETSIZE)
		close(fd);
	else if (fd != -1)
		add_client(fd);
}

/* Let go who has left, and tell the others; that may be too much for one. */
static void
sweep(void)
{
	struct client *c;
	int fd;

	for (fd = 0; fd < top; fd++) {
		c = clients[fd];
		if (c == NULL || c->left == NULL)
			continue;
		clients[fd] = NULL;
		close(fd);
		announce(c, "left", c->left);
		free(c);
		fd = -1; /* from the beginning */
	}
}

/* Wait until there is something to do, and say what in the sets. */
static int
wait_for_work(int lfd, fd_set *rd, fd_set *wr)
{
	struct epoll_event e[32];
	int i, fd, n, limit = full ? 1000 : -1;

	FD_ZERO(rd);
	FD_ZERO(wr);
	watch(EPOLL_CTL_MOD, lfd, full ? 0 : EPOLLIN);
	full = 0;
	for (fd = 0; fd < top; fd++)
		if (clients[fd] != NULL &&
		    clients[fd]->wants_room != (clients[fd]->nqueue > 0)) {
			clients[fd]->wants_room = clients[fd]->nqueue > 0;
			watch(EPOLL_CTL_MOD, fd,
			    clients[fd]->wants_room ? EPOLLIN | EPOLLOUT
						    : EPOLLIN);
		}
	n = epoll_wait(watcher, e, 32, limit);
	for (i = 0; i < n; i++) {
		if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			FD_SET(e[i].data.fd, rd);
		if (e[i].events & EPOLLOUT)
			FD_SET(e[i].data.fd, wr);
	}
	return n;
}

/* Do what the sets say can be done without waiting.  Who has left is left out. */
static void
work(int lfd, const fd_set *rd, const fd_set *wr)
{
	int fd;

	for (fd = 0; fd < top; fd++) {
		if (FD_ISSET(fd, rd) && here(fd) != NULL)
			take(here(fd));
		if (FD_ISSET(fd, wr) && here(fd) != NULL)
			flush_queue(here(fd));
	}
	if (FD_ISSET(lfd, rd))
		arrive(lfd);
}

int
main(int argc, char *argv[])
{
	fd_set rd, wr;
	int lfd;

	if (argc != 3)
		usage();
	/* If stdout were closed, the socket would get its number. */
	check(fcntl(STDOUT_FILENO, F_GETFD), "write");
	lfd = listen_at(argv[1], port_number(argv[2]));
	set_nonblocking(lfd);
	watcher = check(epoll_create1(0), "epoll_create1");
	watch(EPOLL_CTL_ADD, lfd, EPOLLIN);
	for (;;) {
		if (wait_for_work(lfd, &rd, &wr) != -1)
			work(lfd, &rd, &wr);
		else if (errno != EINTR)
			fail(errno, "select");
		sweep();
	}
}
