"""Where a key of the configuration was set: file and key, for messages."""

Keys = tuple[str | int, ...]
Source = tuple[str, Keys, dict]


class Places:
    """Where a key was set: the last file that sets it, else the command line."""

    def __init__(self, sources: list[Source]):
        self.sources = sources

    def of(self, keys: Keys) -> str:
        for file, prefix, content in reversed(self.sources):
            inner = keys[len(prefix) :]
            if keys[: len(prefix)] == prefix and _has(content, inner):
                return f"{file}: key {_dotted(inner)}" if inner else file
        return f"config: key {_dotted(keys)}"

    def missing(self, keys: Keys, name: str) -> str:
        """Where the key `name` should stand: beside the other keys of the mapping at `keys`."""
        for file, prefix, content in self.sources:
            inner = keys[len(prefix) :]
            if keys[: len(prefix)] == prefix and _has(content, inner):
                return f"{file}: key {_dotted((*inner, name))}"
        return f"config: key {_dotted((*keys, name))}"


def _has(content: object, keys: Keys) -> bool:
    for key in keys:
        if isinstance(content, list):
            content = dict(enumerate(content))
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def _dotted(keys: Keys) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".") or "(top level)"
