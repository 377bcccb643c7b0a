"""Secrets out of lines of JSON, on their way to wherever they are kept.

What looks for secrets must be cheap, because hardly any line holds one: substrings first, and regular expressions only
over a line in which one was found.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

REDACTED = b"[redacted]"
SHORTEST = 8
"""Letters below which a given text is no secret: replacing every `1` or `true` would only spoil the line."""
SHORTEST_SHAPE = 16
"""Letters below which a value cannot hold what has the shape of a key or token."""
NAME, NAMES_KEPT = 64, 4096

# Where a word begins: after anything but a letter or digit, or after an escaped newline, whose `n` is a letter.
_BEGIN = rb"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4}))"
_NAMES = (
    rb"(?:proxy-)?authorization|(?:x-)?(?:goog-)?api[-_ ]?key|(?:access|auth|refresh|id|bearer|session)[-_]?token"
    rb"|client[-_]?secret|secret[-_]?(?:access[-_]?)?key|private[-_]?key|passw(?:or)?d|passphrase"
)

# By the substrings of a line in lower case that make it worth a look: what to look for, and what is left of it.
_SHAPES: tuple[tuple[tuple[bytes, ...], tuple[tuple[bytes, bytes], ...]], ...] = (
    (
        (b"authorization", b"api_key", b"api-key", b"apikey", b"api key", b'token"', b"token\\", b"token=",
         b"token:", b"token'", b"secret", b"private key", b"private_key", b"passw", b"passphrase"),
        (
            # A member of an object, whole, whatever its value holds; then the same inside of a text.
            (rb'("[^"\\]{0,40}(?:' + _NAMES + rb')"\s*:\s*")(?:[^"\\]|\\.)*', rb"\1" + REDACTED),
            (rb"((?:" + _NAMES + rb")(?:\\+[\"']|')?\s*[:=]\s*(?:\\+[\"']|')?(?:(?:bearer|basic|token)\s+)?)"
             rb"[^\s\"'\\,;&<>{}\[\])]{4,}", rb"\1" + REDACTED),
            (rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[^\"]*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?=\\*\"))", REDACTED),
        ),
    ),
    ((b"bearer ",), ((rb"(bearer\s+)[\w.~+/=-]{12,}", rb"\1" + REDACTED),)),
    ((b"basic ",), ((rb"((?-i:Basic)\s+)(?=[\w+/]*[0-9A-Z])[\w+/]{16,}={0,2}", rb"\1" + REDACTED),)),
    ((b"sk-",), ((_BEGIN + rb"sk-(?=[\w-]*[0-9])[\w-]{16,}", REDACTED),)),
    ((b"k_live_", b"k_test_"), ((_BEGIN + rb"[rs]k_(?:live|test)_\w{8,}", REDACTED),)),
    ((b"aiza",), ((_BEGIN + rb"AIza[\w-]{30,}", REDACTED),)),
    ((b"aq.",), ((_BEGIN + rb"(?-i:AQ)\.(?=[\w-]*[0-9])[\w-]{20,}", REDACTED),)),
    ((b"gsk_", b"xai-", b"pplx-"), ((_BEGIN + rb"(?:gsk_|xai-|pplx-)[A-Za-z0-9]{20,}", REDACTED),)),
    ((b"r8_", b"npm_"), ((_BEGIN + rb"(?:r8|npm)_[A-Za-z0-9]{20,}", REDACTED),)),
    ((b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_"), ((_BEGIN + rb"gh[posur]_[A-Za-z0-9]{20,}", REDACTED),)),
    ((b"github_pat_",), ((_BEGIN + rb"github_pat_\w{20,}", REDACTED),)),
    ((b"glpat-",), ((_BEGIN + rb"glpat-[\w-]{16,}", REDACTED),)),
    ((b"hf_",), ((_BEGIN + rb"hf_[A-Za-z0-9]{20,}", REDACTED),)),
    ((b"xox",), ((_BEGIN + rb"xox[abeoprs]-[\w-]{10,}", REDACTED),)),
    ((b"akia", b"asia"), ((_BEGIN + rb"(?-i:AKIA|ASIA)[0-9A-Z]{16}", REDACTED),)),
    ((b"ya29.",), ((_BEGIN + rb"ya29\.[\w-]{20,}", REDACTED),)),
    ((b"eyj",), ((_BEGIN + rb"(?-i:eyJ)[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", REDACTED),)),
    ((b"://",), ((rb"(://)[^\s/\"'@:\\]*:[^\s/\"'@\\]+(?=@)", rb"\1" + REDACTED),)),
)  # fmt: skip
_FLAGS = re.IGNORECASE | re.DOTALL
_MARKS = tuple((mark, shapes) for marks, shapes in _SHAPES for mark in marks)

_SECRET_NAMES = ("_API_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_ACCESS_KEY", "_PRIVATE_KEY", "_CREDENTIALS")


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of the variables of *environment* whose names say that they hold a secret."""
    return tuple(text for name, text in environment.items() if name.upper().endswith(_SECRET_NAMES))


