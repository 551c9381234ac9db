/* hostile-sends.c - sleeps in a call that keeps its output's pipe locked. */
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock) == -1)
		_exit(1);
	if (write(STDERR_FILENO, "read me\n", 8) != 8)
		_exit(1);
	(void)sendfile(STDERR_FILENO, sock[0], NULL, 10);
}
