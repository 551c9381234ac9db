/* incsrv.c - answers each byte with the next one. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* I changed this at the last minute, sorry. */
static int
listen_at(const char *addr, const char *port)
{
	struct sockaddr_in name;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(&name, 0, sizeof(name));
	name.sin_family = AF_INET;
	name.sin_port = htons(atoi(port))
	inet_pton(AF_INET, addr, &name.sin_addr);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == -1) {
		perror("incsrv: bind");
		exit(1);
	}
	listen(fd, BACKLOG);
	printf("LISTENING %s %s\n", addr, port);
	fflush(stdout);
	return fd;
}

int
main(int argc, char *argv[])
{
	unsigned char c;
	int fd, lfd;

	if (argc != 3) {
		fprintf(stderr, "usage: incsrv ADDR PORT\n");
		return 2;
	}
	lfd = listen_at(argv[1], argv[2]);
	while ((fd = accept(lfd, NULL, NULL)) != -1) {
		while (read(fd, &c, 1) == 1) {
			c++;
			write(fd, &c, 1);
		}
		close(fd);
	}
	return 0;
}
