"""Which files of a drop a run reads: new files, rejected files that may be accepted now, else the newest file."""

import logging
from collections.abc import Mapping, Sequence

from zhengku import ledger
from zhengku.catalog import Feed
from zhengku.errors import DeliveryUnavailable
from zhengku.transports.registry import connector_of
from zhengku.transports.source import Delivery

log = logging.getLogger(__name__)


def files_to_read(
    feed: Feed,
    address: str,
    deliveries: Sequence[Delivery],
    seen: Mapping[ledger.DeliveryIdentity, ledger.SeenDelivery],
    config_digest: str,
    *,
    again: bool,
    has_batches: bool,
) -> list[Delivery]:
    """Return the files to read, the oldest first; `has_batches` when the run has batches of the feed already.

    With `again`, rejected files are among them. Raises `DeliveryUnavailable` when there is nothing to read.
    """
    fresh = {_identity(delivery) for delivery in deliveries if _is_new(delivery, seen, config_digest)}
    rejected = {identity for identity, earlier in seen.items() if again and earlier.status == "rejected"}
    read_again = {_identity(delivery) for delivery in deliveries} & rejected
    if not fresh and not has_batches:
        try:
            fresh = {_identity(_newest(feed, address, deliveries, seen))}
        except DeliveryUnavailable as error:
            if not read_again:
                raise
            log.warning("%s", error)
    return [delivery for delivery in deliveries if _identity(delivery) in fresh | read_again]


def _newest(
    feed: Feed,
    address: str,
    deliveries: Sequence[Delivery],
    seen: Mapping[ledger.DeliveryIdentity, ledger.SeenDelivery],
) -> Delivery:
    """Return the newest file of a drop without new files. Raises `DeliveryUnavailable` when it cannot be read again."""
    if not deliveries:
        raise DeliveryUnavailable(
            f"{connector_of(feed).nothing_delivered(address)} Ask the department whether its export ran."
        )
    newest = deliveries[-1]
    if seen[_identity(newest)].status == "held":
        raise DeliveryUnavailable(
            f"{newest.name} is the newest delivery of {feed.name} and its batch is held. Release it "
            "(`zhengku batches --status held`, `zhengku release`), or ask the department for a corrected file."
        )
    if seen[_identity(newest)].rule_id in (ledger.GIVEN_BACK, ledger.STEP_CRASHED):
        raise DeliveryUnavailable(
            f"{newest.name} is the newest delivery of {feed.name} and was given back, or a step crashed repeatedly "
            "while processing it (`zhengku batches --status rejected`). Ask the department for a corrected file, or "
            "read it again with `zhengku collect --again`."
        )
    return newest


def _is_new(
    delivery: Delivery, seen: Mapping[ledger.DeliveryIdentity, ledger.SeenDelivery], config_digest: str
) -> bool:
    """Return whether a delivery has no batch yet, or was rejected and may be accepted now.

    It may be when its manifest has changed since, or the configuration of the feed: the error may have been ours.
    """
    earlier = seen.get(_identity(delivery))
    if earlier is None:
        return True
    if earlier.status != "rejected" or earlier.finished_at is None:
        return False
    if earlier.config_digest != config_digest:
        return True
    return delivery.manifest_at is not None and delivery.manifest_at > earlier.finished_at


def _identity(delivery: Delivery) -> ledger.DeliveryIdentity:
    assert delivery.size is not None
    return delivery.name, delivery.size, delivery.modified_at
