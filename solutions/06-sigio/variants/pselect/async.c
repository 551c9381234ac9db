/* async.c - two steps to signal-driven I/O: who gets SIGIO, and that it comes. */
#define _DEFAULT_SOURCE
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "async.h"

/*
 * Make OWNER the one who gets SIGIO for FD, in the way HOW: F_SETOWN is a
 * command of fcntl, FIOSETOWN and SIOCSPGRP are requests of ioctl, which want a
 * pointer.  Return 0, or -1 with errno; EINVAL if HOW is none of them.
 */
static int
set_owner(int fd, pid_t owner, int how)
{
	int id = owner;

	if (how == F_SETOWN)
		return fcntl(fd, F_SETOWN, owner);
	if (how == FIOSETOWN || how == SIOCSPGRP)
		return ioctl(fd, (unsigned long)how, &id);
	errno = EINVAL;
	return -1;
}

/*
 * Let FD send SIGIO if ON is 1, and no more if it is 0, in the way HOW: O_ASYNC
 * is one of the flags that fcntl sets all at once, so keep the others; FIOASYNC
 * is a request of ioctl.  Return 0, or -1 with errno; EINVAL if HOW is neither.
 */
static int
set_async(int fd, int on, int how)
{
	int flags;

	if (how == FIOASYNC)
		return ioctl(fd, FIOASYNC, &on);
	if (how == O_ASYNC) {
		if ((flags = fcntl(fd, F_GETFL)) == -1)
			return -1;
		flags = on ? flags | O_ASYNC : flags & ~O_ASYNC;
		return fcntl(fd, F_SETFL, flags);
	}
	errno = EINVAL;
	return -1;
}

/*
 * The owner first: what comes while nobody is the owner is told to nobody.  If
 * the second step fails, take the first one back, and keep the errno of the
 * step that failed.
 */
int
async_on(int fd, pid_t owner, int how_owner, int how_async)
{
	int e, before = fcntl(fd, F_GETOWN);

	if (before == -1 || set_owner(fd, owner, how_owner) == -1)
		return -1;
	if (set_async(fd, 1, how_async) == -1) {
		e = errno;
		(void)fcntl(fd, F_SETOWN, before);
		errno = e;
		return -1;
	}
	return 0;
}

int
async_off(int fd)
{
	if (set_async(fd, 0, O_ASYNC) == -1)
		return -1;
	return set_owner(fd, 0, F_SETOWN);
}
