"""Which models a service offers: what is declared, what its server lists, what was known."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from control.api.names import LATEST, untagged
from node import config
from node.engines.sight import Model, Operation

# Bytes; half of what control takes of a host. The other half is for what is declared.
MAX_DESCRIPTION = 1 << 19


@dataclass(frozen=True, slots=True)
class Asset:
    """A model that a service offers."""

    asset_id: str
    loaded: bool
    context_tokens: int  # 0 when unknown
    operation: Operation | None = None  # None: the kind of its service
    family: str = ""
    digest: str = ""
    modality: str = ""
    format: str = ""
    capabilities: tuple[str, ...] = ()
    size_bytes: int = 0  # of the weights, 0 when unknown
    # None when the server alone tells of it. As long as the node lives it stays the same.
    declared: config.Asset | None = field(default=None, compare=False)


def declared(settings: config.Service) -> tuple[Asset, ...]:
    """Return what a service offers before its server is looked at."""
    return tuple(_asset(Model(one.asset_id, one.loaded), one, {}) for one in settings.assets)


def listed(
    models: Iterable[Model],
    settings: config.Service,
    known: Iterable[Asset],
    takes: Callable[[Model], bool],
) -> tuple[Asset, ...]:
    """Return what a service offers whose server lists `models`; declared assets first.

    A server that lists its models knows better than a file what is in memory, and how a
    name is spelt: `qwen3` and `qwen3:latest` are one.

    known: what was offered before; it stands where the server does not tell.
    takes: whether a model that is not declared is for this service.
    """
    left = {model.asset_id: model for model in models}
    before = {asset.asset_id: asset for asset in known}
    offered: dict[str, Asset] = {}
    for one in settings.assets:
        model = next((left.pop(name) for name in _spellings(one.asset_id) if name in left), None)
        if model is None and any(name in offered for name in _spellings(one.asset_id)):
            continue
        asset = _asset(model or Model(one.asset_id, loaded=False), one, before)
        offered[asset.asset_id] = asset
    if settings.discovers:
        for model in filter(takes, left.values()):
            offered[model.asset_id] = _asset(model, None, before)
    return tuple(offered.values())


def takes(kinds: Collection[config.Kind], kind: config.Kind) -> Callable[[Model], bool]:
    """Return which models are for a service of `kind`, one of several at one server.

    kinds: of these services. What embeds is for those that are for embeddings, where there
    are any; what does not say what it does is for all.
    """

    def for_it(model: Model) -> bool:
        return model.operation in (None, kind) or model.operation not in kinds

    return for_it


def described(assets: Iterable[Asset]) -> int:
    """Return how many bytes describe `assets`."""
    return sum(len(text.encode()) for asset in assets for text in _texts(asset))


def within(assets: Iterable[Asset], room: int) -> tuple[Asset, ...]:
    """Return `assets`, those that `room` bytes do not suffice to describe without description.

    Otherwise one server that tells too much would have control refuse its whole host.
    """
    found = []
    for asset in assets:
        room -= described([asset])
        bare = replace(asset, family="", digest="", modality="", format="", capabilities=())
        found.append(asset if room >= 0 else bare)
    return tuple(found)


def _texts(asset: Asset) -> Iterator[str]:
    yield from (asset.family, asset.digest, asset.modality, asset.format)
    yield from asset.capabilities


def _spellings(name: str) -> tuple[str, ...]:
    return (name, untagged(name), name + LATEST)


def _asset(model: Model, one: config.Asset | None, before: Mapping[str, Asset]) -> Asset:
    """Return `model` as it is offered. one: as it is declared, which counts for more."""
    told = one or config.Asset(asset_id=model.asset_id)
    asset = Asset(
        model.asset_id,
        bool(model.loaded),
        told.context_tokens or model.context_tokens,
        model.operation,
        told.family or model.family,
        told.digest or model.digest,
        told.modality or model.modality,
        told.format or model.format,
        model.capabilities,
        model.size_bytes,
        one,
    )
    known = before.get(model.asset_id)
    if known is None or model.loaded or (model.digest and model.digest != known.digest):
        return asset
    # Of what is not in memory servers tell less; what they told stays true.
    return replace(
        asset,
        loaded=known.loaded if model.loaded is None else False,
        context_tokens=asset.context_tokens or known.context_tokens,
        operation=asset.operation or known.operation,
        family=asset.family or known.family,
        digest=asset.digest or known.digest,
        format=asset.format or known.format,
        capabilities=asset.capabilities or known.capabilities,
        size_bytes=asset.size_bytes or known.size_bytes,
    )
