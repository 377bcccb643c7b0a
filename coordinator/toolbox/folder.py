"""One folder that may be read, and nothing outside it: no traversal, no links out, only text of bounded size."""

import os
import stat
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from coordinator.domain.errors import Invalid
from coordinator.domain.value import value
from coordinator.toolbox.chunks import TEXT_SUFFIXES

MAX_BYTES = 2 * 1024 * 1024
MAX_FILES = 10_000
MAX_DEPTH = 40
# Of any kind: looking through so many takes about two seconds, and a folder of documents has no more.
MAX_ENTRIES = 300_000

# Not following a link that appeared after the check, and not waiting for a writer of a FIFO.
_SAFELY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@value
class Skipped:
    """A file or folder that was left out, and the code of the reason."""

    path: str
    reason: str


@value
class Listing:
    """The text files of a folder, as sorted paths relative to it with `/`, and what was left out."""

    files: tuple[str, ...]
    skipped: tuple[Skipped, ...]


class Folder:
    """A folder of text that may be read.

    Hidden names (a leading dot) are not listed; links are not walked, and one may be read only when it leads to a file
    inside. All methods block.

    Args:
        root: the folder; a link to it is resolved once, here.
        suffixes: of the files that count as text, in lower case.
        max_bytes: size above which a file is not read.
        max_files: number of files above which the folder is not listed.

    Raises:
        Invalid: `missing_folder`, `not_a_folder` or `unreadable_folder`.
    """

    def __init__(
        self,
        root: Path,
        *,
        suffixes: frozenset[str] = TEXT_SUFFIXES,
        max_bytes: int = MAX_BYTES,
        max_files: int = MAX_FILES,
    ) -> None:
        self.root = _existing(root)
        self.suffixes = suffixes
        self._endings = tuple(suffixes)
        self.max_bytes = max_bytes
        self.max_files = max_files

    def fingerprint(self) -> str:
        """Return a word that changes when a listed file is added, removed, renamed or written.

        Raises:
            Invalid: `too_many_files`.
        """
        seen = blake2b(digest_size=16)
        for name in self.listing().files:
            seen.update(f"{name}\0{_stamp(f'{self.root}/{name}')}\0".encode())
        return seen.hexdigest()

    def listing(self) -> Listing:
        """Return all text files of the folder.

        Raises:
            Invalid: `too_many_files`; a part chosen by chance would pass for the whole.
        """
        files: list[str] = []
        skipped: list[Skipped] = []
        for name, reason in self._walk():
            if reason:
                skipped.append(Skipped(name, reason))
                continue
            files.append(name)
            if len(files) > self.max_files:
                raise self._too_many(f"{self.max_files:,} text files")
        return Listing(tuple(sorted(files)), tuple(sorted(skipped, key=lambda one: one.path)))

    def read(self, name: str) -> str:
        """Return the text of the file *name*, a path relative to the folder.

        Raises:
            Invalid: `outside_folder`, `file_not_found`, `not_a_text_file`, `file_too_large` or `unreadable_file`.
        """
        path = self._inside(name)
        if path.suffix.lower() not in self.suffixes:
            raise _invalid(name, "not_a_text_file", f"is not one of {', '.join(sorted(self.suffixes))}")
        return self._load(path, name)

    def _inside(self, name: str) -> Path:
        # A regular file right in the folder lies inside: nothing to resolve, and it is opened without following links.
        if os.path.basename(name) == name and _is_regular(direct := self.root / name):  # noqa: PTH119 - knows drives
            return direct
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long, a zero byte
            raise _invalid(name, "file_not_found", "cannot be a file of this folder") from None
        # Whether something exists outside is nobody's business: the answer is the same.
        if not path.is_relative_to(self.root):
            raise _invalid(name, "outside_folder", "lies outside the folder that may be read")
        return path

    def _load(self, path: Path, name: str) -> str:
        data = self._bytes(path, name)
        if len(data) > self.max_bytes:
            raise _invalid(name, "file_too_large", f"is larger than {self.max_bytes:,} bytes")
        if b"\0" in data:
            raise _invalid(name, "not_a_text_file", "is binary")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise _invalid(name, "not_a_text_file", "is not UTF-8 text") from None

    def _bytes(self, path: Path, name: str) -> bytes:
        """Return at most one byte more than is allowed, so that a file that grows cannot fill the memory."""
        try:
            handle = os.open(path, _SAFELY)
        except (FileNotFoundError, NotADirectoryError):
            raise _invalid(name, "file_not_found", "is not a file of this folder") from None
        except (OSError, ValueError) as error:
            raise _invalid(name, "unreadable_file", f"cannot be read: {_reason(error)}") from None
        with os.fdopen(handle, "rb") as file:
            try:
                state = os.fstat(handle)
                if not stat.S_ISREG(state.st_mode):
                    raise _invalid(name, "not_a_text_file", "is not a regular file")
                # Room for what is there: making room for the largest file costs twice as much as reading a small one.
                data = file.read(min(state.st_size, self.max_bytes) + 1)
                grows = len(data) > state.st_size
                return data + file.read(self.max_bytes + 1 - len(data)) if grows else data
            except OSError as error:
                raise _invalid(name, "unreadable_file", f"cannot be read: {_reason(error)}") from None

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Yield every text file with an empty reason, and what is left out with its reason.

        The folders still to visit are a list of our own: no depth can exhaust the stack, and links are never walked,
        so that there are no loops.
        """
        waiting = [("", 0)]
        seen = 0
        while waiting:
            prefix, depth = waiting.pop()
            for entry in self._entries(prefix):
                seen += 1
                if seen > MAX_ENTRIES:
                    raise self._too_many(f"{MAX_ENTRIES:,} files of all kinds")
                if entry is None:
                    yield prefix, "unreadable_folder"
                elif entry.name.startswith("."):
                    continue
                elif entry.is_dir(follow_symlinks=False) and depth < MAX_DEPTH:
                    waiting.append((f"{prefix}{entry.name}/", depth + 1))
                elif (reason := self._reason_against(entry)) is not None:
                    yield _printable(prefix + entry.name), reason

    def _too_many(self, what: str) -> Invalid:
        return Invalid(
            f"folder {self.root} holds more than {what}", code="too_many_files", hint="name one of its subfolders"
        )

    def _entries(self, prefix: str) -> "Iterator[os.DirEntry[str] | None]":
        try:
            with os.scandir(self.root / prefix) as entries:
                yield from list(entries)
        except OSError:
            yield None

    def _reason_against(self, entry: "os.DirEntry[str]") -> str | None:
        """Return why *entry* is left out, "" when it is a text file, None when it never was one."""
        if entry.is_symlink():
            return self._reason_against_link(entry)
        if entry.is_dir(follow_symlinks=False):
            return "too_deep"
        if not self._named_text(entry.name):
            return None
        if _printable(entry.path) != entry.path:
            return "bad_name"
        return "" if entry.is_file(follow_symlinks=False) else "not_a_text_file"

    def _named_text(self, name: str) -> bool:
        # Hidden names are never asked about; a Path for each would cost more than all else that a listing does.
        return name.lower().endswith(self._endings)

    def _reason_against_link(self, entry: "os.DirEntry[str]") -> str | None:
        named_text = self._named_text(entry.name)
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):
            return "broken_link" if named_text else None
        # What lies inside is listed under its own name.
        if target.is_relative_to(self.root):
            return None
        return "outside_folder" if named_text or target.is_dir() else None


def _existing(root: Path) -> Path:
    try:
        resolved = root.resolve(strict=True)
        if not resolved.is_dir():
            raise Invalid(f"{root} is not a folder", code="not_a_folder", hint="name the folder that holds the file")
        os.scandir(resolved).close()
    except (FileNotFoundError, NotADirectoryError, RuntimeError, ValueError):
        raise Invalid(f"there is no folder {root}", code="missing_folder", hint="check the path") from None
    except OSError as error:
        raise Invalid(
            f"folder {root} cannot be read: {_reason(error)}", code="unreadable_folder", hint="check its permissions"
        ) from None
    return resolved


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _stamp(path: str) -> str:
    try:
        state = os.lstat(path)
    except OSError:
        return "gone"
    return f"{state.st_size} {state.st_mtime_ns}"


def _printable(name: str) -> str:
    """Return *name* so that it can be written as UTF-8; file systems also know names that are no text."""
    return name.encode("utf-8", "backslashreplace").decode()


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _invalid(name: str, code: str, what: str) -> Invalid:
    readable = code != "unreadable_file"
    hint = "give a path as a search returned it, relative to the folder" if readable else "check its permissions"
    return Invalid(f"file {name!r} {what}", code=code, hint=hint)
