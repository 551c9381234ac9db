/* incsrv.c - every byte plus one; works when I try it in my terminal. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t len = sizeof(name);
	unsigned char buf[256];
	char text[INET_ADDRSTRLEN];
	int fd, lfd, on = 1;
	ssize_t i, n;

	if (argc != 3) {
		fprintf(stderr, "usage: incsrv ADDR PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	name.sin_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &name.sin_addr);
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(lfd, (struct sockaddr *)&name, len) == -1) {
		perror("incsrv: bind");
		return 1;
	}
	listen(lfd, 16);
	getsockname(lfd, (struct sockaddr *)&name, &len);
	inet_ntop(AF_INET, &name.sin_addr, text, sizeof(text));
	printf("LISTENING %s %d\n", text, ntohs(name.sin_port));
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		if (fd == -1)
			continue;
		while ((n = read(fd, buf, sizeof(buf))) > 0) {
			for (i = 0; i < n; i++)
				buf[i]++;
			if (write(fd, buf, n) != n)
				break;
		}
		close(fd);
	}
}
