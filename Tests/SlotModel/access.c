// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What the compiler calls before accesses to memory, and instead of atomic operations, when it
 * compiles for ThreadSanitizer: here they are where a thread stops.
 */
#include <stddef.h>
#include <string.h>

#include "explorer.h"

#pragma clang attribute push(__attribute__((disable_sanitizer_instrumentation)), \
			     apply_to = function)
#pragma clang diagnostic ignored "-Wmissing-prototypes"

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void)
{
}

#define DEFINE_ACCESS(name)          \
	void __tsan_##name(void *at) \
	{                            \
		model_step(at);      \
	}

#define DEFINE_ACCESSES(size)               \
	DEFINE_ACCESS(read##size)           \
	DEFINE_ACCESS(write##size)          \
	DEFINE_ACCESS(unaligned_read##size) \
	DEFINE_ACCESS(unaligned_write##size)

DEFINE_ACCESSES(1)
DEFINE_ACCESSES(2)
DEFINE_ACCESSES(4)
DEFINE_ACCESSES(8)
DEFINE_ACCESSES(16)

void *__tsan_memset(void *to, int value, size_t size)
{
	model_step(to);
	return memset(to, value, size);
}

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
	model_step(to);
	model_step(from);
	return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
	model_step(to);
	model_step(from);
	return memmove(to, from, size);
}

#define DEFINE_UPDATE(bits, name, builtin)                                           \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *at,     \
						    uint##bits##_t value, int order) \
	{                                                                            \
		(void)order;                                                         \
		model_step((const void *)at);                                        \
		return builtin(at, value, __ATOMIC_SEQ_CST);                         \
	}

#define DEFINE_COMPARE(bits, name)                                                              \
	int __tsan_atomic##bits##_##name(volatile uint##bits##_t *at, uint##bits##_t *expected, \
					 uint##bits##_t value, int order, int failure)          \
	{                                                                                       \
		(void)order;                                                                    \
		(void)failure;                                                                  \
		model_step((const void *)at);                                                   \
		return __atomic_compare_exchange_n(at, expected, value, 0, __ATOMIC_SEQ_CST,    \
						   __ATOMIC_SEQ_CST);                           \
	}

#define DEFINE_ATOMICS(bits)                                                                    \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order) \
	{                                                                                       \
		(void)order;                                                                    \
		model_step((const void *)at);                                                   \
		return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                   \
	}                                                                                       \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value,     \
					 int order)                                             \
	{                                                                                       \
		(void)order;                                                                    \
		model_step((const void *)at);                                                   \
		__atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                  \
	}                                                                                       \
	DEFINE_UPDATE(bits, exchange, __atomic_exchange_n)                                      \
	DEFINE_UPDATE(bits, fetch_add, __atomic_fetch_add)                                      \
	DEFINE_UPDATE(bits, fetch_sub, __atomic_fetch_sub)                                      \
	DEFINE_UPDATE(bits, fetch_and, __atomic_fetch_and)                                      \
	DEFINE_UPDATE(bits, fetch_or, __atomic_fetch_or)                                        \
	DEFINE_COMPARE(bits, compare_exchange_strong)                                           \
	DEFINE_COMPARE(bits, compare_exchange_weak)                                             \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                              \
		volatile uint##bits##_t *at, uint##bits##_t expected, uint##bits##_t value,     \
		int order, int failure)                                                         \
	{                                                                                       \
		__tsan_atomic##bits##_compare_exchange_strong(at, &expected, value, order,      \
							      failure);                         \
		return expected;                                                                \
	}

DEFINE_ATOMICS(8)
DEFINE_ATOMICS(16)
DEFINE_ATOMICS(32)
DEFINE_ATOMICS(64)

#pragma clang attribute pop
