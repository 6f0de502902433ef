#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A random CUDA kernel from a seed: `generate.py SEED` prints it.

Kernels end, have no races and give the same bits in every order of threads:
 - a thread writes to its own elements of the output; other threads' data is read only
   behind a barrier, and barriers stand where control flow is the same for all of the block;
 - accumulators are touched by commutative atomics only, whose results are not used;
 - every loop has a bound; floats stay finite and small, so there are no NaNs and no
   conversions out of range; signed numbers never overflow.
Early returns leave whole warps where warp operations may follow."""

import random
import sys

SHARED_WORDS = 160  # of each shared array, at least the threads of a block


class Kernel:
    def __init__(self, seed):
        self.r = random.Random(seed * 2654435761 % (1 << 32) + seed)
        self.seed = seed
        self.lines = []
        self.depth = 1
        self.names = 0
        self.work = 1        # iterations that a statement here runs, product of the loops around it
        self.budget = 26     # statements left
        self.u32, self.u64, self.f32, self.f64, self.small, self.bool = [], [], [], [], [], []
        self.arrays = []     # private: (name, words)
        self.uniform = []    # u32 expressions that are the same in all of a block
        self.vectors, self.structs, self.pointers = [], [], []
        self.readonly = set()  # loop counters, and what all of a block agreed on

    # ---- words ----

    def chance(self, p):
        return self.r.random() < p

    def pick(self, *choices):
        return self.r.choice(choices)

    def name(self, stem):
        self.names += 1
        return f"{stem}{self.names}"

    def emit(self, text):
        self.lines.append("\t" * self.depth + text)

    class Scope:
        def __init__(self, k, times):
            self.k, self.times = k, times

        def __enter__(self):
            k = self.k
            self.saved = [list(x) for x in self.lists()]
            self.work = k.work
            k.work *= self.times
            k.depth += 1

        def __exit__(self, *_):
            k = self.k
            for now, old in zip(self.lists(), self.saved):
                now[:] = old
            k.work = self.work
            k.depth -= 1

        def lists(self):
            k = self.k
            return [k.u32, k.u64, k.f32, k.f64, k.small, k.bool, k.arrays, k.uniform, k.vectors,
                    k.structs, k.pointers]

    # ---- expressions ----

    def e32(self, depth=2):
        r = self.r
        if depth == 0 or self.chance(0.25):
            leaf = [lambda: r.choice(self.u32), lambda: r.choice(self.u32),
                    lambda: str(r.randrange(1, 1 << r.randrange(1, 32))) + "u",
                    lambda: "TID", lambda: "(u32)n", lambda: r.choice(self.uniform)]
            if self.small:
                leaf.append(lambda: "(u32)" + r.choice(self.small))
            if self.u64:
                leaf.append(lambda: f"(u32)({r.choice(self.u64)} >> {r.randrange(33)})")
            if self.bool:
                leaf.append(lambda: "(u32)" + r.choice(self.bool))
            if self.arrays:
                leaf.append(self.array_element)
            if self.pointers:
                leaf.append(lambda: "*" + r.choice(self.pointers))
            if self.structs:
                leaf.append(lambda: r.choice(self.structs) + self.pick(".a", ".c", ".w[1]"))
            return r.choice(leaf)()
        a, b = self.e32(depth - 1), self.e32(depth - 1)
        return self.pick(f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} ^ {b})", f"({a} & {b})",
                         f"({a} | {b})", f"({a} >> ({b} & 31))", f"({a} << ({b} & 31))",
                         f"({a} / ({b} | 1))", f"({a} % ({b} | 1))", f"({a} < {b} ? {a} : {b})",
                         f"(u32)((int){a} >> ({b} & 31))", f"(u32)__builtin_popcount({a})",
                         f"in[({a}) & 1023]", f"(u32)((int)({a} & 0xffff) - (int)({b} & 0xffff))")

    def array_element(self):
        name, words = self.r.choice(self.arrays)
        return f"{name}[{self.e32(1)} & {words - 1}]"

    def e64(self):
        a = self.r.choice(self.u64) if self.u64 else f"(u64){self.e32(1)}"
        b = f"(u64){self.e32(1)}"
        return self.pick(f"({a} * 0x{self.r.getrandbits(48) | 1:x}ull + {b})", f"({a} ^ ({b} << 20))",
                         f"({a} >> ({b} & 63))", f"({a} / ({b} | 3))", f"mix({a}, {b})")

    def f(self, double=False):
        """A number of absolute value below 4096."""
        pool = self.f64 if double else self.f32
        t, s = ("double", "") if double else ("float", "f")
        integer = f"({t})({self.e32(1)} & 1023)"
        if not pool:
            return integer
        a, b = self.r.choice(pool), self.r.choice(pool)
        return self.pick(f"({a} * 0.25{s} + {b} * 0.5{s} + 1.5{s})", f"({a} / (1.0{s} + {b} * {b}))",
                         f"({a} * 0.125{s} + {integer})", f"({a} < {b} ? {a} : {b} * 0.75{s})",
                         f"__builtin_sqrt{s}({a} * {a} + 1.0{s})" if not double else f"({a} - {b}) * 0.5",
                         f"({integer} - {a} * 0.5{s})",
                         f"({t})(int)({a})")

    def condition(self, uniform=False):
        if uniform:
            return f"(({self.r.choice(self.uniform)} + {self.r.randrange(8)}) % {self.pick(2, 3, 4)} == {self.pick(0, 1)})"
        if self.bool and self.chance(0.2):
            return self.r.choice(self.bool)
        if self.f32 and self.chance(0.15):
            return f"({self.r.choice(self.f32)} < {self.r.choice(self.f32)} + 1.0f)"
        return self.pick(f"({self.e32(1)} & {self.pick(1, 3, 4, 7)})", f"({self.e32(1)} < {self.e32(1)})",
                         f"({self.e32(1)} % 3 == 0)", f"((int){self.e32(1)} > (int){self.e32(1)})")

    # ---- statements ----

    def declare(self):
        kind = self.pick("u32", "u32", "u64", "f32", "f64", "small", "bool", "array", "vector", "struct")
        if kind == "u32":
            v = self.name("x")
            self.emit(f"u32 {v} = {self.e32()};")
            self.u32.append(v)
        elif kind == "u64":
            v = self.name("q")
            self.emit(f"u64 {v} = {self.e64()};")
            self.u64.append(v)
        elif kind == "f32":
            v = self.name("g")
            self.emit(f"float {v} = {self.f()};")
            self.f32.append(v)
        elif kind == "f64":
            v = self.name("d")
            self.emit(f"double {v} = {self.f(True)};")
            self.f64.append(v)
        elif kind == "small":
            v = self.name("s")
            self.emit(f"{self.pick('u8', 'u16')} {v} = {self.e32(1)};")
            self.small.append(v)
        elif kind == "bool":
            v = self.name("b")
            self.emit(f"bool {v} = {self.condition()};")
            self.bool.append(v)
        elif kind == "array":
            v, words = self.name("a"), self.pick(2, 4, 8, 16)
            i = self.name("i")
            self.emit(f"u32 {v}[{words}];")
            self.emit(f"for (u32 {i} = 0; {i} < {words}; {i}++)")
            self.emit(f"\t{v}[{i}] = {self.e32(1)} + {i};")
            self.arrays.append((v, words))
        elif kind == "vector":
            v = self.name("v")
            self.emit(f"f4 {v} = {{{self.f()}, {self.f()}, {self.f()}, 2.0f}};")
            self.vectors.append(v)
        else:
            v = self.name("t")
            self.emit(f"Thing {v} = {{(u32)({self.e32(1)}), (u8){self.e32(1)}, {self.f(True)}, {{(u32)({self.e32(1)}), 7u}}}};")
            self.structs.append(v)

    def writable(self, pool):
        return [v for v in pool if v not in self.readonly]

    def assign(self):
        choices = []
        if self.writable(self.u32):
            choices += [lambda: f"{self.r.choice(self.writable(self.u32))} {self.pick('=', '+=', '^=', '-=')} {self.e32()};"] * 3
        if self.u64:
            choices += [lambda: f"{self.r.choice(self.u64)} {self.pick('=', '+=', '^=')} {self.e64()};"] * 2
        if self.f32:
            choices += [lambda: f"{self.r.choice(self.f32)} = {self.f()};"] * 2
        if self.f64:
            choices += [lambda: f"{self.r.choice(self.f64)} = {self.f(True)};"]
        if self.small:
            choices += [lambda: f"{self.r.choice(self.small)} += {self.e32(1)};"]
        if self.bool:
            choices += [lambda: f"{self.r.choice(self.bool)} = {self.condition()};"]
        if self.arrays:
            choices += [lambda: f"{self.array_element()} {self.pick('=', '+=')} {self.e32(1)};"] * 2
        if self.vectors:
            def vector():
                v = self.r.choice(self.vectors)
                return self.pick(f"{v} = {v} * 0.5f + {self.f()};", f"{v}[{self.e32(1)} & 3] = {self.f()};",
                                 f"{v} = {v}.yzwx;")
            choices += [vector]
        if self.structs:
            def struct():
                t = self.r.choice(self.structs)
                return self.pick(f"{t}.a += {self.e32(1)};", f"{t}.w[{self.e32(1)} & 1] ^= {self.e32(1)};",
                                 f"{t}.b = {self.f(True)};", f"{t} = {self.r.choice(self.structs)};",
                                 f"touch(&{t}, {self.e32(1)});", f"{t}.a += weigh({t});")
            choices += [struct]
        self.emit(self.r.choice(choices)())

    def atomics(self):
        place = f"&acc[{self.e32(1)} & 255]"
        value = self.e32(1)
        self.emit(self.pick(f"atomic_add({place}, {value});", f"atomic_xor(&acc[256 + ({self.e32(1)} & 255)], {value});",
                            f"atomic_max(&acc[512 + ({self.e32(1)} & 255)], {value});",
                            f"atomic_add64((u64 *)acc + 512 + ({self.e32(1)} & 255), {value});"))

    def choose(self, uniform):
        """if, else, switch"""
        if self.chance(0.2):
            sel = self.r.choice(self.uniform) if uniform else self.e32(1)
            self.emit(f"switch ({sel} % 4) {{")
            for case in ("case 0:", "case 1:", "default:"):
                self.emit(case)
                with self.Scope(self, 1):
                    self.emit("{")
                    self.block(2, uniform)
                    self.emit("}")
                    if case == "default:" or self.chance(0.7):
                        self.emit("break;")
            self.emit("}")
            return
        self.emit(f"if ({self.condition(uniform)}) {{")
        with self.Scope(self, 1):
            self.block(2, uniform)
        if self.chance(0.5):
            self.emit("} else {")
            with self.Scope(self, 1):
                self.block(2, uniform)
        self.emit("}")

    def loop(self, uniform):
        """uniform: all of the block is here, and stays together in the loop."""
        room = max(2, min(40, 600 // self.work))
        top = self.r.randrange(1, room + 1)
        data = "(u32)n" if uniform else self.pick("(u32)n", self.e32(1), self.e32(1), "TID")
        bound = self.pick(str(top), f"(1 + {data} % {top})", f"({data} % {top + 1})")
        i = self.name("i")
        step = self.pick(1, 1, 1, 2, 3, 7)
        form = self.r.randrange(11)
        counter = True
        if form == 0:
            self.emit(f"for (u32 {i} = 0; {i} < {bound}; {i} += {step}) {{")
        elif form == 1:
            self.emit(f"for (int {i} = (int){bound}; {i} > 0; {i} -= {step}) {{")
        elif form == 2:
            self.emit(f"for (u32 {i} = {bound}; {i}-- > 0;) {{")
        elif form == 3:
            self.emit(f"for (i64 {i} = -(i64){bound}; {i} != 0; {i}++) {{")
        elif form == 4:
            self.emit(f"for ({self.pick('u8', 'u16', 'short')} {i} = 0; {i} < {bound}; {i}++) {{")
        elif form == 5:
            self.emit(f"u32 {i} = 0;")
            self.emit("do {")
        elif form == 6:
            first = self.pick("TX", "TID", str(self.r.randrange(40))) if not uniform else "(u32)n % 3"
            self.emit(f"for (u32 {i} = {first}; {i} < {top * 17}u; {i} += {self.pick('THREADS', '(17 + (u32)n % 5)')}) {{")
        elif form == 7:
            self.emit(f"for (int {i} = 5; {i} <= (int){bound} + 4; {i}++) {{")
        elif form == 8:
            self.emit(f"for (float {i} = 0.0f; {i} < (float){bound}; {i} += 1.5f) {{")
            counter = False
        elif form == 9:
            self.emit(f"u32 {i} = 0;")
            self.emit("while (true) {")
        else:
            self.emit(f"for (u64 {i} = {bound}; {i} >= {step}; {i} -= {step}) {{")
        with self.Scope(self, top):
            if form == 9:
                exit_ = f"++{i} > {bound}"
                if not uniform and self.chance(0.5):
                    exit_ += f" || {self.condition()}"
                self.emit(f"if ({exit_})")
                self.emit("\tbreak;")
            if counter:
                word = f"((u32){i})" if form in (1, 3, 4, 7, 10) else i
                self.u32.append(word)
                self.readonly.add(word)
                if uniform:
                    self.uniform.append(word)
            self.block(3, uniform)
            if self.chance(0.25) and not uniform and form != 5:
                self.emit(f"if ({self.condition()})")
                self.emit(f"\t{self.pick('continue', 'break')};")
                self.block(1, False)
            elif self.chance(0.15) and uniform and form != 5:
                self.emit(f"if ({self.condition(True)})")
                self.emit(f"\t{self.pick('continue', 'break')};")
                self.block(1, True)
        if form == 5:
            more = f" && ({self.e32(1)} & 15) != 3" if not uniform and self.chance(0.5) else ""
            self.emit(f"}} while (++{i} < {bound}{more});")
        else:
            self.emit("}")

    def exchange(self):
        """Shared memory: all write their own, all read any. Block-uniform places only."""
        which = self.r.randrange(4)
        kind = ("u32", "float", "u64", "u32")[which]
        name = ("words", "reals", "longs", "extra")[which]
        value = {"u32": lambda: self.e32(), "float": lambda: self.f(), "u64": lambda: self.e64()}[kind]()
        other = f"({self.e32(1)} % THREADS)"
        sync = "SYNC();" if self.chance(0.6) else None
        if self.chance(0.2):
            index = f"{self.e32(1)} % 16"
            self.emit(f"atomic_add(&words[THREADS + {index}], {self.e32(1)});")
        self.emit(f"{name}[TID] = {value};")
        if sync:
            self.emit(sync)
        else:
            v = self.name("c")
            how = self.pick("sync_count", "sync_or", "sync_and")
            self.emit(f"u32 {v} = (u32){how}({self.condition()} != 0);")
            self.u32.append(v)
            self.uniform.append(v)
            self.readonly.add(v)
        v = self.name("r")
        if kind == "float":
            self.emit(f"float {v} = {name}[{other}];")
            self.f32.append(v)
        elif kind == "u64":
            self.emit(f"u64 {v} = {name}[{other}];")
            self.u64.append(v)
        else:
            self.emit(f"u32 {v} = {name}[{other}];")
            self.u32.append(v)
        if self.chance(0.3):
            # While nobody writes, a pointer may point anywhere.
            self.point(shared=True)
        self.emit("SYNC();")

    def point(self, shared=False):
        """Reads through a pointer that is picked at run time and moves."""
        places = ["&in[{}]"]
        if shared:
            places += ["&words[{}]", "&extra[{}]"]
        for name, words in self.arrays:
            if words >= 8:
                places.append(f"&{name}[({{}}) & 1]")
        if len(places) < 2:
            places.append("&in[16 + {}]")
        a, b = self.r.sample(places, 2)
        p, i, v = self.name("p"), self.name("i"), self.name("x")
        self.emit(f"u32 {v} = 0;")
        self.emit("{")
        self.depth += 1
        index = f"{self.e32(1)} & 7"
        self.emit(f"const u32 *{p} = {self.condition()} ? {a.format(index)} : {b.format(index)};")
        self.emit(f"for (u32 {i} = 0; {i} < 1 + ({self.e32(1)} & 3); {i}++) {{")
        self.emit(f"\t{v} = {v} * 31 + *{p}++;")
        if self.chance(0.5):
            q = self.r.choice(places)
            self.emit(f"\tif ({v} & 64)")
            self.emit(f"\t\t{p} = {q.format(index)};")
        self.emit("}")
        self.depth -= 1
        self.emit("}")
        self.u32.append(v)

    def warp(self):
        """Warp operations: the same for all lanes of a warp, and whole warps are here."""
        v = self.name("w")
        x = self.e32(1)
        self.emit(self.pick(
            f"u32 {v} = shfl_xor({x}, {self.pick(1, 2, 4, 8, 16)});", f"u32 {v} = shfl_idx({x}, {self.e32(1)} & 31);",
            f"u32 {v} = shfl_up({x}, {self.pick(1, 3)});", f"u32 {v} = shfl_down({x}, {self.pick(1, 5)});",
            f"u32 {v} = ballot({self.condition()});", f"u32 {v} = any({self.condition()}) ? {x} : 3u;",
            f"u32 {v} = all({self.condition()}) ? {x} : 5u;", f"u32 {v} = {x}; sync_warp();"))
        self.u32.append(v)

    def warp_loop(self):
        """A loop that each warp runs as often as it likes."""
        room = max(2, min(20, 400 // self.work))
        i = self.name("i")
        bound = self.pick(f"1 + (TID / 32) % {room}", f"1 + shfl_idx({self.e32(1)}, 0) % {room}")
        b = self.name("m")
        self.emit(f"u32 {b} = {bound};")
        self.emit(f"for (u32 {i} = 0; {i} < {b}; {i}++) {{")
        with self.Scope(self, room):
            self.u32.append(i)
            self.readonly.add(i)
            for _ in range(self.pick(1, 2)):
                self.statement(False)
            self.warp()
            if self.chance(0.3):
                self.emit(f"if (any({self.condition()}))")
                self.emit("\tbreak;")
        self.emit("}")

    def statement(self, uniform):
        self.budget -= 1
        warps = self.scope == "warp" or (self.scope == "block" and self.whole_warps)
        choices = [(3, self.declare), (5, self.assign), (1, self.atomics), (2, self.point)]
        if self.budget > 0 and self.work < 300:
            choices += [(3, lambda: self.loop(uniform and self.chance(0.7))),
                        (2, lambda: self.choose(uniform and self.chance(0.5)))]
        if uniform and self.scope == "block":
            choices += [(4, self.exchange)]
        if uniform and warps:
            choices += [(2, self.warp), (2, self.warp_loop)]
        weights, actions = zip(*choices)
        self.r.choices(actions, weights)[0]()

    def block(self, most, uniform):
        for _ in range(self.r.randrange(1, most + 1)):
            self.statement(uniform)

    # ---- the kernel ----

    def text(self):
        r = self.r
        self.scope = self.pick("thread", "warp", "block", "block", "block")
        shapes = [(64, 1, 1), (32, 2, 1), (128, 1, 1), (96, 1, 1), (8, 4, 3)]
        if self.scope != "warp":
            shapes += [(40, 1, 1), (7, 5, 1), (3, 4, 5), (1, 1, 1), (33, 1, 1)]
        block = r.choice(shapes)
        threads = block[0] * block[1] * block[2]
        self.whole_warps = threads % 32 == 0
        grid = r.choice([(1, 1, 1), (3, 1, 1), (5, 1, 1), (2, 3, 1), (2, 1, 2)])
        n = r.randrange(1, 60)
        dynamic = 0

        self.uniform += ["(u32)n", "BLOCK", "p.u"]
        self.emit("u32 x0 = in[GTID & 1023] + TID;")
        self.emit("u64 q0 = GTID;")
        self.u32.append("x0")
        self.u64.append("q0")
        if self.scope == "block":
            dynamic = 4 * SHARED_WORDS
            self.emit(f"SHARED u32 words[{SHARED_WORDS}];")
            self.emit(f"SHARED float reals[{SHARED_WORDS}];")
            self.emit(f"SHARED u64 longs[{SHARED_WORDS}];")
            self.emit("extern __attribute__((shared)) u32 extra[];")
            self.emit(f"for (u32 i = TID; i < {SHARED_WORDS}; i += THREADS) {{")
            self.emit("\twords[i] = in[i]; reals[i] = (float)(in[i + 7] & 255); longs[i] = in[i + 3]; extra[i] = i;")
            self.emit("}")
            self.emit("SYNC();")
        for _ in range(r.randrange(2, 5)):
            self.declare()
        for step in range(r.randrange(3, 6)):
            if self.budget <= 0:
                break
            self.statement(True)
            if self.chance(0.2):
                whole = self.scope == "warp" or (self.scope == "block" and self.whole_warps)
                self.emit(f"if ({self.pick('(TID >> 5) % 3 == 1', '(TID >> 5) == 0 && (n & 1)') if whole else self.condition()}) {{")
                self.emit("\tout[GTID] = mix(q0, x0);")
                self.emit("\treturn;")
                self.emit("}")
            if self.chance(0.6):
                self.loop(True)
        self.emit("u64 h = mix(q0, x0);")
        for v in self.u32 + self.u64 + self.small + self.bool:
            self.emit(f"h = mix(h, (u64){v});")
        for v in self.f32 + self.f64:
            self.emit(f"h = mix(h, bits({v}));")
        for v in self.vectors:
            self.emit(f"h = mix(h, bits({v}.x) + bits({v}.w));")
        for name, words in self.arrays:
            self.emit(f"for (u32 i = 0; i < {words}; i++)")
            self.emit(f"\th = mix(h, {name}[i]);")
        for t in self.structs:
            self.emit(f"h = mix(h, {t}.a + {t}.c + {t}.w[0] + bits({t}.b));")
        self.emit("out[GTID] = h;")
        if self.scope == "block" and self.chance(0.5):
            self.emit("out[GTID + 4096] = words[TID];")

        options = [f"--grid={grid[0]},{grid[1]},{grid[2]}", f"--block={block[0]},{block[1]},{block[2]}",
                   f"--dynamic={dynamic}", f"--n={n}", f"--seed={self.seed}", "--random=3",
                   "--expect=pausable"]
        head = f"""// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Made by generate.py {self.seed}.
// harness: {' '.join(options)}
#include "prelude.h"

struct Thing {{
	u32 a;
	u8 c;
	double b;
	u32 w[2];
}};

struct Packet {{
	u8 tag;
	u32 u;
	double d;
}};

NOINLINE void touch(Thing *t, u32 x)
{{
	for (u32 i = 0; i < (x & 7); i++)
		t->w[i & 1] += t->a ^ i;
	t->c += (u8)x;
}}

NOINLINE u32 weigh(Thing t)
{{
	t.w[0] ^= t.w[1];
	return t.a * 3 + t.w[t.c & 1];
}}

GLOBAL stress(u64 *out, const u32 *in, u32 *acc, int n, Packet p)
{{
"""
        return head + "\n".join(self.lines) + "\n}\n", options


def kernel(seed):
    """Source text, and the harness's options as a list."""
    return Kernel(seed).text()


if __name__ == "__main__":
    sys.stdout.write(kernel(int(sys.argv[1]))[0])
