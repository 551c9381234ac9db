/* chat.c - a chat server, as textbooks have it: right for polite clients. */
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	int used;
	int id;
	int n;
	char line[1024];
} clients[FD_SETSIZE];

static int maxfd;

static void
tell(int but, const char *text, size_t n)
{
	int fd;

	for (fd = 0; fd <= maxfd; fd++)
		if (clients[fd].used && fd != but)
			if (write(fd, text, n) == -1)
				perror("chat: write");
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	char text[2048], buf[512];
	int lfd, fd, i, n, m, on = 1, count = 0;
	fd_set all, ready;

	if (argc != 3) {
		fprintf(stderr, "usage: chat ADDR PORT\n");
		exit(2);
	}
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1) {
		fprintf(stderr, "usage: chat ADDR PORT\n");
		exit(2);
	}
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(lfd, (struct sockaddr *)&sin, sizeof(sin)) == -1) {
		perror("chat: bind");
		exit(1);
	}
	listen(lfd, 10);
	getsockname(lfd, (struct sockaddr *)&sin, &len);
	printf("LISTENING %s %d\n", argv[1], ntohs(sin.sin_port));
	fflush(stdout);
	FD_ZERO(&all);
	FD_SET(lfd, &all);
	maxfd = lfd;
	for (;;) {
		ready = all;
		if (select(maxfd + 1, &ready, NULL, NULL, NULL) == -1) {
			perror("chat: select");
			exit(1);
		}
		if (FD_ISSET(lfd, &ready)) {
			fd = accept(lfd, NULL, NULL);
			if (fd == -1) {
				perror("chat: accept");
				exit(1);
			}
			FD_SET(fd, &all);
			if (fd > maxfd)
				maxfd = fd;
			clients[fd].used = 1;
			clients[fd].n = 0;
			clients[fd].id = count++;
			m = sprintf(text, "* %d joined\n", clients[fd].id);
			tell(fd, text, m);
		}
		for (fd = 0; fd <= maxfd; fd++) {
			if (fd == lfd || !FD_ISSET(fd, &ready))
				continue;
			n = read(fd, buf, sizeof(buf));
			if (n <= 0) {
				clients[fd].used = 0;
				FD_CLR(fd, &all);
				close(fd);
				m = sprintf(text, "* %d left\n",
				    clients[fd].id);
				tell(fd, text, m);
				continue;
			}
			for (i = 0; i < n; i++) {
				if (clients[fd].n < 1023)
					clients[fd].line[clients[fd].n++] =
					    buf[i];
				if (buf[i] != '\n')
					continue;
				clients[fd].line[clients[fd].n] = '\0';
				m = sprintf(text, "%d: %s", clients[fd].id,
				    clients[fd].line);
				tell(fd, text, m);
				clients[fd].n = 0;
			}
		}
	}
}
