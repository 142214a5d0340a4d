# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's state when its kernel has booted, kept for the next of its kind.

The state is that before the machine reaches for the folder which the host
shares with it, so it depends on images and emulator alone and not on what is
tested.  It is beside the images, and goes with them.
"""

import glob
import hashlib
import os
import subprocess
import tempfile
import time

from qmp import Monitor

# In seconds: how long it may take to write a state, or to read one
PATIENCE = 120

# And how long one is kept that nobody uses
MONTH = 30 * 24 * 3600


def wait_for(monitor, command, wanted, refused):
    """Ask until the answer's status is the wanted one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status = monitor.command(command).get("status")
        if status == wanted:
            return
        if status in refused or time.monotonic() > deadline:
            raise RuntimeError("%s: %s" % (command, status))
        time.sleep(0.1)


class BootedState:
    """The state that machines with such a command line boot to."""

    def __init__(self, folder, command, logs):
        """command: of the emulator; logs: the folder of one machine alone."""
        version = subprocess.check_output([command[0], "--version"])
        text = "\0".join(word.replace(logs, "") for word in command)
        digest = hashlib.sha256(version + text.encode()).hexdigest()[:16]
        self.folder = folder
        self.path = os.path.join(folder, "booted-" + digest)

    def there(self):
        return os.path.exists(self.path)

    def options(self):
        """With which the emulator goes on from there."""
        os.utime(self.path)
        return ["-incoming", "exec:zstd -dcq <'%s'" % self.path]

    @staticmethod
    def wait(sock):
        """Until a machine that was given the options goes on."""
        monitor = Monitor(sock, PATIENCE)
        # As it was stopped when its state was written
        wait_for(monitor, "query-status", "paused", ("internal-error",))
        monitor.command("cont")

    def save(self, sock):
        """Write the state of a machine, which goes on."""
        monitor = Monitor(sock, PATIENCE)
        for old in glob.glob(os.path.join(self.folder, "booted-*")):
            if os.stat(old).st_mtime < time.time() - MONTH:
                os.unlink(old)
        file, part = tempfile.mkstemp(prefix="booted-", dir=self.folder)
        os.close(file)
        try:
            monitor.command("stop")
            monitor.command("migrate-set-parameters",
                            **{"max-bandwidth": 1 << 40})
            monitor.command("migrate", uri="exec:zstd -1 -q >'%s'" % part)
            wait_for(monitor, "query-migrate", "completed",
                     ("failed", "cancelled"))
            os.rename(part, self.path)
        finally:
            monitor.command("cont")
            if os.path.exists(part):
                os.unlink(part)

    def forget(self):
        if self.there():
            os.unlink(self.path)
