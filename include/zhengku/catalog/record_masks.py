"""How a record, its key and its delivered row are masked: by the catalogue's `personal` of each field."""

from collections.abc import Callable, Mapping
from typing import Final

from zhengku.catalog.catalog import Catalog
from zhengku.catalog.department import Feed
from zhengku.errors import CatalogError
from zhengku.masking import mask_holder, mask_identity, mask_name, mask_people, mask_text, mask_unknown

KEY_SEPARATOR: Final = "|"
"""Separates the fields of a key."""


def payload_masks(feed: Feed, catalog: Catalog) -> dict[str, Callable[[str], str]]:
    """Return the mask of each column that the feed maps; of several masks the strictest.

    Columns without one, such as ignored columns, must be masked by `mask_unknown`.
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
    """Mask a delivered row (the department's column name → value) by the fields to which its columns are mapped."""
    masks = payload_masks(feed, catalog)
    masked: dict[str, str | None] = {}
    for column, value in payload.items():
        mask = masks.get(column, mask_unknown)
        # In the JSON of an interface, an identity number may be the key of an object.
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
    """Return the mask of a standard field, by its name and the catalogue's `personal`."""
    return _STRICTEST_FIRST["holder" if name == "holder" else personal]


def mask_key(key: str, department: str, feed_id: str, catalog: Catalog) -> str:
    """Mask a record's key, each part like its field in the feed's key.

    When the feed was removed or has a key of another length now, every part is masked like an identity number.
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
