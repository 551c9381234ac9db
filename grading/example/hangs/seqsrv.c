/* seqsrv.c - hands out numbers. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	char line[64], answer[64];
	long long next = 0;
	int lfd, fd, n, len, on = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: seqsrv ADDR PORT\n");
		return 2;
	}
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	name.sin_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &name.sin_addr);
	if (bind(lfd, (struct sockaddr *)&name, sizeof(name)) == -1) {
		perror("seqsrv: bind");
		return 1;
	}
	listen(lfd, 5);
	printf("LISTENING %s %s\n", argv[1], argv[2]);
	fflush(stdout);
	/* so that the server never blocks */
	fcntl(lfd, F_SETFL, O_NONBLOCK);
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		if (fd == -1)
			continue;
		while ((len = read(fd, line, sizeof(line) - 1)) > 0) {
			line[len] = '\0';
			n = atoi(line);
			len = sprintf(answer, "%lld\n", next);
			next += n;
			write(fd, answer, len);
		}
		close(fd);
	}
}
