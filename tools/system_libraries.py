"""Check that Qt can open a window on this Linux machine; on Debian, as root, make it so.

Started by ./run with any Python, before anything is installed: only the standard library is used.
Exits with 1 if no window can be opened, and says what to install.
"""

import ctypes
import os
import shutil
import subprocess
import sys

# What Qt, its X11 plugin and OpenGL load, and the Debian packages that bring it.
LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
# For a virtual screen: only needed where there is no real one.
COMMANDS = {"Xvfb": "xvfb", "xauth": "xauth"}
# OpenGL in software, for virtual screens; it is loaded by name from a folder of its own.
SOFTWARE_OPENGL = "libgl1-mesa-dri"


def can_load(library: str) -> bool:
    """Return whether the dynamic linker finds a library, wherever it comes from."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def is_installed(package: str) -> bool:
    """Return whether a Debian package is installed; elsewhere assume that it is."""
    if shutil.which("dpkg-query") is None:
        return True
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.startswith("installed")


def missing() -> dict[str, str]:
    """Return what is missing, each with its Debian package."""
    found = {library: name for library, name in LIBRARIES.items() if not can_load(library)}
    found |= {command: name for command, name in COMMANDS.items() if not shutil.which(command)}
    if not is_installed(SOFTWARE_OPENGL):
        found["OpenGL in software"] = SOFTWARE_OPENGL
    return found


def install(packages: list[str]) -> None:
    """Install Debian packages, without questions."""
    print("Installing system libraries for Qt:", *packages, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends"]):
        names = packages if arguments[0] == "install" else []
        command = ["apt-get", *arguments, *names]
        # What could not be installed is found by looking again.
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)


def main() -> int:
    """Check, install what may be installed, and say what is left to do."""
    if sys.platform != "linux":
        return 0
    absent = missing()
    debian = shutil.which("apt-get") is not None
    if absent and debian and os.geteuid() == 0:
        install(sorted(set(absent.values())))
        absent = missing()
    if not absent:
        return 0

    has_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    needed = [name for name in absent if name in LIBRARIES or not has_screen]
    print("Missing on this system:", ", ".join(absent), file=sys.stderr)
    if debian:
        packages = " ".join(sorted(set(absent.values())))
        print("To install it: sudo apt-get install", packages, file=sys.stderr)
    else:
        print("Install it with your system's package manager.", file=sys.stderr)
    if needed:
        print(
            "Without it no window can be opened. What needs none still works: "
            "./run core, ./run lint, ./run types",
            file=sys.stderr,
        )
        return 1
    print("Going on without: it is only needed for a virtual screen.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
