/* bindto.c - shows what a socket is called. */
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
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t len = sizeof(name);
	char text[8];
	int fd;

	if (argc < 3) {
		fprintf(stderr, "usage: bindto ADDR PORT\n");
		return 2;
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	name.sin_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &name.sin_addr);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == -1) {
		printf("bind: EADDRINUSE\n");
		return 1;
	}
	getsockname(fd, (struct sockaddr *)&name, &len);
	strcpy(text, inet_ntoa(name.sin_addr));
	printf("bound %s %d\n", text, ntohs(name.sin_port));
	return 0;
}
