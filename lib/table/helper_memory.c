/* SPDX-License-Identifier: MIT */
/* helper_memory.c - unmaps the memory that a helper has inherited
 *
 * A forked child shares each page with the host until one of them writes to it; then the child
 * keeps the old copy. The helper of a busy host would thus accumulate copies of all pages of the
 * host, and it has page tables for them from the start. The helper needs none of them, so anonymous
 * memory is unmapped.
 *
 * These mappings stay: all that is mapped from files (code, data, relocations); the .bss behind it
 * (libc keeps thresholds of memcpy there); the used part of the stack; the thread's control block
 * with errno. The memory is not unmapped
 *
 * - where calls are bound lazily (ld(1): -z now prevents it): the first call of a function would
 *   look through dropped memory;
 * - under sanitizers, valgrind (which passes on no vDSO) and with shadow stacks. */
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "proc/parse.h"
#include "table/helper.h"
#include "table/helper_memory.h"
#include "util/sys.h"

#define LINE 512
#define KEEP_BLOCK 4095U /* from the start of the thread's control block, which is smaller */
#define KEEP_MAX 4
#define BELOW 4096U /* room for the frames that forget_stack() calls, and a red zone */
/* How much of the anonymous memory after a module is treated as its .bss; for the library's own
 * module: all. */
#define KEEP_BSS (1024U * 1024)

struct walk {
	struct range keep[KEEP_MAX];
	uintptr_t page;
	uint64_t module; /* inode of the last mapped file */
	bool module_is_ours;
	uintptr_t module_end;
	size_t used;
	char line[LINE];
};

/* The dynamic section of the module that contains this code. */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((weak, visibility("hidden")));

/* The offset, from the thread pointer, of the area that the kernel writes when it schedules the
 * thread (glibc 2.35 and later, <sys/rseq.h>). */
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static uintptr_t thread_pointer(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return (uintptr_t)pthread_self(); /* it begins with the address of itself */
#else
	return (uintptr_t)__builtin_thread_pointer();
#endif
}

static bool binds_at_start(void)
{
	const ElfW(Dyn) *entry = _DYNAMIC;

	/* A static program has none, and no lazy binding. */
	if (!entry)
		return true;
	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_BIND_NOW ||
		    (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_BIND_NOW)) ||
		    (entry->d_tag == DT_FLAGS_1 && (entry->d_un.d_val & DF_1_NOW)))
			return true;
	}
	return false;
}

/* Shadow stacks look like any other anonymous memory. */
static bool has_shadow_stack(void)
{
	const long get_status = 74; /* PR_GET_SHADOW_STACK_STATUS */
	unsigned long status = 0;

#if defined(__x86_64__)
	const long x86_status = 0x5005; /* ARCH_SHSTK_STATUS */

	if (raw_call(SYS_arch_prctl, x86_status, &status) == 0 && status != 0)
		return true;
#endif
	return raw_call(SYS_prctl, get_status, &status, 0L, 0L, 0L) == 0 && status != 0;
}

static bool contains(const struct range *range, uintptr_t address)
{
	return address >= range->start && address < range->end;
}

static void keep_around(struct walk *walk, int i, uintptr_t from, uintptr_t to)
{
	walk->keep[i].start = from & ~(walk->page - 1);
	walk->keep[i].end = (to + walk->page) & ~(walk->page - 1);
}

/* Unmaps the range, except keep[i] and later ones. */
static void unmap(const struct walk *walk, struct range range, int i)
{
	for (; i < KEEP_MAX; i++) {
		const struct range *keep = &walk->keep[i];

		if (keep->start >= range.end || keep->end <= range.start)
			continue;
		if (range.start < keep->start)
			unmap(walk, (struct range){range.start, keep->start}, i + 1);
		if (range.end <= keep->end)
			return;
		range.start = keep->end;
	}
	raw_call(SYS_munmap, range.start, range.end - range.start);
}

static void note_module(struct walk *walk, const struct mapping *mapping)
{
	if (mapping->inode != walk->module)
		walk->module_is_ours = false;
	walk->module = mapping->inode;
	walk->module_end = mapping->range.end;
	if (contains(&mapping->range, (uintptr_t)helper_drop_memory))
		walk->module_is_ours = true;
}

/* Returns the part of the mapping that is kept as the .bss of the preceding module. */
static uintptr_t size_of_bss(struct walk *walk, const struct mapping *mapping)
{
	uintptr_t size = mapping->range.end - mapping->range.start;

	if (mapping->range.start != walk->module_end || mapping->heap)
		return 0;
	if (!walk->module_is_ours && size > KEEP_BSS)
		return KEEP_BSS;
	/* The host may have split the mapping by mlock(2) or madvise(2). */
	walk->module_end = mapping->range.end;
	return size;
}

static void handle_line(struct walk *walk)
{
	struct mapping mapping;

	walk->line[walk->used] = '\0';
	if (!mapping_parse(walk->line, &mapping))
		return;
	/* Memory that is shared with the host is no module: anonymous memory behind it is no
	 * .bss. */
	if (!mapping.private) {
		walk->module_end = 0;
	} else if (mapping.inode != 0) {
		note_module(walk, &mapping);
	} else if (mapping.anonymous) {
		mapping.range.start += size_of_bss(walk, &mapping);
		if (mapping.range.start < mapping.range.end)
			unmap(walk, mapping.range, 0);
	}
}

static void take_bytes(struct walk *walk, const char *bytes, size_t size)
{
	for (; size > 0; bytes++, size--) {
		if (*bytes == '\n') {
			handle_line(walk);
			walk->used = 0;
		} else if (walk->used < LINE - 1) {
			walk->line[walk->used++] = *bytes;
		}
	}
}

static void walk_mappings(struct walk *walk, int maps)
{
	char buffer[4096];
	long got;

	while ((got = raw_read(maps, buffer, sizeof(buffer))) > 0)
		take_bytes(walk, buffer, (size_t)got);
}

/* Drops the stack pages of the host and of the walk, from `start` to below the present frame. A
 * separate function, because the caller's frame may be larger than the rest of the stack. */
__attribute__((noinline)) static void forget_stack(uintptr_t start, uintptr_t page)
{
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - BELOW) & ~(page - 1);

	if (start < end)
		raw_call(SYS_madvise, start, end - start, MADV_DONTNEED);
}

bool helper_can_drop_memory(void)
{
	return !HELPER_SANITIZED && getauxval(AT_SYSINFO_EHDR) != 0 && binds_at_start() &&
	       !has_shadow_stack();
}

void helper_drop_memory(int proc, const void *stack)
{
	struct walk walk = {.page = (uintptr_t)getauxval(AT_PAGESZ)};
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t block = (uintptr_t)pthread_self();
	uintptr_t error = (uintptr_t)&errno;
	uintptr_t rseq = block;
	int maps;

	if (!helper_can_drop_memory())
		return;
	/* Below: room for this frame, its callees, and a red zone. */
	keep_around(&walk, 0, here - 65536, (uintptr_t)stack);
	keep_around(&walk, 1, block, block + KEEP_BLOCK);
	keep_around(&walk, 2, error, error + sizeof(errno));
	if (&__rseq_offset)
		rseq = thread_pointer() + (uintptr_t)__rseq_offset;
	keep_around(&walk, 3, rseq, rseq);
	maps = raw_open(proc, "self/maps", O_RDONLY);
	if (maps < 0)
		return;
	walk_mappings(&walk, maps);
	raw_close(maps);
	forget_stack(walk.keep[0].start, walk.page);
}
