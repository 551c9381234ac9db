/* calls.c - makes the call that is named, and prints what came of it. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
make_socket(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&in, &len) == -1)
		return -1;
	printf("family %d, cloexec %d, ", in.sin_family,
	    fcntl(fd, F_GETFD) == FD_CLOEXEC);
	return fd;
}

int
main(int argc, char **argv)
{
	int result = -1;

	errno = 0;
	if (argc == 2 && strcmp(argv[1], "listen") == 0)
		result = listen(0, 5);
	else if (argc == 2 && strcmp(argv[1], "socket") == 0)
		result = make_socket();
	else if (argc == 2 && strcmp(argv[1], "fork") == 0)
		result = (int)fork();
	if (result > 0 && strcmp(argv[1], "fork") == 0)
		result = 1;
	printf("%d: %s\n", result, strerror(errno));
	return 0;
}
