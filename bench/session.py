"""A session of psql that stays open, for benchmarks that need its state."""

import os
import subprocess

from measure import Problem

MARK = "-- the answer ends here --"


class Session:
    """Statements in one connection, one after the other; gone with the block."""

    def __init__(self, cluster, database=None):
        conninfo = cluster.conninfo(database) if database else cluster.conninfo()
        command = [os.path.join(cluster.bindir, "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-d", conninfo]
        self.psql = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, statement):
        """Without waiting for the answer."""
        self.psql.stdin.write(f"{statement};\n")
        self.psql.stdin.flush()

    def run(self, statement):
        """Lines of the answer, also of an error's."""
        self.send(statement)
        self.psql.stdin.write(f"\\echo {MARK}\n")
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline()) and line.rstrip("\n") != MARK:
            lines.append(line.rstrip("\n"))
        if not line:
            raise Problem(f"a session has ended: {' '.join(lines[-3:])}")
        return lines

    def close(self):
        self.psql.kill()
        self.psql.wait()
        self.psql.stdin.close()
        self.psql.stdout.close()
