/* hostile-splices.c - sleeps in a call that keeps its output's pipe locked. */
#define _GNU_SOURCE
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock) == -1)
		_exit(1);
	if (write(STDOUT_FILENO, "read me\n", 8) != 8)
		_exit(1);
	(void)splice(sock[0], NULL, STDOUT_FILENO, NULL, 10, 0);
}
