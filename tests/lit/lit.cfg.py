# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Configuration of the tests of the compiler pass.
#   %opt        opt with the plugin
#   %device     clang++ that compiles CUDA's device side alone, with the tests' prelude
#   %hetcc      the compiler driver; %run runs a program under hetckpt, on the CPU; %hetckpt is the tool
#   %translate  hetckpt-translate
#   %plugin     the plugin; %image picks a part of the portable image out of LLVM IR
# Features: cuda-toolkit, ptxas.
import atexit
import os
import shutil
import tempfile

import lit.formats

config.name = "hetckpt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".ll", ".cu", ".test"]
config.excludes = ["Inputs"]

prelude = os.path.join(config.source_root, "tests", "stress", "kernels")
cuda = next((p for p in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if p and os.path.isdir(p)), None)
if cuda:
    config.available_features.add("cuda-toolkit")
if config.ptxas and os.path.exists(config.ptxas):
    config.available_features.add("ptxas")

device = (f"{config.clang} -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib"
          f" --cuda-feature=+ptx70 -std=c++20 -Wno-unknown-cuda-version -Wno-pass-failed -I{prelude}"
          f" -fplugin={config.plugin} -fpass-plugin={config.plugin}")
if not config.hetcc or not config.hetckpt:
    config.excludes.append("e2e")
# Short: a socket's path must fit into its address. For the user alone.
run = tempfile.mkdtemp(prefix="hetckpt-lit-")
atexit.register(shutil.rmtree, run, ignore_errors=True)
here = os.path.dirname(os.path.abspath(__file__))
config.substitutions += [
    ("%opt", f"{config.opt} -load-pass-plugin={config.plugin}"),
    ("%device", device),
    ("%plugin", config.plugin),
    ("%hetcc", config.hetcc),
    ("%hetckpt", config.hetckpt),
    ("%translate", config.translate),
    ("%run", f"env HETCKPT_RUNTIME_DIR={run} HETCKPT_CACHE_DIR={config.test_exec_root}/cache"
             f" {config.hetckpt} run -q --device cpu:0"),
    ("%image_part", config.image_part),
    ("%image", f"{config.python} {here}/image.py {config.image_part}"),
    ("%llc", config.llc),
    ("%dis", config.llvm_dis),
    ("%clang", config.clang),
    ("%ptxas", config.ptxas),
    ("%cuda", cuda or ""),
    ("%samples", os.path.join(config.source_root, "samples")),
    ("%python", config.python),
    ("%registers", f"{config.python} {here}/registers.py {config.ptxas}"),
    (r"\bFileCheck\b", config.filecheck),
    (r"(?<!-)\bnot\b", config.not_),
]
