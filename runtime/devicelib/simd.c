/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Operations on the two half words or four bytes of a word, on clang's vectors:
 * the back ends find what instructions they have, and every target agrees.
 */
#include "devicelib.h"

typedef signed char s4 __attribute__((ext_vector_type(4)));
typedef unsigned char u4 __attribute__((ext_vector_type(4)));
typedef short s2 __attribute__((ext_vector_type(2)));
typedef unsigned short u2 __attribute__((ext_vector_type(2)));
typedef int w4 __attribute__((ext_vector_type(4)));
typedef int w2 __attribute__((ext_vector_type(2)));

#define PACK(v) __builtin_bit_cast(u32, v)
#define LANES(type, word) __builtin_bit_cast(type, word)
#define WIDE(n, v) __builtin_convertvector(v, w##n)

HETCKPT_INLINE u32 sum2(w2 v) { return (u32)v[0] + (u32)v[1]; }
HETCKPT_INLINE u32 sum4(w4 v) { return (u32)v[0] + (u32)v[1] + (u32)v[2] + (u32)v[3]; }

/*
 * With the least number raised by one nothing is left to saturate. (Written as a
 * saturating subtraction from zero, ptxas gets it wrong for the least half word.)
 */
#define LEAST_2 0x8000
#define LEAST_4 0x80
#define ABOVE_LEAST(n, a) __builtin_elementwise_max(LANES(s##n, a), (s##n)(LEAST_##n + 1 - 2 * LEAST_##n))

/* One definition for each lane count n and its signed and unsigned lane types. */
#define FOR(n)                                                                 \
	u32 __nv_vadd##n(u32 a, u32 b) { return PACK(LANES(u##n, a) + LANES(u##n, b)); } \
	u32 __nv_vsub##n(u32 a, u32 b) { return PACK(LANES(u##n, a) - LANES(u##n, b)); } \
	u32 __nv_vneg##n(u32 a) { return PACK((u##n)0 - LANES(u##n, a)); }     \
	u32 __nv_vaddss##n(u32 a, u32 b)                                       \
	{ return PACK(__builtin_elementwise_add_sat(LANES(s##n, a), LANES(s##n, b))); } \
	u32 __nv_vaddus##n(u32 a, u32 b)                                       \
	{ return PACK(__builtin_elementwise_add_sat(LANES(u##n, a), LANES(u##n, b))); } \
	u32 __nv_vsubss##n(u32 a, u32 b)                                       \
	{ return PACK(__builtin_elementwise_sub_sat(LANES(s##n, a), LANES(s##n, b))); } \
	u32 __nv_vsubus##n(u32 a, u32 b)                                       \
	{ return PACK(__builtin_elementwise_sub_sat(LANES(u##n, a), LANES(u##n, b))); } \
	u32 __nv_vnegss##n(u32 a) { return PACK(-ABOVE_LEAST(n, a)); }         \
	u32 __nv_vabs##n(u32 a) { return PACK(__builtin_elementwise_abs(LANES(s##n, a))); } \
	u32 __nv_vabsss##n(u32 a)                                              \
	{ return PACK(__builtin_elementwise_abs(ABOVE_LEAST(n, a))); }         \
	u32 __nv_vabsdiffs##n(u32 a, u32 b)                                    \
	{ s##n x = LANES(s##n, a), y = LANES(s##n, b);                         \
	  return PACK(__builtin_convertvector(__builtin_elementwise_abs(WIDE(n, x) - WIDE(n, y)), u##n)); } \
	u32 __nv_vabsdiffu##n(u32 a, u32 b)                                    \
	{ u##n x = LANES(u##n, a), y = LANES(u##n, b);                         \
	  return PACK(__builtin_elementwise_max(x, y) - __builtin_elementwise_min(x, y)); } \
	u32 __nv_vsads##n(u32 a, u32 b)                                        \
	{ s##n x = LANES(s##n, a), y = LANES(s##n, b);                         \
	  return sum##n(__builtin_elementwise_abs(WIDE(n, x) - WIDE(n, y))); } \
	u32 __nv_vsadu##n(u32 a, u32 b)                                        \
	{ u##n x = LANES(u##n, a), y = LANES(u##n, b);                         \
	  return sum##n(__builtin_elementwise_abs(WIDE(n, x) - WIDE(n, y))); } \
	/* signed averages round away from zero, unsigned ones up */           \
	u32 __nv_vavgs##n(u32 a, u32 b)                                        \
	{ s##n x = LANES(s##n, a), y = LANES(s##n, b);                         \
	  w##n sum = WIDE(n, x) + WIDE(n, y);                                  \
	  return PACK(__builtin_convertvector((sum + 1 + (sum >> 31)) >> 1, s##n)); } \
	u32 __nv_vavgu##n(u32 a, u32 b)                                        \
	{ u##n x = LANES(u##n, a), y = LANES(u##n, b);                         \
	  return PACK(__builtin_convertvector((WIDE(n, x) + WIDE(n, y) + 1) >> 1, u##n)); } \
	u32 __nv_vhaddu##n(u32 a, u32 b)                                       \
	{ u##n x = LANES(u##n, a), y = LANES(u##n, b);                         \
	  return PACK(__builtin_convertvector((WIDE(n, x) + WIDE(n, y)) >> 1, u##n)); } \
	u32 __nv_vmaxs##n(u32 a, u32 b)                                        \
	{ return PACK(__builtin_elementwise_max(LANES(s##n, a), LANES(s##n, b))); } \
	u32 __nv_vmaxu##n(u32 a, u32 b)                                        \
	{ return PACK(__builtin_elementwise_max(LANES(u##n, a), LANES(u##n, b))); } \
	u32 __nv_vmins##n(u32 a, u32 b)                                        \
	{ return PACK(__builtin_elementwise_min(LANES(s##n, a), LANES(s##n, b))); } \
	u32 __nv_vminu##n(u32 a, u32 b)                                        \
	{ return PACK(__builtin_elementwise_min(LANES(u##n, a), LANES(u##n, b))); } \
	COMPARE(n, eq, u, ==)                                                  \
	COMPARE(n, ne, u, !=)                                                  \
	COMPARE_BOTH(n, ge, >=)                                                \
	COMPARE_BOTH(n, gt, >)                                                 \
	COMPARE_BOTH(n, le, <=)                                                \
	COMPARE_BOTH(n, lt, <)

/* vcmp gives all ones in a lane, vset gives one. */
#define COMPARE_AS(n, name, kind, op)                                          \
	u32 __nv_vcmp##name##n(u32 a, u32 b)                                   \
	{ return PACK(LANES(kind##n, a) op LANES(kind##n, b)); }               \
	u32 __nv_vset##name##n(u32 a, u32 b)                                   \
	{ return PACK((LANES(kind##n, a) op LANES(kind##n, b)) & 1); }
#define COMPARE(n, name, kind, op) COMPARE_AS(n, name, kind, op)
#define COMPARE_BOTH(n, name, op)                                              \
	COMPARE_AS(n, name##s, s, op)                                          \
	COMPARE_AS(n, name##u, u, op)

FOR(2)
FOR(4)
