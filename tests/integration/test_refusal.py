# SPDX-License-Identifier: Apache-2.0
"""Without io_uring: which of the reasons it is, and what to change."""
import ctypes
import errno
import struct

import pytest

SYS_IO_URING_SETUP = 425
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def deny_io_uring(error):
    """A seccomp profile as containers have it; to be called before exec."""
    def load(code, value, jump_true=0, jump_false=0):
        return struct.pack("HBBI", code, jump_true, jump_false, value)

    def deny():
        program = b"".join([
            load(0x20, 0),  # the number of the system call
            load(0x15, SYS_IO_URING_SETUP, 0, 1),
            load(0x06, 0x00050000 | error),  # SECCOMP_RET_ERRNO
            load(0x06, 0x7fff0000)])  # SECCOMP_RET_ALLOW
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(program)
        header = struct.pack("HxxxxxxP", len(program) // 8,
                             ctypes.addressof(buffer))
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
                PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp")
    return deny


def refused(postern):
    postern.expect_clean = False
    postern.start(ready=False)
    assert postern.process.wait(30) != 0
    lines = [line for line in postern.text().splitlines()
             if "io_uring" in line]
    assert lines, postern.text()
    return "\n".join(lines)


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS],
                         ids=["EPERM", "ENOSYS"])
def test_a_seccomp_profile(make_postern, error):
    postern = make_postern()
    postern.limits = deny_io_uring(error)
    said = refused(postern)
    assert "seccomp" in said
    assert "io_uring_setup" in said or "allow" in said


@pytest.mark.parametrize("value", ["1", "2"])
def test_switched_off_by_the_kernel_setting(make_postern, scratch, value):
    """The setting as it would read, seen by this program only."""
    fake = scratch / "io_uring_disabled"
    fake.write_text(value + "\n")
    postern = make_postern()
    postern.prefix = [
        "unshare", "--mount", "sh", "-c",
        f"mount --bind {fake} /proc/sys/kernel/io_uring_disabled && "
        'exec "$@"', "sh"]
    postern.limits = deny_io_uring(errno.EPERM)
    said = refused(postern)
    assert "kernel.io_uring_disabled" in said
    assert "seccomp" not in said.split("kernel.io_uring_disabled")[0]
