"""Reconciliation (比对): proof that nothing is missing between a department's system and the store."""

from zhengku.operations.reconcile.checksum import checksum as checksum
from zhengku.operations.reconcile.comparison import Reconciliation as Reconciliation
from zhengku.operations.reconcile.comparison import Result as Result
