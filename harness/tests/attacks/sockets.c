/* sockets.c - fills the buffers of sockets, which no process has mapped.
 *
 * usage: sockets MEGABYTES
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include "attack.h"

/* As much as the kernel lets anybody ask for, or more. */
#define BUFFER (1 << 20)

/* Fill one direction of a pair; return how many bytes are in it. */
static size_t
fill(int fd)
{
	static char bytes[1 << 16];
	int size = BUFFER;
	size_t all = 0;
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while ((n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	return all;
}

int
main(int argc, char **argv)
{
	size_t most = (size_t)argument(argc, argv, 1) << 20, all = 0;
	struct rlimit rl;
	int pair[2];

	begin();
	/* whatever is asked for, no more than this */
	if (most > 1UL << 30)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return 1;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	while (all < most && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
		all += fill(pair[0]) + fill(pair[1]);
	tried_and_stay();
}
