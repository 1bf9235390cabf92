"""How a record, its key and its delivered row are masked: by the catalogue's `personal` of each field.

Every value passes `mask_text` after its field's own mask: in a wrong row the columns may be exchanged.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from zhengku.catalog.catalog import Catalog
from zhengku.catalog.department import Feed
from zhengku.errors import CatalogError
from zhengku.masking import HolderKind, mask_holder, mask_identity, mask_name, mask_people, mask_text, mask_unknown

KEY_SEPARATOR: Final = "|"
"""Separates the fields of a key."""

Personal = Literal["no", "name", "holder", "identity", "people"]
"""What a field has of people: nothing, names, names of people or organisations, numbers, or names and numbers."""

Mask = Callable[[str], str]

_ORGANISATION_CODE_TYPES: Final = ("001", "099")
"""GB/T 36903-2018: unified social credit code, and other organisation. All other codes are of people."""


def payload_masks(feed: Feed, catalog: Catalog, code_type: str | None = None) -> dict[str, Mask]:
    """Return the mask of each column that the feed maps; of several masks the strictest.

    `code_type` is the row's own (`delivered_code_type`). Columns without a mask, such as ignored columns, must be
    masked by `mask_unknown`.
    """
    found: dict[str, set[Personal]] = {}
    standard = catalog.standard_fields(feed.dataset)
    for name, mapping in feed.fields.items():
        if mapping.column is not None:
            found.setdefault(mapping.column, set()).add(standard[name].personal)
    for extra in feed.extension.values():
        if extra.column is not None:
            found.setdefault(extra.column, set()).add(extra.personal)
    kind = holder_kind(catalog, feed.license_type, code_type)
    of_holder = feed.fields["holder"].column if "holder" in feed.fields else None
    return {
        # Only the holder's own name is of the declared kind: the builder of a company's house may be a person.
        column: field_mask(_strictest(kinds), kind if column == of_holder else None)
        for column, kinds in found.items()
    }


def mask_payload(payload: Mapping[str, str | None], feed: Feed, catalog: Catalog) -> dict[str, str | None]:
    """Mask a delivered row (the department's column name → value) by the fields to which its columns are mapped."""
    masks = payload_masks(feed, catalog, delivered_code_type(feed, payload))
    masked: dict[str, str | None] = {}
    for column, value in payload.items():
        mask = masks.get(column, mask_unknown)
        # In the JSON of an interface, an identity number may be the key of an object.
        masked[mask_text(column)] = None if value is None else mask_text(mask(value))
    return masked


def delivered_code_type(feed: Feed, payload: Mapping[str, str | None]) -> str | None:
    """Return the type of the holder's code of a delivered row; None where it is not given, or of an unknown code."""
    mapping = feed.fields.get("holder_code_type")
    if mapping is None:
        return None
    if mapping.column is None:
        return mapping.constant
    delivered = (payload.get(mapping.column) or "").strip()
    code = mapping.codes.get(delivered) if mapping.codes else delivered
    return code or None


def field_mask(personal: Personal, kind: HolderKind | None = None) -> Mask:
    """Return the mask of a field by the catalogue's `personal`; `kind` is what a holder is declared to be."""
    if personal == "holder":
        return lambda value: mask_holder(value, kind)
    return _MASKS[personal]


def holder_kind(catalog: Catalog, license_type: str | None, code_type: str | None) -> HolderKind | None:
    """Return what a holder is, by the type of its code and by its license type; None where neither says so.

    Where they contradict each other it is a person, whose name is masked.
    """
    of_type = catalog.license_type(license_type).holder_type if license_type else None
    if of_type == "person" or (code_type is not None and code_type not in _ORGANISATION_CODE_TYPES):
        return "person"
    return "organization" if code_type is not None or of_type == "organization" else None


def mask_key(key: str, department: str, feed_id: str, catalog: Catalog) -> str:
    """Mask a record's key, each part like its field in the feed's key.

    When the feed was removed or has a key of another length now, every part is masked like an identity number.
    """
    try:
        feed = catalog.feed(department, feed_id)
    except CatalogError:
        return mask_key_parts(key)
    parts = key.split(KEY_SEPARATOR)
    if len(feed.key) != len(parts):
        return mask_key_parts(key)
    standard = catalog.standard_fields(feed.dataset)
    masks = (field_mask(standard[name].personal) for name in feed.key)
    return KEY_SEPARATOR.join(mask_text(mask(part)) for mask, part in zip(masks, parts, strict=True))


def mask_key_parts(key: str) -> str:
    """Mask a key whose fields are not known: every part like an identity number."""
    return KEY_SEPARATOR.join(map(mask_identity, key.split(KEY_SEPARATOR)))


_MASKS: Final[Mapping[Personal, Mask]] = {
    "name": mask_name,
    "people": mask_people,
    "identity": mask_identity,
    "no": str,
}
_STRICTEST_FIRST: Final[tuple[Personal, ...]] = ("name", "people", "identity", "holder", "no")


def _strictest(kinds: set[Personal]) -> Personal:
    return next(kind for kind in _STRICTEST_FIRST if kind in kinds)
