"""How many files and sockets the process may have open: as many as the system lets it."""

import resource

MODEST = (65_536, 10_240)
"""What is tried where the hard value is not granted."""
CONNECTIONS = 1000
"""Connections at once that adapters make at most, and so what one load test asks of a provider."""
BESIDE = 64
"""Files that are open beside the sockets."""


def raise_open_files() -> int:
    """Raise the limit of open files from its soft to its hard value, as far as it goes; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, *MODEST):
        if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            except (OSError, ValueError):  # some systems name a hard value that they do not grant
                continue
            return wanted
    return soft


def enough_files(sockets: int) -> str:
    """Make room for so many *sockets*; return what to do when there is not enough, else nothing."""
    most = raise_open_files()
    if most == resource.RLIM_INFINITY or most >= sockets + BESIDE:
        return ""
    return (
        f"note: a process may open only {most:,} files here, so that fewer than {sockets:,} connections are open at "
        f"once; raise it before (ulimit -Hn {sockets + BESIDE}; ulimit -n {sockets + BESIDE})"
    )
