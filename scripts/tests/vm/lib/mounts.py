"""File systems made and mounted for a test, taken away after it."""

import contextlib
import pathlib
import subprocess

import calls

IMAGE_MEGABYTES = {"ext4": 16, "xfs": 310, "btrfs": 120}
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
PLACE = pathlib.Path("/run/mounts")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
    return done.stdout.strip()


@contextlib.contextmanager
def filesystem(kind, name=None):
    """Mounts a new, empty file system of this kind; gives its directory."""
    target = PLACE / (name or kind)
    target.mkdir(parents=True, exist_ok=True)
    if kind == "tmpfs":
        calls.mount("tmpfs", target, "tmpfs")
    else:
        image = target.with_suffix(".image")
        with open(image, "wb") as file:
            file.truncate(IMAGE_MEGABYTES[kind] << 20)
        run(*MAKE[kind], str(image))
        run("modprobe", "-a", "loop", kind)
        run("mount", "-o", "loop", str(image), str(target))
    try:
        yield target
    finally:
        run("umount", str(target))
        if kind != "tmpfs":
            image.unlink()


@contextlib.contextmanager
def overlay(base, **options):
    """Mounts an overlay of base/lower and base/upper on base/merged; gives (lower, upper, merged)."""
    lower, upper, work, merged = (pathlib.Path(base) / name for name in ("lower", "upper", "work", "merged"))
    for directory in (lower, upper, work, merged):
        directory.mkdir(parents=True, exist_ok=True)
    run("modprobe", "overlay")
    layers = {"lowerdir": lower, "upperdir": upper, "workdir": work, **options}
    text = ",".join(f"{key}={value}" for key, value in layers.items())
    run("mount", "-t", "overlay", "overlay", "-o", text, str(merged))
    try:
        yield lower, upper, merged
    finally:
        run("umount", str(merged))


@contextlib.contextmanager
def bind(source, target):
    """Shows a directory or file at a second place."""
    calls.mount(source, target, None, 0x1000)
    try:
        yield pathlib.Path(target)
    finally:
        calls.umount(target)
