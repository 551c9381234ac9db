/* incsrv.c - adds one to what a client sends. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	unsigned char buf[1024];
	int lfd, fd, on = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: incsrv ADDR PORT\n");
		return 2;
	}
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	name.sin_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &name.sin_addr);
	if (bind(lfd, (struct sockaddr *)&name, sizeof(name)) == -1) {
		perror("incsrv: bind");
		return 1;
	}
	listen(lfd, 5);
	printf("LISTENING %s %s\n", argv[1], argv[2]);
	fflush(stdout);
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		/* get the whole message first */
		recv(fd, buf, sizeof(buf), MSG_WAITALL);
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i]++;
		write(fd, buf, sizeof(buf));
		close(fd);
	}
}
