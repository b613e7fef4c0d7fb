"""The weights that an engine loads: found or downloaded, and checked before a GPU waits for them."""

import json
import struct
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import read_json, sha256, write_json
from headrace.perf.architecture import Model
from headrace.perf.records import read_record
from headrace.vllm.cells.settings import words_of

AUTO, DUMMY = "auto", "dummy"
CONFIG, INDEX, SINGLE = "config.json", "model.safetensors.index.json", "model.safetensors"
SIZES = {
    "layers": "num_hidden_layers",
    "hidden_size": "hidden_size",
    "attention_heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "intermediate_size": "intermediate_size",
    "vocab_size": "vocab_size",
}
"""What config/models.yaml calls a size, and what a model's config.json does."""
TORCH_DTYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Weights:
    """What an engine is started with: a folder in the hub's layout, and whether its weights are read.

    source: as the configuration names it; revision: the commit of a download, None for a folder.
    load_format dummy: the architecture is real, the weights are random. config_sha256: of config.json.
    """

    folder: str
    source: str
    revision: str | None
    load_format: str
    config_sha256: str
    vocab_size: int
    special_tokens: tuple[int, ...]
    """Ids that begin or end a text."""

    @property
    def vocabulary(self) -> range:
        """The longest run of ids without a special one: prompts are made of these."""
        bounds = [-1, *sorted({i for i in self.special_tokens if 0 <= i < self.vocab_size}), self.vocab_size]
        runs = [range(low + 1, high) for low, high in pairwise(bounds)]
        return max(runs, key=len)


def prepare(
    model: Model, source: str | None, revision: str | None, load_format: str, folder: Path, out: Path
) -> Weights:
    """Make sure that the weights of `model` are there, and note in `out` (JSON) where.

    source: a folder, or a name on the hub, which is downloaded into the hub's cache; None: the first of the
    model's names. With load_format dummy only config.json is needed; without a source it is written into
    `folder` from the model's sizes, and nothing is downloaded.

    Raises HeadraceError for a download that fails, files that are missing or cut short, and a config.json of
    another architecture.
    """
    if load_format == DUMMY and source is None:
        found, name, revision = folder, "sizes of config/models.yaml", None
        write_json(folder / CONFIG, config_of(model))
    elif source is not None and Path(source).is_dir():
        found, name, revision = Path(source), source, None
    else:
        name = source or model.hub_names[0]
        found, revision = _download(name, revision, load_format)
    config = _checked_config(found, model)
    if load_format == AUTO:
        check_files(found)
    special = [config.get(key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")]
    ids = [i for value in special for i in (value if isinstance(value, list) else [value]) if i is not None]
    weights = Weights(
        str(found), name, revision, load_format, sha256(config), config["vocab_size"], tuple(sorted(set(ids)))
    )
    write_json(out, asdict(weights))
    return weights


def read_weights(path: Path) -> Weights:
    """What `prepare` noted. Raises HeadraceError for another file, and when the folder is gone or changed."""
    weights = read_record(Weights, read_json(path), path)
    config = Path(weights.folder) / CONFIG
    again = "run the rule prefetch_weights again (snakemake --forcerun prefetch_weights)"
    if not config.is_file():
        raise HeadraceError(path, f"{config} is not there any more", again)
    if sha256(read_json(config)) != weights.config_sha256:
        raise HeadraceError(path, f"{config} has changed since it was checked", again)
    return weights


def config_of(model: Model) -> dict:
    """The config.json of a Llama with these sizes."""
    sizes = {theirs: getattr(model, ours) for ours, theirs in SIZES.items()}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **sizes,
        "head_dim": model.head_dim,
        "max_position_embeddings": model.max_context_tokens,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": model.dtype if model.dtype in TORCH_DTYPES else "bfloat16",
        "bos_token_id": None,
        "eos_token_id": None,
    }


def check_files(folder: Path) -> None:
    """Raise HeadraceError unless all weight files are there, each as long as its own header says.

    That is what a download that was cut short leaves; the weights themselves are not read.
    """
    index = folder / INDEX
    if index.is_file():
        content = read_json(index)
        mapping = content.get("weight_map") if isinstance(content, dict) else None
        if not isinstance(mapping, dict) or not mapping:
            raise HeadraceError(index, "has no weight_map", "download the weights again")
        names = sorted(set(mapping.values()))
    else:
        names = [SINGLE]
    for name in names:
        _check_safetensors(folder / name)


def _check_safetensors(file: Path) -> None:
    again = "download it again"
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(length)) if length <= size else None
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        expected = 8 + length + max(entry["data_offsets"][1] for entry in tensors.values())
    except FileNotFoundError:
        raise HeadraceError(file, "no such file of weights", "name a folder that holds them all") from None
    except (OSError, struct.error, ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        raise HeadraceError(file, "is no whole safetensors file", again) from error
    if size != expected:
        raise HeadraceError(file, f"has {size:,} bytes, its header says {expected:,}", again)


def _checked_config(folder: Path, model: Model) -> dict:
    file = folder / CONFIG
    config = read_json(file)
    if not isinstance(config, dict):
        raise HeadraceError(file, "is not a mapping", "name a folder with a model's config.json")
    for ours, theirs in SIZES.items():
        if config.get(theirs) != getattr(model, ours):
            raise HeadraceError(
                f"{file}: key {theirs}",
                f"is {config.get(theirs)}, the study's model has {getattr(model, ours)}",
                "name weights of that architecture (vllm.weights), or another model for the study",
            )
    return config


def _download(name: str, revision: str | None, load_format: str) -> tuple[Path, str]:
    """The folder in the hub's cache, and the commit that it holds."""
    place = f"weights {name}"
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise HeadraceError(
            place, "the package huggingface_hub is not installed", "install the extra headrace[tokenise]"
        ) from error
    wanted = [CONFIG] if load_format == DUMMY else ["*.json", "*.safetensors"]
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    except Exception as error:  # of the hub's client, of its transport and of the system
        raise HeadraceError(
            place,
            f"can't be downloaded ({words_of(error)})",
            "check name and network; a gated model needs a login (HF_TOKEN); or name a folder",
        ) from error
    return folder, folder.name
