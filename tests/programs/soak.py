#!/usr/bin/env python3
"""Runs blockrace in a loop against a node, and ends it at random moments.

soak.py BLOCKRACE RPC_URL BLOCKS SECONDS [FOLDER]

BLOCKS is a file with one block number a line. Commands are `fetch`, `verify`, `analyze` and `replay`. Three quarters of
them get SIGKILL, SIGTERM or SIGINT after up to two seconds. If FOLDER is a small file system, it is filled now and then.

The run fails if a cached block is lost or damaged, if a temporary file is left, if an exit code is not expected, or if a
command that was not ended fails. At its end it prints the number of runs, their exit codes, and the peak memory of each
command in the first and in the last third of the time.
"""

import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
# By the signal that was sent: the exit codes of a command that ends by it, before or after it watches for signals, or that
# was done before.
EXPECTED = {signal.SIGKILL: {-9, 0}, signal.SIGTERM: {143, -15, 0}, signal.SIGINT: {130, -2, 0}, None: {0}}


class Soak:
    def __init__(self, program, url, blocks, seconds, folder):
        self.program, self.url, self.blocks = program, url, blocks
        self.begin, self.end = time.time(), time.time() + seconds
        self.folder = folder
        self.cache = os.path.join(folder, "cache")
        self.codes = collections.Counter()
        self.peaks = collections.defaultdict(lambda: ([], [], []))

    def third(self):
        return min(2, int(3 * (time.time() - self.begin) / (self.end - self.begin)))

    def run(self, words, ended_by=None, expected=None):
        """Runs a command, and ends it after a random time if `ended_by` is a signal."""
        command = [self.program, *words, "--cache-dir", self.cache]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
            if ended_by:
                time.sleep(random.uniform(0, 2) ** 2 / 2)
                os.kill(process.pid, ended_by)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = code = os.waitstatus_to_exitcode(status)
            said.seek(0)
            text = said.read().decode(errors="replace")
        self.codes[words[0], code] += 1
        self.peaks[words[0]][self.third()].append(usage.ru_maxrss // 1024)
        if code not in (expected or EXPECTED[ended_by]):
            sys.exit(f"{' '.join(command)}\nexit code {code} after {ended_by}:\n{text[-4000:]}")
        return text

    def cached(self):
        found = set()
        for folder, _, names in os.walk(self.cache):
            found |= {os.path.join(folder, name) for name in names if name.endswith(".block")}
        return found

    def leftovers(self):
        names = [name for _, _, names in os.walk(self.cache) for name in names]
        return [name for name in names if name.startswith(".put-")]

    def words(self):
        chosen = ",".join(random.sample(self.blocks, random.randint(1, min(12, len(self.blocks)))))
        kind = random.choice(["fetch", "fetch", "fetch", "verify", "verify", "analyze", "replay"])
        if kind == "fetch":
            more = ["--overwrite"] if random.random() < 0.3 else []
            return ["fetch", chosen, "--rpc-url", self.url, *more]
        if not self.cached():
            return None
        settings = {
            "verify": [],
            "analyze": ["--iterations", "1"],
            "replay": ["--sample", "2", "--executors", "block-stm,bal", "--threads", "2", "--iterations", "1"],
        }
        return [kind, *settings[kind]]

    def fill_disk(self):
        """Fetches on a full disk. That has to fail, and may not damage a block."""
        filler = os.path.join(self.folder, "filler")
        with open(filler, "wb") as out:
            free = shutil.disk_usage(self.folder).free
            out.write(bytes(max(0, free - 200_000)))
        missing = ",".join(random.sample(self.blocks, min(12, len(self.blocks))))
        try:
            self.run(["fetch", missing, "--overwrite", "--rpc-url", self.url], expected={0, 2})
        finally:
            os.remove(filler)

    def soak(self):
        is_small = shutil.disk_usage(self.folder).total < 1 << 31
        rounds, known = 0, set()
        while time.time() < self.end:
            rounds += 1
            if is_small and random.random() < 0.05:
                self.fill_disk()
            elif words := self.words():
                self.run(words, random.choice([None, *SIGNALS]))
            now = self.cached()
            if lost := known - now:
                sys.exit(f"lost after {rounds} runs: {lost}")
            known = now
            if rounds % 25 == 0:
                # A fetch removes what killed ones left.
                self.run(["fetch", self.blocks[0], "--rpc-url", self.url])
                self.run(["cache", "check"])
                if left := self.leftovers():
                    sys.exit(f"temporary files are left: {left}")
        self.report(rounds)

    def report(self, rounds):
        print(f"{rounds} runs, {len(self.cached())} blocks cached, nothing lost")
        for (command, code), count in sorted(self.codes.items()):
            print(f"{command:8} exit code {code:4}: {count}")
        for command, thirds in sorted(self.peaks.items()):
            first, last = (max(part, default=0) for part in (thirds[0], thirds[2]))
            print(f"{command:8} peak memory: {first} MB in the first third, {last} MB in the last")


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    program, url, blocks, seconds = sys.argv[1:5]
    with open(blocks) as lines:
        numbers = [line.split("@")[0].strip() for line in lines if line[:1].isdigit()]
    folder = sys.argv[5] if len(sys.argv) == 6 else tempfile.mkdtemp()
    Soak(program, url, numbers, float(seconds), folder).soak()


if __name__ == "__main__":
    main()
