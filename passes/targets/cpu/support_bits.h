/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Part of support.c: PTX's operations on bits and bytes, after the PTX ISA. */

#define BITS1(name) uint32_t FN(name)(uint32_t a); uint32_t FN(name)(uint32_t a)
#define BITS2(name) uint32_t FN(name)(uint32_t a, uint32_t b); uint32_t FN(name)(uint32_t a, uint32_t b)
#define BITS3(name)                                                                                 \
	uint32_t FN(name)(uint32_t a, uint32_t b, uint32_t c);                                      \
	uint32_t FN(name)(uint32_t a, uint32_t b, uint32_t c)

/* prmt: four selectors of 4 bits; bit 3 replicates the byte's sign. */
BITS3(prmt)
{
	uint64_t both = (uint64_t)b << 32 | a;
	uint32_t r = 0;

	for (int i = 0; i < 4; i++) {
		uint32_t s = c >> (4 * i);
		uint32_t byte = both >> (8 * (s & 7)) & 0xff;

		if (s & 8)
			byte = byte & 0x80 ? 0xff : 0;
		r |= byte << (8 * i);
	}
	return r;
}

BITS3(prmt_f4e)
{
	return (uint32_t)(((uint64_t)b << 32 | a) >> (8 * (c & 3)));
}

BITS3(prmt_b4e)
{
	static const uint32_t selector[] = {0x5670, 0x6701, 0x7012, 0x0123};

	return FN(prmt)(a, b, selector[c & 3]);
}

BITS2(prmt_rc8)
{
	return (a >> (8 * (b & 3)) & 0xff) * 0x01010101u;
}

BITS2(prmt_ecl)
{
	static const uint32_t selector[] = {0x3210, 0x3211, 0x3222, 0x3333};

	return FN(prmt)(a, 0, selector[b & 3]);
}

BITS2(prmt_ecr)
{
	static const uint32_t selector[] = {0x0000, 0x1110, 0x2210, 0x3210};

	return FN(prmt)(a, 0, selector[b & 3]);
}

BITS2(prmt_rc16)
{
	return (a >> (16 * (b & 1)) & 0xffff) * 0x00010001u;
}

#define SBYTE(x, i) ((int32_t)(int8_t)((x) >> (8 * (i))))
#define UBYTE(x, i) ((int32_t)(uint8_t)((x) >> (8 * (i))))
#define SHALF(x, i) ((int32_t)(int16_t)((x) >> (16 * (i))))
#define UHALF(x, i) ((int32_t)(uint16_t)((x) >> (16 * (i))))

