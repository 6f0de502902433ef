# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""image.py LIT-IMAGE PART < IR: a part of the portable image in a module's text."""
import os
import re
import subprocess
import sys
import tempfile

text = sys.stdin.read()
m = re.search(r'^@__hetckpt_image = .*? c"((?:[^"\\]|\\.)*)"', text, re.M)
if not m:
    sys.exit("no @__hetckpt_image in the input")
data = re.sub(rb"\\(\\|[0-9A-Fa-f]{2})", lambda x: b"\\" if x[1] == b"\\" else bytes([int(x[1], 16)]),
              m[1].encode("latin-1"))
with tempfile.NamedTemporaryFile() as f:
    f.write(data)
    f.flush()
    sys.stdout.flush()
    sys.exit(subprocess.run([sys.argv[1], f.name, sys.argv[2]]).returncode)
