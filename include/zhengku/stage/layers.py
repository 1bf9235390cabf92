"""Expressions over delivered columns as nested subqueries, each value computed once.

PostgreSQL inlines a function only where its arguments are plain columns: an expression that needs the result of
another one reads it as a column of the subquery below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql


@dataclass(frozen=True)
class Value:
    """A column and the number of the layer that computes it, or an expression that is the same in every row.

    A constant is written out wherever it is read: as a column it would cost every row a step in each layer.
    """

    layer: int
    name: str
    constant: sql.Composable | None = None

    @property
    def reference(self) -> sql.Composable:
        """The SQL by which an expression reads the value."""
        return self.constant or sql.Identifier(self.name)


@dataclass(frozen=True)
class _Computed:
    """An expression with the names of the columns that it reads."""

    value: Value
    expression: sql.Composable
    reads: frozenset[str]


class Layers:
    """Expressions by the layer that can compute them: one above the highest layer of their arguments."""

    def __init__(self, source_columns: Sequence[str]) -> None:
        self._computed: dict[str, _Computed] = {}
        self._source = {column: Value(0, f"c{number}") for number, column in enumerate(source_columns, start=1)}

    def delivered(self, column: str) -> Value:
        """Return a delivered column, by the department's name for it."""
        return self._source[column]

    def add(self, template: str, *arguments: Value, **literals: object) -> Value:
        """Add the SQL `template`, with arguments for `{0}`, `{1}`, … and literals for `{name}`; return its value.

        An expression that was added before is not computed twice.
        """
        expression = sql.SQL(template).format(
            *(argument.reference for argument in arguments),
            **{name: sql.Literal(value) for name, value in literals.items()},
        )
        read = [argument for argument in arguments if argument.constant is None]
        if not read:
            return Value(0, "", sql.SQL("({})").format(expression))
        key = expression.as_string(None)
        if key not in self._computed:
            layer = 1 + max(argument.layer for argument in read)
            value = Value(layer, f"v{len(self._computed) + 1}")
            self._computed[key] = _Computed(value, expression, frozenset(argument.name for argument in read))
        return self._computed[key].value

    def select(self, outputs: Mapping[str, Value], source: sql.Composable) -> sql.Composed:
        """Return `select row_no, <outputs> from <layers over source>`."""
        by_layer: dict[int, list[_Computed]] = {}
        for computed in self._computed.values():
            by_layer.setdefault(computed.value.layer, []).append(computed)
        # A layer passes on only columns that a higher layer reads: each column costs every row a step in each layer.
        needed = {value.name for value in outputs.values() if value.constant is None}
        selected: list[sql.Composable] = []
        for layer in sorted(by_layer, reverse=True):
            here = {one.value.name: one for one in by_layer[layer] if one.value.name in needed}
            below = sorted(needed - here.keys())
            made = [sql.SQL("{} as {}").format(one.expression, sql.Identifier(name)) for name, one in here.items()]
            selected.append(sql.SQL(", ").join([*map(sql.Identifier, below), *made]))
            needed = {*below, *(name for one in here.values() for name in one.reads)}
        query: sql.Composable = sql.SQL("select * from {}").format(source)
        for number, columns in enumerate(reversed(selected), start=1):
            query = sql.SQL("select row_no, {columns}, clean.fence() as fence from ({below}) as layer_{number}").format(
                columns=columns, below=query, number=sql.SQL(str(number))
            )
        return sql.SQL("select row_no, {columns} from ({below}) as cleaned").format(
            columns=sql.SQL(", ").join(
                sql.SQL("{} as {}").format(value.reference, sql.Identifier(name)) for name, value in outputs.items()
            ),
            below=query,
        )
