#pragma once

#include <zlib.h>

/// `deflateInit2`, a macro that Swift does not see, for the gzip format (RFC 1952).
static inline int czlib_gzip_begin(z_stream *stream, int level)
{
	return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// `inflateInit2`, a macro that Swift does not see, for the gzip format (RFC 1952).
static inline int czlib_gunzip_begin(z_stream *stream)
{
	return inflateInit2(stream, 15 + 16);
}
