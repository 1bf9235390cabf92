"""How a record, its key and its delivered row are masked: by what the catalogue says each field tells of a person."""

from collections.abc import Callable, Mapping
from typing import Final

from zhengku.catalog.catalog import Catalog
from zhengku.catalog.department import Feed
from zhengku.errors import CatalogError
from zhengku.masking import mask_holder, mask_identity, mask_name, mask_people, mask_text, mask_unknown

KEY_SEPARATOR: Final = "|"
"""What stands between the fields of a key."""


def payload_masks(feed: Feed, catalog: Catalog) -> dict[str, Callable[[str], str]]:
    """Return how each column of the department that the feed maps is masked; of several masks the strictest holds.

    A column that is mapped to nothing, ignored ones too, is to show its length alone (`mask_unknown`).
    """
    kinds: dict[str, set[str]] = {}
    standard = catalog.standard_fields(feed.dataset)
    for name, mapping in feed.fields.items():
        if mapping.column is not None:
            kinds.setdefault(mapping.column, set()).add("holder" if name == "holder" else standard[name].personal)
    for extra in feed.extension.values():
        if extra.column is not None:
            kinds.setdefault(extra.column, set()).add(extra.personal)
    return {
        column: next((mask for kind, mask in _STRICTEST_FIRST.items() if kind in found), mask_unknown)
        for column, found in kinds.items()
    }


def mask_payload(payload: Mapping[str, str | None], feed: Feed, catalog: Catalog) -> dict[str, str | None]:
    """Mask a delivered row, by the department's column names: by what each column is mapped to."""
    masks = payload_masks(feed, catalog)
    masked: dict[str, str | None] = {}
    for column, value in payload.items():
        mask = masks.get(column, mask_unknown)
        # An interface may have a person's number for a key.
        masked[mask_text(column)] = None if value is None else mask_text(mask(value))
    return masked


_STRICTEST_FIRST: dict[str, Callable[[str], str]] = {
    "name": mask_name,
    "people": mask_people,
    "identity": mask_identity,
    "holder": mask_holder,
    "no": str,
}


def field_mask(name: str, personal: str) -> Callable[[str], str]:
    """Return how a standard field is masked: by its name and by what the catalogue says it tells of a person."""
    return _STRICTEST_FIRST["holder" if name == "holder" else personal]


def mask_key(key: str, department: str, feed_id: str, catalog: Catalog) -> str:
    """Mask a record's key like the fields that its feed makes it of.

    A key of which that cannot be told any more, because the feed is gone or has another key now, is masked as a number
    of a person, part by part.
    """
    parts = key.split(KEY_SEPARATOR)
    masks: list[Callable[[str], str]] = [mask_identity] * len(parts)
    try:
        feed = catalog.feed(department, feed_id)
    except CatalogError:
        pass
    else:
        if len(feed.key) == len(parts):
            standard = catalog.standard_fields(feed.dataset)
            masks = [field_mask(name, standard[name].personal) for name in feed.key]
    return KEY_SEPARATOR.join(mask_text(mask(part)) for mask, part in zip(masks, parts, strict=True))
