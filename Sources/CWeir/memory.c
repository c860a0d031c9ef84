#include "weir_memory.h"

#include <malloc.h>

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
