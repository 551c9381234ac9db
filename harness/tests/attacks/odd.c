/* odd.c - gets descriptors from calls that open up much of the kernel. */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>

#include "attack.h"

int
main(void)
{
	struct io_uring_params ring;
	struct perf_event_attr perf;
	union bpf_attr bpf;

	begin();
	memset(&ring, 0, sizeof(ring));
	(void)syscall(SYS_io_uring_setup, 4, &ring);
	memset(&perf, 0, sizeof(perf));
	perf.size = sizeof(perf);
	perf.type = PERF_TYPE_SOFTWARE;
	perf.exclude_kernel = 1;
	(void)syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0UL);
	memset(&bpf, 0, sizeof(bpf));
	bpf.map_type = BPF_MAP_TYPE_ARRAY;
	bpf.key_size = bpf.value_size = 4;
	bpf.max_entries = 1;
	(void)syscall(SYS_bpf, BPF_MAP_CREATE, &bpf, sizeof(bpf));
	(void)syscall(SYS_userfaultfd, 1);
	tried_and_stay();
}
