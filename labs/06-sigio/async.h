/* async.h - switch signal-driven I/O on and off; async.c is yours. */
#include <sys/types.h>

/*
 * Make OWNER (a process, or a process group if it is negative) the one who gets
 * SIGIO for FD, and then let FD send it.  HOW_OWNER is the way to do the first:
 * F_SETOWN, FIOSETOWN or SIOCSPGRP; HOW_ASYNC is the way to do the second:
 * O_ASYNC or FIOASYNC.  Any other value is EINVAL.  Return 0, or -1 with errno;
 * then everything is as it was before.
 */
int async_on(int fd, pid_t owner, int how_owner, int how_async);

/*
 * Let FD send no more SIGIO, and let it have no owner.  Nothing else about it
 * changes.  Return 0, or -1 with errno.
 */
int async_off(int fd);
