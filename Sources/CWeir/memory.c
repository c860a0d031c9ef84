#define _GNU_SOURCE

#include "weir_memory.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

void weir_malloc_settle(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
}

void weir_malloc_trim(void)
{
	malloc_trim(0);
}

/* Whether the loader writes addresses into read-only segments (DF_TEXTREL): their pages differ from the file. */
static bool has_changed_text(const struct dl_phdr_info *object)
{
	const ElfW(Dyn) *entry = NULL;

	for (int index = 0; index < object->dlpi_phnum; index++) {
		if (object->dlpi_phdr[index].p_type == PT_DYNAMIC)
			entry = (const void *)(object->dlpi_addr +
					       object->dlpi_phdr[index].p_vaddr);
	}
	for (; entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_TEXTREL ||
		    (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
			return true;
	}
	return false;
}

static int release_object(struct dl_phdr_info *object, size_t size, void *context)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)context;
	/* The kernel's own object (vDSO) is not a file. */
	if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR) || has_changed_text(object))
		return 0;
	for (int index = 0; index < object->dlpi_phnum; index++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
		uintptr_t start, end;

		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
			continue;
		start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
		end = object->dlpi_addr + segment->p_vaddr + segment->p_filesz;
		/* A part that the kernel refuses to discard stays mapped. */
		(void)madvise((void *)start, (end - start + page - 1) & ~(page - 1), MADV_DONTNEED);
	}
	return 0;
}

void weir_code_release(void)
{
	dl_iterate_phdr(release_object, NULL);
}
