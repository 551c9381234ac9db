/* arch.h - what a filter must know of the architecture that it is made for.
 *
 * ARCH is its name in struct seccomp_data; a call whose number is FOREIGN or
 * above is none of its own.  The numbers of the calls come from <sys/syscall.h>;
 * the harness has those that it speaks of in kernel/syscalls.py.
 */
#include <linux/audit.h>

#if defined(__x86_64__) && defined(__LP64__)
#define ARCH AUDIT_ARCH_X86_64
/* the calls of the x32 ABI have this bit, and the same AUDIT_ARCH */
#define FOREIGN 0x40000000U
#elif defined(__aarch64__) && defined(__LP64__)
#define ARCH AUDIT_ARCH_AARCH64
#define FOREIGN 0x80000000U
#else
#error "only x86-64 and aarch64 with 64 bits are known"
#endif
