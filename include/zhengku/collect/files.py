"""Which files of a drop a run reads: those without a batch, rejected ones that may do better now, else the newest."""

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
    """Return the files that are to be read, the oldest first; `has_batches` when the run has some of the feed already.

    With `again`, rejected files are among them. Raises `DeliveryUnavailable` when there is nothing to read.
    """
    fresh = {_identity(delivery) for delivery in deliveries if _is_new(delivery, seen, config_digest)}
    rejected = {identity for identity, earlier in seen.items() if again and earlier.status == "rejected"}
    asked = {_identity(delivery) for delivery in deliveries} & rejected
    if not fresh and not has_batches:
        try:
            fresh = {_identity(_newest(feed, address, deliveries, seen))}
        except DeliveryUnavailable as error:
            if not asked:
                raise
            log.warning("%s", error)
    return [delivery for delivery in deliveries if _identity(delivery) in fresh | asked]


def _newest(
    feed: Feed,
    address: str,
    deliveries: Sequence[Delivery],
    seen: Mapping[ledger.DeliveryIdentity, ledger.SeenDelivery],
) -> Delivery:
    """Return the newest file of a drop with nothing new in it. Raises `DeliveryUnavailable` when there is none."""
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
            f"{newest.name} is the newest delivery of {feed.name} and was given back, or a step died of it again "
            "and again (`zhengku batches --status rejected`). Ask the department for a corrected file, or let it "
            "be read again with `zhengku collect --again`."
        )
    return newest


def _is_new(
    delivery: Delivery, seen: Mapping[ledger.DeliveryIdentity, ledger.SeenDelivery], config_digest: str
) -> bool:
    """Tell whether a delivery has no batch yet, or was rejected and may fare better now.

    That is when it has had another manifest since, or we have changed how the feed is read: the fault may have been
    ours.
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
