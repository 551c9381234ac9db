/* handler.c - what a program does in its signal handlers (preloaded into it).
 *
 * Every handler that the program installs is called from one of ours, which
 * sets errno to a value that no call leaves behind, and looks at it afterwards.
 * While a handler runs, calls of functions that signal-safety(7) doesn't list
 * are noted.  The findings stand in the file named by SOCKLAB_HANDLER: a 32-bit
 * count of the runs, the errno that the first handler to spoil it left, and the
 * name of the first unsafe function.  A child of fork is not looked at.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define STRANGE 4242

struct found {
	int32_t runs;
	int32_t spoilt;
	char unsafe[56];
};
static struct found *found;

static volatile sig_atomic_t depth;
static pid_t owner;
static struct {
	void *function;
	int flags;
} handlers[NSIG];

__attribute__((constructor)) static void
map_findings(void)
{
	const char *path = getenv("SOCKLAB_HANDLER");
	void *page;
	int fd;

	owner = getpid();
	if (path == NULL)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return;
	page = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		found = page;
}

/* Note that NAME was called; the first one in a handler is kept. */
static void
note(const char *name)
{
	if (depth > 0 && found != NULL && found->unsafe[0] == '\0' &&
	    getpid() == owner)
		memcpy(found->unsafe, name, strlen(name) + 1);
}

static void
handler(int sig, siginfo_t *info, void *context)
{
	int before = errno;

	if (found != NULL)
		found->runs++;
	depth++;
	errno = STRANGE;
	if (handlers[sig].flags & SA_SIGINFO)
		((void (*)(int, siginfo_t *, void *))handlers[sig].function)(
		    sig, info, context);
	else
		((void (*)(int))handlers[sig].function)(sig);
	depth--;
	if (errno == STRANGE)
		errno = before;
	else if (found != NULL && found->spoilt == 0 && getpid() == owner)
		found->spoilt = errno;
}

static int
install(int sig, const struct sigaction *act, struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);
	struct sigaction ours;
	void *before;
	int flags;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	if (sig < 1 || sig >= NSIG)
		return real(sig, act, old);
	before = handlers[sig].function;
	flags = handlers[sig].flags;
	if (act != NULL && act->sa_handler != SIG_DFL &&
	    act->sa_handler != SIG_IGN) {
		ours = *act;
		ours.sa_sigaction = handler;
		handlers[sig].function = (void *)act->sa_sigaction;
		handlers[sig].flags = act->sa_flags;
		act = &ours;
	}
	if (real(sig, act, old) == -1) {
		handlers[sig].function = before;
		handlers[sig].flags = flags;
		return -1;
	}
	if (old != NULL && old->sa_sigaction == handler)
		*(void **)&old->sa_sigaction = before;
	return 0;
}

int
sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	return install(sig, act, old);
}

static sighandler_t
simple(int sig, sighandler_t function, int flags)
{
	struct sigaction act, old;

	memset(&act, 0, sizeof(act));
	act.sa_handler = function;
	act.sa_flags = flags;
	return install(sig, &act, &old) == -1 ? SIG_ERR : old.sa_handler;
}

sighandler_t
signal(int sig, sighandler_t function)
{
	return simple(sig, function, SA_RESTART);
}

sighandler_t
__sysv_signal(int sig, sighandler_t function)
{
	return simple(sig, function, (int)(SA_RESETHAND | SA_NODEFER));
}

int
vprintf(const char *format, va_list ap)
{
	note("vprintf");
	return vfprintf(stdout, format, ap);
}

int
printf(const char *format, ...)
{
	va_list ap;
	int n;

	note("printf");
	va_start(ap, format);
	n = vfprintf(stdout, format, ap);
	va_end(ap);
	return n;
}

int
fprintf(FILE *fp, const char *format, ...)
{
	va_list ap;
	int n;

	note("fprintf");
	va_start(ap, format);
	n = vfprintf(fp, format, ap);
	va_end(ap);
	return n;
}

int
dprintf(int fd, const char *format, ...)
{
	va_list ap;
	int n;

	note("dprintf");
	va_start(ap, format);
	n = vdprintf(fd, format, ap);
	va_end(ap);
	return n;
}

int
sprintf(char *s, const char *format, ...)
{
	va_list ap;
	int n;

	note("sprintf");
	va_start(ap, format);
	n = vsprintf(s, format, ap);
	va_end(ap);
	return n;
}

int
snprintf(char *s, size_t size, const char *format, ...)
{
	va_list ap;
	int n;

	note("snprintf");
	va_start(ap, format);
	n = vsnprintf(s, size, format, ap);
	va_end(ap);
	return n;
}

void
syslog(int priority, const char *format, ...)
{
	va_list ap;

	note("syslog");
	va_start(ap, format);
	vsyslog(priority, format, ap);
	va_end(ap);
}

int
puts(const char *s)
{
	static int (*real)(const char *);

	note("puts");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "puts");
	return real(s);
}

int
putchar(int c)
{
	note("putchar");
	return putc(c, stdout);
}

int
fputs(const char *s, FILE *fp)
{
	static int (*real)(const char *, FILE *);

	note("fputs");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fputs");
	return real(s, fp);
}

size_t
fwrite(const void *data, size_t size, size_t n, FILE *fp)
{
	static size_t (*real)(const void *, size_t, size_t, FILE *);

	note("fwrite");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fwrite");
	return real(data, size, n, fp);
}

int
fflush(FILE *fp)
{
	static int (*real)(FILE *);

	note("fflush");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fflush");
	return real(fp);
}

void
perror(const char *s)
{
	static void (*real)(const char *);

	note("perror");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "perror");
	real(s);
}

char *
strerror(int number)
{
	static char *(*real)(int);

	note("strerror");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "strerror");
	return real(number);
}

void *
malloc(size_t size)
{
	static void *(*real)(size_t);

	note("malloc");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "malloc");
	return real(size);
}

void
free(void *p)
{
	static void (*real)(void *);

	note("free");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "free");
	real(p);
}

char *
ctime(const time_t *t)
{
	static char *(*real)(const time_t *);

	note("ctime");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "ctime");
	return real(t);
}

struct tm *
localtime(const time_t *t)
{
	static struct tm *(*real)(const time_t *);

	note("localtime");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "localtime");
	return real(t);
}

FILE *
popen(const char *command, const char *mode)
{
	static FILE *(*real)(const char *, const char *);

	note("popen");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "popen");
	return real(command, mode);
}

int
system(const char *command)
{
	static int (*real)(const char *);

	note("system");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "system");
	return real(command);
}

__attribute__((noreturn)) void
exit(int status)
{
	static void (*real)(int) __attribute__((noreturn));

	note("exit");
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "exit");
	real(status);
}