#define IDP4A(suffix, A, B)                                                                         \
	BITS3(idp4a_##suffix)                                                                       \
	{                                                                                           \
		for (int i = 0; i < 4; i++)                                                         \
			c += (uint32_t)(A(a, i) * B(b, i));                                         \
		return c;                                                                           \
	}
IDP4A(s_s, SBYTE, SBYTE)
IDP4A(s_u, SBYTE, UBYTE)
IDP4A(u_s, UBYTE, SBYTE)
IDP4A(u_u, UBYTE, UBYTE)

/* hi: the upper two bytes of b */
#define IDP2A(suffix, A, B)                                                                         \
	uint32_t FN(idp2a_##suffix)(uint32_t a, uint32_t b, bool hi, uint32_t c);                   \
	uint32_t FN(idp2a_##suffix)(uint32_t a, uint32_t b, bool hi, uint32_t c)                    \
	{                                                                                           \
		for (int i = 0; i < 2; i++)                                                         \
			c += (uint32_t)A(a, i) * (uint32_t)B(b, i + 2 * hi);                        \
		return c;                                                                           \
	}
IDP2A(s_s, SHALF, SBYTE)
IDP2A(s_u, SHALF, UBYTE)
IDP2A(u_s, UHALF, SBYTE)
IDP2A(u_u, UHALF, UBYTE)

/* fns: the offset'th set bit of mask at or above (offset > 0) or below base. */
uint32_t FN(fns)(uint32_t mask, uint32_t base, int32_t offset);
uint32_t FN(fns)(uint32_t mask, uint32_t base, int32_t offset)
{
	if (base > 31)
		return 0xffffffffu;
	if (!offset)
		return mask >> base & 1 ? base : 0xffffffffu;
	for (int32_t at = (int32_t)base, step = offset > 0 ? 1 : -1; at >= 0 && at < 32; at += step) {
		if (!(mask >> at & 1))
			continue;
		offset -= step;
		if (!offset)
			return (uint32_t)at;
	}
	return 0xffffffffu;
}

BITS2(bmsk_clamp)
{
	uint32_t high = b > 31 ? 0 : ~0u >> (32 - b) & -(uint32_t)(b != 0);

	if (a > 31)
		return 0;
	return (b > 31 ? ~0u : high) << a;
}

BITS2(bmsk_wrap)
{
	b &= 31;
	return ((1u << b) - 1) << (a & 31);
}

/* szext: extension of the low b bits. */
#define SZEXT(mode, WIDTH)                                                                          \
	uint32_t FN(zext_##mode)(uint32_t a, uint32_t b);                                           \
	uint32_t FN(zext_##mode)(uint32_t a, uint32_t b)                                            \
	{                                                                                           \
		uint32_t n = WIDTH(b);                                                              \
		return n > 31 ? a : a & ((1u << n) - 1);                                            \
	}                                                                                           \
	uint32_t FN(sext_##mode)(uint32_t a, uint32_t b);                                           \
	uint32_t FN(sext_##mode)(uint32_t a, uint32_t b)                                            \
	{                                                                                           \
		uint32_t n = WIDTH(b);                                                              \
		if (!n)                                                                             \
			return 0;                                                                   \
		return n > 31 ? a : (uint32_t)((int32_t)(a << (32 - n)) >> (32 - n));               \
	}
#define WRAP(b) ((b) & 31)
#define CLAMP(b) ((b) > 32 ? 32 : (b))
SZEXT(wrap, WRAP)
SZEXT(clamp, CLAMP)

/* flo (bfind): position of the highest bit that differs from the sign; shift: as a
   distance from the top. */
#define FLO(name, T, U, width, FOLD)                                                                \
	uint32_t FN(name)(T x, bool shift);                                                         \
	uint32_t FN(name)(T x, bool shift)                                                          \
	{                                                                                           \
		U v = FOLD(x);                                                                      \
		if (!v)                                                                             \
			return 0xffffffffu;                                                         \
		uint32_t top = width == 64 ? __builtin_clzll(v) : __builtin_clz((uint32_t)v);       \
		return shift ? top : width - 1 - top;                                               \
	}
#define SAME(x) (x)
#define SIGNED(x) (x < 0 ? ~x : x)
FLO(flo_s_i32, int32_t, uint32_t, 32, SIGNED)
FLO(flo_u_i32, uint32_t, uint32_t, 32, SAME)
FLO(flo_s_i64, int64_t, uint64_t, 64, SIGNED)
FLO(flo_u_i64, uint64_t, uint64_t, 64, SAME)

#define FSH(T, name, width, W)                                                                      \
	T FN(fshl_clamp_##name)(T a, T b, T c);                                                     \
	T FN(fshl_clamp_##name)(T a, T b, T c)                                                      \
	{                                                                                           \
		return c >= width ? b : c ? (T)(a << c | b >> (width - c)) : a;                     \
	}                                                                                           \
	T FN(fshr_clamp_##name)(T a, T b, T c);                                                     \
	T FN(fshr_clamp_##name)(T a, T b, T c)                                                      \
	{                                                                                           \
		return c >= width ? a : c ? (T)(a << (width - c) | b >> c) : b;                     \
	}
FSH(uint32_t, i32, 32, uint64_t)

/* bfe: c bits of a from bit b, the sign's copies above; both taken modulo 256. */
#define BFE(name, U, S, width, SIGNED_)                                                             \
	U FN(bfe_##name)(U a, uint32_t b, uint32_t c);                                              \
	U FN(bfe_##name)(U a, uint32_t b, uint32_t c)                                               \
	{                                                                                           \
		uint32_t pos = b & 255, len = c & 255, top = pos + len - 1;                         \
		U sign = 0;                                                                         \
		if (SIGNED_ && len)                                                                 \
			sign = (U)0 - (a >> (top < width - 1 ? top : width - 1) & 1);               \
		U v = pos < width ? a >> pos : sign;                                                \
		/* Above the word stands its sign. */                                               \
		if (SIGNED_ && pos && pos < width)                                                  \
			v |= ((U)0 - (a >> (width - 1))) << (width - pos);                          \
		if (len >= width)                                                                   \
			return len ? v : 0;                                                         \
		U low = ((U)1 << len) - 1;                                                          \
		return (v & low) | (sign & ~low & ((U)0 - (U)(len != 0)));                          \
	}
BFE(u32, uint32_t, int32_t, 32, 0)
BFE(s32, uint32_t, int32_t, 32, 1)
BFE(u64, uint64_t, int64_t, 64, 0)
BFE(s64, uint64_t, int64_t, 64, 1)
