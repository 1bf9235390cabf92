"""Compare what a collection of cases and evaluations left in store, quarantine and ledger with the truth."""

from dataclasses import replace

from tests.support import night_comparison as comparison

from simulator.services import Collection


def differences(url: str, collection: Collection, batches_before: int) -> list[str]:
    """Return what is not as the truth says, a line each; `batches_before` is the newest batch before the collection.

    A system that was down must have left no batch, and of what it brought earlier all must be as it was.
    """
    found: list[str] = []
    for is_down in (False, True):
        deliveries = tuple(
            delivery for delivery in collection.deliveries if (delivery.system.name in collection.down) is is_down
        )
        night = replace(collection.night, deliveries=deliveries)
        found += comparison.differences(url, night, batches_before, counts=not is_down)
    if comparison.newest_batch(url) - batches_before != len(collection.deliveries) - len(collection.down):
        found.append(f"expected a batch of each system but {sorted(collection.down)}")
    return list(dict.fromkeys(found))
