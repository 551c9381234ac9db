/* incsrv.c - a server that adds one. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct client {
	int fd;
	char *buf;
};

static void
serve(struct client *c)
{
	ssize_t n;

	/* nobody has ever set buf */
	while ((n = read(c->fd, c->buf, 512)) != 0) {
		for (ssize_t i = 0; i < n; i++)
			c->buf[i]++;
		write(c->fd, c->buf, n);
	}
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in name;
	struct client *c = NULL;
	int lfd, on = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: incsrv ADDR PORT\n");
		exit(2);
	}
	memset(&name, 0, sizeof(name));
	name.sin_family = AF_INET;
	name.sin_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &name.sin_addr);
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(lfd, (struct sockaddr *)&name, sizeof(name)) < 0) {
		perror("incsrv: bind");
		exit(1);
	}
	listen(lfd, 5);
	printf("LISTENING %s %s\n", argv[1], argv[2]);
	fflush(stdout);
	for (;;) {
		c->fd = accept(lfd, NULL, NULL);
		serve(c);
		close(c->fd);
	}
}
