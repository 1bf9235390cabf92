"""What can go wrong, as one clear line each: what was expected, what came, where, and the fix.

A message never holds a value of a certificate: it may end in a log or on a page.
"""


class ZhengkuError(Exception):
    """Base of every error that a person meets; its text is complete on one line."""

    final = False
    """Whether another try would end the same: somebody has to look."""


class ConfigurationError(ZhengkuError):
    """A setting or a connection id is missing or wrong."""

    final = True


class CatalogError(ZhengkuError):
    """The catalogue is wrong; the text names file, line and fix."""

    final = True


class DeliveryRejected(ZhengkuError):
    """A delivery is wrong as a whole: nothing of it is loaded, and the store stays as it was.

    `rule` is the id of the file rule that rejected it, `reason` the Chinese text for the department.
    """

    def __init__(self, rule: str, message: str, reason: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.reason = reason


class DeliveryUnavailable(ZhengkuError):
    """The source could not be read now; the same step may pass later."""


class SourceRefused(ZhengkuError):
    """The source answered, and will answer the same until somebody changes something there or here."""

    final = True


class FeedsUnavailable(ZhengkuError):
    """Several feeds could not be collected, and some of them may be at the next try; the others are collected."""


class FeedsRefused(ZhengkuError):
    """Several feeds could not be collected, and none of them will be at another try; the others are collected."""

    final = True


class StoreUnavailable(ZhengkuError):
    """The database cannot be reached, or refused the login."""


class StoreError(ZhengkuError):
    """The database refused a statement; what the step wrote in its transaction was rolled back."""


class LandingUnavailable(ZhengkuError):
    """The landing area cannot be read now; whether a file is in it is not known, and nothing is given up for lost."""


class LandingDamaged(ZhengkuError):
    """A file in the landing area is not what was landed; nothing is loaded from it."""

    final = True


class WorkerDied(ZhengkuError):
    """A process that this one started was ended from outside; the step may pass when it is run again."""


class StorageFull(ZhengkuError):
    """No space is left where the landing area or the database writes."""


class BalanceError(ZhengkuError):
    """The counts of a batch do not add up; its transaction was rolled back."""

    final = True


class BackfillIncomplete(ZhengkuError):
    """A month of some feeds of a department is not in the store whole; the other feeds' are."""


class BatchesFailed(ZhengkuError):
    """Some deliveries of a run were rejected or are held; the others are loaded."""

    final = True
