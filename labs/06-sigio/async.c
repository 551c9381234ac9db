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
	(void)fd;
	(void)owner;
	(void)how;
	errno = ENOSYS;
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
	(void)fd;
	(void)on;
	(void)how;
	errno = ENOSYS;
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
	(void)set_async;
	(void)how_async;
	return set_owner(fd, owner, how_owner);
}

int
async_off(int fd)
{
	(void)fd;
	errno = ENOSYS;
	return -1;
}
