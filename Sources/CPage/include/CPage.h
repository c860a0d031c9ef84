/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the web page, in memory.
 */
#ifndef CPAGE_H
#define CPAGE_H

#include <stddef.h>

/* A file of the page: its path, its content type, and its bytes, which live as long as the process. */
struct weir_page_file {
	const char *path;
	const char *content_type;
	const unsigned char *bytes;
	size_t size;
};

/* The number of files. */
size_t weir_page_file_count(void);

/* The file with an index below the count. */
struct weir_page_file weir_page_file_at(size_t index);

#endif
