/*
 * Memory of the process, as malloc(3) takes it from the system.
 */
#ifndef WEIR_MEMORY_H
#define WEIR_MEMORY_H

/*
 * Configures how malloc(3) gets memory, before there are threads: few arenas, and large blocks always from mmap(2), so that
 * they are given back when they are freed (mallopt(3)).
 */
void weir_malloc_settle(void);

/* Gives free memory of malloc(3) back to the system (malloc_trim(3)). */
void weir_malloc_trim(void);

/*
 * Unmaps the resident pages of code and constants of the program and its libraries. A page that is used again is mapped
 * from the page cache at the next access; most pages are used only at the start. Breakpoints of a debugger are lost.
 */
void weir_code_release(void);

#endif
