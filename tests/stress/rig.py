# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the stress tests of samples share: where things are, runs, results."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


class Failure(Exception):
    """One line that says what went wrong."""


def tail(text, lines=4):
    """The last lines of an output, on one line."""
    return " | ".join(line for line in text.strip().splitlines()[-lines:])


def sample_line(text):
    """The facts of a sample's result line, or None."""
    for line in text.splitlines():
        facts = dict(re.findall(r"([a-z-]+)=(\S+)", line))
        if "checksum" in facts:
            facts["verdict"] = line.split()[-1]
            return facts
    return None


class Rig:
    """A build tree, a folder for what tests write, and a folder for sessions of their own."""

    def __init__(self, build, keep=None):
        self.build = os.path.abspath(build)
        self.hetckpt = os.path.join(self.build, "bin", "hetckpt")
        if not os.access(self.hetckpt, os.X_OK):
            raise Failure("%s is missing: build hetckpt first" % self.hetckpt)
        self.kept = keep is not None
        if keep:
            os.makedirs(keep, exist_ok=True)
            self.work = os.path.abspath(keep)
        else:
            self.work = tempfile.mkdtemp(prefix="hetckpt-stress-")
        # Sockets need a short path, whatever TMPDIR is.
        self.sessions = tempfile.mkdtemp(prefix="hetckpt-", dir="/tmp")
        self.env = dict(os.environ, HETCKPT_RUNTIME_DIR=self.sessions)
        for name in ("HETCKPT_STRESS", "HETCKPT_CPU_SCHEDULE", "HETCKPT_COVERAGE"):
            self.env.pop(name, None)

    def close(self, failed=False):
        shutil.rmtree(self.sessions, ignore_errors=True)
        if failed and not self.kept:
            print("what the runs wrote is kept in %s" % self.work, file=sys.stderr)
        elif not self.kept:
            shutil.rmtree(self.work, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.work, name)

    def sample(self, name, stressed):
        parts = ["tests", "stress", name] if stressed else ["samples", name]
        path = os.path.join(self.build, *parts)
        if not os.access(path, os.X_OK):
            raise Failure("%s is missing: build the target %s first"
                          % (path, "stress-samples" if stressed else "samples"))
        return path

    def run(self, program, arguments, device, stress=None, env=None, timeout=300, name=None):
        """Runs a program as a session to its end. Returns its output; raises Failure."""
        command = [self.hetckpt, "run", "--quiet", "--device", device]
        if stress:
            command += ["--stress", stress]
        if name:
            command += ["--name", name]
        command += ["--", program] + arguments
        process = subprocess.Popen(command, env=dict(self.env, **(env or {})), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)  # takes the application and the worker along
            try:
                out, err = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
            raise Failure("did not end within %d s: %s" % (timeout, tail(err + out)))
        if process.returncode:
            raise Failure("exit status %d: %s" % (process.returncode, tail(err + out)))
        return out

    def result(self, program, arguments, device, dump, **how):
        """Runs a sample. Returns (checksum, bytes of its result buffers)."""
        path = self.path(dump)
        if os.path.exists(path):
            os.unlink(path)
        out = self.run(program, arguments + ["--dump", path], device, **how)
        facts = sample_line(out)
        if not facts or facts["verdict"] not in ("PASS", "UNCHECKED"):
            raise Failure("no result line that says PASS: %s" % tail(out))
        with open(path, "rb") as file:
            data = file.read()
        if not data:
            raise Failure("the dump is empty")
        os.unlink(path)
        return facts["checksum"], data

    def tool(self, *arguments, timeout=60):
        """Runs a subcommand of hetckpt. Returns the completed process, whatever its status."""
        return subprocess.run([self.hetckpt] + list(arguments), env=self.env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout)


class Control:
    """A connection to a session's control socket (docs/sessions.md), for what must come within
    milliseconds. Waits until the session is there."""

    def __init__(self, rig, name, alive, timeout=30):
        until = time.monotonic() + timeout
        self.socket, self.number = None, 0
        while not self.socket:
            if not alive() or time.monotonic() > until:
                raise Failure("there is no session %s" % name)
            self.find(rig.sessions, name)
            time.sleep(0.002)

    def find(self, folder, name):
        """Connects if the session is there by now; others come and go meanwhile."""
        for entry in os.listdir(folder):
            try:
                with open(os.path.join(folder, entry, "session.json")) as file:
                    if json.load(file).get("name") != name:
                        continue
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                connection.settimeout(60)
                connection.connect(os.path.join(folder, entry, "control.sock"))
                self.socket = connection
                return
            except (OSError, ValueError):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.socket.close()

    def call(self, op, **fields):
        """The reply's facts. Raises Failure with the session's error; EOFError if it has ended."""
        self.number += 1
        try:
            self.socket.send(json.dumps(dict(fields, op=op, id=self.number)).encode())
            while True:
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError
                reply = json.loads(data)
                if reply.get("id") == self.number and "ok" in reply:
                    break
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None
        except socket.timeout:
            raise Failure("no answer to %s within a minute" % op) from None
        if not reply["ok"] and reply.get("error") == "the session is ending":
            raise EOFError
        if not reply["ok"]:
            raise Failure("%s: %s" % (op, reply.get("error")))
        return reply

    def kernels(self):
        """What a session that is paused has under way."""
        return (self.call("status", detail=True).get("worker") or {}).get("kernels", [])


def compare(what, got, want):
    """Bit for bit."""
    if got[0] != want[0] or got[1] != want[1]:
        at = next((i for i, (a, b) in enumerate(zip(got[1], want[1])) if a != b),
                  min(len(got[1]), len(want[1])))
        raise Failure("%s: the result differs from the undisturbed run's from byte %d on "
                      "(checksum %s, not %s)" % (what, at, got[0], want[0]))
