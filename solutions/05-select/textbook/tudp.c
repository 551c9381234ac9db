/* tudp.c - an echo server for TCP and UDP, as textbooks have it. */
#include <sys/select.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin, from;
	socklen_t len = sizeof(sin);
	int tfd, ufd, fd, n, maxfd, on = 1;
	fd_set all, ready;
	char buf[8192];

	if (argc != 3) {
		fprintf(stderr, "usage: tudp ADDR PORT\n");
		exit(2);
	}
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1) {
		fprintf(stderr, "usage: tudp ADDR PORT\n");
		exit(2);
	}
	tfd = socket(AF_INET, SOCK_STREAM, 0);
	ufd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(tfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(tfd, (struct sockaddr *)&sin, sizeof(sin)) == -1) {
		perror("tudp: bind");
		exit(1);
	}
	getsockname(tfd, (struct sockaddr *)&sin, &len);
	if (bind(ufd, (struct sockaddr *)&sin, sizeof(sin)) == -1) {
		perror("tudp: bind");
		exit(1);
	}
	listen(tfd, 10);
	printf("LISTENING %s %d\n", argv[1], ntohs(sin.sin_port));
	fflush(stdout);
	FD_ZERO(&all);
	FD_SET(tfd, &all);
	FD_SET(ufd, &all);
	maxfd = ufd;
	for (;;) {
		ready = all;
		if (select(maxfd + 1, &ready, NULL, NULL, NULL) == -1) {
			perror("tudp: select");
			exit(1);
		}
		for (fd = 0; fd <= maxfd; fd++) {
			if (!FD_ISSET(fd, &ready))
				continue;
			if (fd == tfd) {
				n = accept(tfd, NULL, NULL);
				if (n == -1) {
					perror("tudp: accept");
					exit(1);
				}
				FD_SET(n, &all);
				if (n > maxfd)
					maxfd = n;
			} else if (fd == ufd) {
				len = sizeof(from);
				n = recvfrom(ufd, buf, sizeof(buf), 0,
				    (struct sockaddr *)&from, &len);
				if (n >= 0)
					sendto(ufd, buf, n, 0,
					    (struct sockaddr *)&from, len);
			} else if ((n = read(fd, buf, sizeof(buf))) > 0) {
				if (write(fd, buf, n) != n)
					perror("tudp: write");
			} else {
				close(fd);
				FD_CLR(fd, &all);
			}
		}
	}
}
