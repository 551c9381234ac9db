/* pieces.c - a server that answers each byte in two small writes. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd, lfd = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	if (argc != 3)
		return 2;
	inet_pton(AF_INET, argv[1], &in.sin_addr);
	in.sin_port = htons((in_port_t)atoi(argv[2]));
	if (bind(lfd, (struct sockaddr *)&in, sizeof(in)) == -1 ||
	    listen(lfd, 5) == -1)
		return 1;
	while ((fd = accept(lfd, NULL, NULL)) != -1) {
		while (read(fd, &byte, 1) == 1) {
			(void)!write(fd, &byte, 1);
			(void)!write(fd, "\n", 1);
		}
		close(fd);
	}
	return 1;
}
