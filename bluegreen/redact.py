"""Takes secrets out of what hooks print, AWS answers and containers log, before anyone else sees it.

Known values are found also where they are broken over lines, coloured, URL-encoded or JSON-escaped. Beyond them
go the shapes of common credentials. ANSI codes and control characters are removed: they could hide a secret,
and a log is no terminal. So are halves of surrogate pairs, which no record can keep.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
_MARK = "\ue000"  # a private character holds the place until the shapes have been looked for

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~]?)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff\ue000\ud800-\udfff]")

_SECRET_PART = re.compile(r"SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|APIKEY|PRIVATE", re.IGNORECASE)
_SECRET_WORDS = {"KEY", "KEYS", "PASS", "PWD", "PW", "DSN", "WEBHOOK", "AUTH", "AUTHORIZATION", "COOKIE", "SIGNATURE"}
_WHEREABOUTS = {"FILE", "PATH", "DIR", "SOCK", "HOME", "NAME"}
_NOT_SECRET = {"true", "false", "none", "null", "test", "tests", "testing", "local", "localhost", "dummy", "example"}
_SHORTEST = 4
_SHORT = 8

KEY_NAME = r"[\w.-]*(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key)[\w.-]*"
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), _MARK),
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|x-api-key|x-amz-security-token|set-cookie|cookie)"
            r"(['\"]?[ \t]*[:=][ \t]*)[^\r\n]+"
        ),
        rf"\1\2{_MARK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)[ \t]+[\w.~+/-]{8,}=*"), rf"\1 {_MARK}"),
    (re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}\b"), _MARK),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), _MARK),
    (re.compile(r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,})"), _MARK),
    (re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+"), rf"\1{_MARK}"),
    (re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]{0,30}://)[^\s/?#\"'<>]{1,1000}@"), rf"\1{_MARK}@"),
    (
        re.compile(
            rf"(?i)(?<![\w.-])({KEY_NAME}['\"]?[ \t]*(?:=|:[ \t])[ \t]*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&\"']{{4,}})"
        ),
        rf"\1{_MARK}",
    ),
)

CREDENTIAL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,})"
    r"|(?i:\b(?:bearer|basic)[ \t]+(?=[\w.~+/-]*[\d+/=])[\w.~+/-]{12,}=*)"
    r"|(?i:\bX-Amz-(?:Signature|Security-Token)=[^&\s\"'$]+)"
    r"|\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s/?#\"'<>:@]{0,200}:[^\s/?#\"'<>@]{1,800}@"
    r"|\bhooks\.slack\.com/services/[\w/]{8,}"
    r"|\bdiscord(?:app)?\.com/api/webhooks/\d+/[\w-]{8,}"
)
"""What is hardly anything but a credential: narrower than what is taken out of outputs, where a line too much is no
loss."""


def looks_secret(name: str) -> bool:
    """Whether an environment variable or a header of this name is taken to hold a secret."""
    words = re.split(r"[_\W]", name.upper())
    if words[-1] in _WHEREABOUTS or name.upper() in {"PWD", "OLDPWD"}:
        return False
    return bool(_SECRET_PART.search(name)) or bool(_SECRET_WORDS.intersection(words))


def secrets_of(
    environment: Mapping[str, str], used: Mapping[str, str] | None = None, public: Iterable[str] = ()
) -> tuple[str, ...]:
    """The values to hide: those of secret-looking variables, and those a hook's settings took by ``${VAR}``,
    unless such a value is no secret anyway because it stands in ``public`` (a release's tag, a cluster's name)."""
    known = "\n".join(public)
    found = [value for name, value in environment.items() if looks_secret(name)]
    found += [value for name, value in (used or {}).items() if looks_secret(name) or value not in known]
    return tuple(dict.fromkeys(value for value in found if is_worth_hiding(value)))


class Redactor:
    """Immutable. ``longest`` is the length in characters of the longest form of a secret it knows."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first: a secret may contain another one.
        self._forms = sorted(forms, key=len, reverse=True)
        self.longest = len(self._forms[0]) if self._forms else 0

    def text(self, text: str) -> str:
        """One or many lines, without secrets, ANSI codes and control characters."""
        text = self._without_known(plain(text))
        for shape, replacement in _SHAPES:
            text = shape.sub(replacement, text)
        return re.sub(f"{_MARK}+", REDACTED, text)

    def tail(self, text: str, *, cut: bool, lines: int, size: int) -> tuple[str, ...]:
        """The last ``lines`` lines of at most ``size`` characters in all. ``cut`` says that text is missing in front,
        so that it may begin in the middle of a secret."""
        text = plain(text)
        clean = self.text(_without_beginning(text, self.longest) if cut else text)
        if len(clean) > size:
            clean = clean[-size:].partition("\n")[2] or clean[-size:]
        kept = [line.rstrip() for line in clean.split("\n")]
        while kept and not kept[-1]:
            kept.pop()
        return tuple(kept[-lines:]) if lines else ()

    def _without_known(self, text: str) -> str:
        """Searches the text as if it had no line breaks, and cuts the findings out of the text that has them."""
        places = [index for index, character in enumerate(text) if character not in "\n\t "] if self._forms else []
        compact = "".join([text[index] for index in places])
        spans: list[tuple[int, int]] = []
        for form in self._forms:
            start = compact.find(form)
            while start >= 0:
                end = start + len(form)
                first, last = places[start], places[end - 1] + 1
                if len(form) >= _SHORT or _stands_alone(text, first, last):
                    spans.append((first, last))
                start = compact.find(form, start + 1)
            spans += _begun(form, compact, places)
        return _cut(text, spans)


def plain(text: str) -> str:
    r"""Without ANSI codes and control characters; ``\r\n`` and ``\r`` are line breaks."""
    text = _ANSI.sub("", text)
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def is_worth_hiding(value: str) -> bool:
    return len(_compact(value)) >= _SHORTEST and value.strip().lower() not in _NOT_SECRET


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = json.dumps(secret)[1:-1]
    written = [
        plain(secret),
        escaped,
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ]
    return {form for form in map(_compact, written) if len(form) >= _SHORTEST}


def _compact(text: str) -> str:
    return "".join(character for character in text if character not in "\n\t ")


def _stands_alone(text: str, first: int, last: int) -> bool:
    """A short secret is hidden as a word, not wherever its letters happen to meet, perhaps across two words."""
    before, after = text[first - 1 : first], text[last : last + 1]
    return not (before.isalnum() or after.isalnum())


def _begun(form: str, compact: str, places: list[int]) -> list[tuple[int, int]]:
    """A secret whose end has not been printed yet, or never was because its process was killed."""
    for length in range(min(len(form) - 1, len(compact)), _SHORT - 1, -1):
        if compact.endswith(form[:length]):
            return [(places[-length], places[-1] + 1)]
    return []


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0
    for first, last in sorted(spans):
        if last <= done:
            continue
        if first >= done:
            parts += [text[done:first], _MARK]
        # Lines are kept as lines: only what the secret covered goes.
        parts.append("\n" * text.count("\n", max(first, done), last))
        done = last
    return "".join([*parts, text[done:]])


def _without_beginning(text: str, length: int) -> str:
    """Without the first ``length`` characters that count, and never starting in the middle of a line."""
    seen = 0
    for index, character in enumerate(text):
        seen += character not in "\n\t "
        if seen > length:
            return text[index:].partition("\n")[2] or text[index + 1 :]
    return ""
