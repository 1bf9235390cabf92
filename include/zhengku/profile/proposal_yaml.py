"""A proposed mapping as YAML, to be pasted into a department's file."""

from collections.abc import Iterator, Mapping, Sequence

from zhengku.catalog import Feed
from zhengku.catalog.reference import StandardField
from zhengku.profile.proposal import Proposal, ProposedField
from zhengku.profile.yaml_text import scalar
from zhengku.transports.window import Whole


def proposal_yaml(
    feed: Feed,
    proposal: Proposal,
    standard: Mapping[str, StandardField],
    suites: Sequence[str],
    key_line: str,
    required: Mapping[str, str],
) -> str:
    """Return a proposal as lines of YAML, indented to be pasted below the feed's transport and window.

    `key_line` is the text after `key:`. `required` has the fields that a critical rule requires in every row, with the
    rule's id: none of them is proposed as absent. Guesses that are not part of the mapping are comments (`# ?`). Of the
    values of the sample it shows only codes of short lists.
    """
    lines = [*_head(feed, proposal, key_line), f"suites: [{', '.join(suites)}]", "", "fields:"]
    lines += [_field_line(each) for each in (*proposal.fields, *proposal.unsure)]
    if proposal.extension:
        # A key with only comments below it would be no mapping.
        sign = "" if any(each.is_sure for each in proposal.extension) else "# ? "
        lines += ["", f"{sign}extension:", *(_field_line(each) for each in proposal.extension)]
    lines += _absent_lines(proposal, standard, required)
    ignored = [*proposal.ignored, *((name, f"holds no text ({kind}), was not read") for name, kind in proposal.no_text)]
    if ignored:
        lines += ["", "ignored_columns:", *(f"  - {scalar(name)}  # {why}" for name, why in ignored)]
    return "\n".join("    " + line if line else "" for line in lines) + "\n"


def _head(feed: Feed, proposal: Proposal, key_line: str) -> Iterator[str]:
    if isinstance(feed.window, Whole) and feed.deliveries != "snapshots":
        yield "deliveries: snapshots  # the window is whole, so the load can find records that disappeared"
    yield f"key: {key_line}"
    if "source_updated_at" in proposal.mapped:
        yield "version: source_updated_at  # of two rows of one key the later one counts"
    else:
        yield "version: delivery  # no column says when a row changed"
    if proposal.operation is not None:
        sign = "" if proposal.operation.is_sure else "# ? "
        yield f"{sign}operation: {proposal.operation.value}  # {proposal.operation.why}"


def _absent_lines(
    proposal: Proposal, standard: Mapping[str, StandardField], required: Mapping[str, str]
) -> Iterator[str]:
    absent = [name for name in standard if name not in proposal.mapped]
    if not absent:
        return
    unsure = {each.name for each in proposal.unsure}
    yield ""
    # A key with only comments below it would be no list.
    yield "absent:" if set(absent) - set(required) else "# ? absent:"
    for name in absent:
        comment = "see the guess above" if name in unsure else standard[name].name_zh
        if name in required:
            yield (
                f"  # ? - {name}  # {comment}: rule {required[name]} requires it in every row. Map a column; or ask "
                "the department, and say in absent_because why rows may do without it"
            )
        else:
            yield f"  - {name}  # {'? ' if name in unsure else ''}{comment}"


def _field_line(each: ProposedField) -> str:
    sign = "" if each.is_sure else "# ? "
    return f"  {sign}{scalar(each.name)}: {each.value}  # {each.why}"
