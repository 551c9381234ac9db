/* writes.c - writes "abcdef" in the way that is named, to the socket that is its stdin. */
#include <sys/socket.h>
#include <sys/uio.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ssize_t
put(const char *how, char *p, size_t len)
{
	/* an empty piece first, as a program with nothing in its first buffer */
	struct iovec iov[3] = {{p, 0}, {p, len / 2},
	    {p + len / 2, len - len / 2}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};

	if (strcmp(how, "write") == 0)
		return write(0, p, len);
	if (strcmp(how, "send") == 0)
		return send(0, p, len, 0);
	if (strcmp(how, "writev") == 0)
		return writev(0, iov, 3);
	if (strcmp(how, "sendmsg") == 0)
		return sendmsg(0, &msg, 0);
	return write(0, p, 1);
}

int
main(int argc, char **argv)
{
	char text[] = "abcdef";
	size_t at = 0;
	ssize_t n = 0;

	for (; argc == 2 && n != -1 && at < 6; at += (size_t)n) {
		n = put(argv[1], text + at, 6 - at);
		fprintf(stderr, "%zd ", n);
	}
	return n == -1;
}
