/* hostile-forks.c - forks without end, or until there are 260. */
#include <sys/mman.h>

#include <unistd.h>

__attribute__((constructor)) static void
misbehave(void)
{
	int *left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*left = 260;
	while (__atomic_sub_fetch(left, 1, __ATOMIC_SEQ_CST) > 0)
		(void)!fork();
	for (;;)
		pause();
}
