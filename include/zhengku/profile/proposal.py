"""A proposed mapping of a feed as data: its fields, its extra fields, its operation column, the columns left out."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ProposedField:
    """One proposed field, extra field or operation: its YAML value and the reason, which becomes the line's comment.

    With `is_sure` it is part of the mapping; otherwise it is printed as a comment with a question mark.
    """

    name: str
    column: str | None
    value: str
    why: str
    is_sure: bool = True


@dataclass
class Proposal:
    """A proposed mapping. `unsure` fields are only printed as comments, so that the printed mapping loads as it is.

    `ignored` has the unused columns, each with the reason; `no_text` those that hold no text, each with its type.
    """

    fields: list[ProposedField] = field(default_factory=list)
    unsure: list[ProposedField] = field(default_factory=list)
    extension: list[ProposedField] = field(default_factory=list)
    operation: ProposedField | None = None
    ignored: list[tuple[str, str]] = field(default_factory=list)
    no_text: list[tuple[str, str]] = field(default_factory=list)

    @property
    def mapped(self) -> dict[str, ProposedField]:
        """The fields of the mapping, by name."""
        return {each.name: each for each in self.fields}
