"""A mapping of text to text in CBOR (RFC 8949), as the AWS SDKs' rpc-v2-cbor protocol writes small requests."""

from __future__ import annotations

from collections.abc import Mapping

_TEXT, _MAP = 3, 5
_BREAK = 0xFF
_INDEFINITE = 31
_LENGTHS = {24: 1, 25: 2, 26: 4, 27: 8}


def encode_texts(content: Mapping[str, str]) -> bytes:
    parts = [_head(_MAP, len(content))]
    parts += [_text(text) for pair in content.items() for text in pair]
    return b"".join(parts)


def decode_texts(raw: bytes) -> dict[str, str]:
    """Raises ValueError for anything else."""
    reader = _Reader(raw)
    count = reader.head(_MAP)
    found: dict[str, str] = {}
    while count is None or len(found) < count:
        if count is None and reader.at_break():
            break
        key = reader.text()
        found[key] = reader.text()
    return found


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def head(self, wanted: int) -> int | None:
        """The length that follows; None where it is indefinite."""
        first = self._take(1)[0]
        if first >> 5 != wanted:
            raise ValueError(f"CBOR type {wanted} expected, not {first >> 5}")
        small = first & 0x1F
        if small == _INDEFINITE:
            return None
        if small < 24:
            return small
        if small not in _LENGTHS:
            raise ValueError("no CBOR length")
        return int.from_bytes(self._take(_LENGTHS[small]), "big")

    def text(self) -> str:
        length = self.head(_TEXT)
        if length is not None:
            return self._take(length).decode()
        parts = []
        while not self.at_break():
            parts.append(self.text())
        return "".join(parts)

    def at_break(self) -> bool:
        if self._raw[self._at : self._at + 1] != bytes([_BREAK]):
            return False
        self._at += 1
        return True

    def _take(self, count: int) -> bytes:
        part = self._raw[self._at : self._at + count]
        if len(part) < count:
            raise ValueError("the CBOR ends early")
        self._at += count
        return part


def _head(kind: int, length: int) -> bytes:
    if length < 24:
        return bytes([kind << 5 | length])
    return bytes([kind << 5 | 25]) + length.to_bytes(2, "big")


def _text(text: str) -> bytes:
    raw = text.encode()[:0xFFFF]
    return _head(_TEXT, len(raw)) + raw