class Redaction:
    """Takes secrets out of a line of JSON, which stays JSON.

    What is taken out: the *secrets* themselves; values of members and parameters with names such as `authorization`,
    `x-api-key` or `password`; what has the shape of a key or token of a well-known provider; passwords in URLs.

    Args:
        secrets: texts that must not stand in any line, such as the keys of the providers in use.
    """

    __slots__ = ("_clean", "_forms", "_least", "_secrets")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret.strip().encode("utf-8", "replace").decode() for secret in secrets}
        # The longest first: one may begin with another.
        kept = sorted((secret for secret in known if len(secret) >= SHORTEST), key=len, reverse=True)
        self._forms = tuple(dict.fromkeys(form for secret in kept for form in (secret, _escaped(secret))))
        self._secrets = tuple(dict.fromkeys(_escaped(form).encode() for form in self._forms))
        self._least = min([SHORTEST_SHAPE, *map(len, kept)])
        self._clean: set[str] = set()
        """Names that were looked at and hold nothing: those of models, tools and tenants come again and again."""

    def concerns(self, values: Iterable[Any]) -> bool:
        """Say whether a line made of *values* must be looked at: not when all are numbers, short or known names."""
        for value in values:
            kind = type(value)
            if kind is str:
                if len(value) >= self._least and value not in self._clean and not self._is_clean(value):
                    return True
            elif kind is not int and kind is not float and value is not None and kind is not bool:
                return True
        return False

    def __call__(self, line: bytes) -> bytes:
        """Return *line* without secrets."""
        if any(secret in line for secret in self._secrets):
            # One may begin in the middle of an escaped sign, and so only the texts themselves can lose it.
            line = json.dumps(self._without(json.loads(line)), ensure_ascii=False, separators=(",", ":")).encode()
        lowered = line.lower()
        for mark, shapes in _MARKS:
            if mark in lowered:
                for shape, kept in shapes:
                    line = re.sub(shape, kept, line, flags=_FLAGS)  # compiled when the first line needs it
        return line

    def _without(self, value: Any) -> Any:
        if isinstance(value, str):
            for form in self._forms:
                value = value.replace(form, REDACTED.decode())
            return value
        if isinstance(value, list):
            return [self._without(one) for one in value]
        if isinstance(value, dict):
            return {self._without(name): self._without(one) for name, one in value.items()}
        return value

    def _is_clean(self, name: str) -> bool:
        if len(name) > NAME:
            return False
        line = orjson.dumps(name.encode("utf-8", "replace").decode())
        if self(line) != line:
            return False
        if len(self._clean) == NAMES_KEPT:
            self._clean.clear()
        self._clean.add(name)
        return True


def _escaped(text: str) -> str:
    """Return *text* as it stands in a string of JSON."""
    return orjson.dumps(text).decode()[1:-1]
