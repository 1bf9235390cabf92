"""The settings of an HTTP interface: how requests are signed, rows divided into pages, and answers shaped."""

from typing import Annotated, Literal

from pydantic import Field

from zhengku.configuration_model import ColumnName, Identifier, Model, RelativeFolder, Text, WholeNumber
from zhengku.transports.transport import Transport

# RFC 9110: a token.
HEADER_PATTERN = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"

Header = Annotated[str, Field(pattern=HEADER_PATTERN)]


class HmacSignature(Model):
    """HMAC-SHA256, keyed with the connection's secret, over its id followed by the time."""

    kind: Literal["hmac_sha256"]
    id_header: Header = Field(default="x-app-id", description="Header that carries the id.")
    time_header: Header = Field(default="x-timestamp", description="Header that carries the time.")
    signature_header: Header = Field(default="x-signature", description="Header that carries the signature.")
    time_unit: Literal["seconds", "milliseconds"] = Field(default="milliseconds", description="Unit of the time.")
    encoding: Literal["hex", "base64"] = Field(default="hex", description="How the signature is written.")


class Md5Signature(Model):
    """MD5 over the connection's id (the key), its secret and the time, as older gateways want."""

    kind: Literal["md5"]
    id_header: Header = Field(default="appkey", description="Header that carries the key.")
    time_header: Header = Field(default="rtime", description="Header that carries the time.")
    signature_header: Header = Field(default="sign", description="Header that carries the signature.")
    time_unit: Literal["seconds", "milliseconds"] = Field(default="milliseconds", description="Unit of the time.")


class TokenSignature(Model):
    """A token, got for the connection's id and secret, that expires."""

    kind: Literal["token"]
    path: RelativeFolder = Field(description="Where the token is got, below the address.")
    id_parameter: Text = Field(default="appId", description="Key of the id in the request's JSON body.")
    secret_parameter: Text = Field(default="appSecret", description="Key of the secret in the request's JSON body.")
    token: Text = Field(default="data.token", description="Place of the token in the answer, keys joined by dots.")
    expires_in: Text | None = Field(
        default="data.expiresIn", description="Place of its life in seconds; left out, it is used until it is refused."
    )
    header: Header = Field(default="Authorization", description="Header that carries the token.")
    prefix: str = Field(default="Bearer ", description="What stands before the token in the header.")


class NoSignature(Model):
    """Nothing is signed."""

    kind: Literal["none"]


class NumberPaging(Model):
    """Pages by number and size."""

    kind: Literal["number"]
    page_parameter: Text = Field(default="page", description="Parameter with the page's number.")
    size_parameter: Text = Field(default="size", description="Parameter with the page's size.")
    size: WholeNumber = Field(default=500, ge=1, le=100_000, description="Rows of a page.")
    first: WholeNumber = Field(default=1, ge=0, le=1, description="Number of the first page.")


class CursorPaging(Model):
    """Pages by a cursor that each answer names for the next one."""

    kind: Literal["cursor"]
    cursor_parameter: Text = Field(default="cursor", description="Parameter with the cursor; the first page has none.")
    cursor: Text = Field(description="Place of the next cursor in the answer; blank or missing after the last page.")
    size_parameter: Text = Field(default="size", description="Parameter with the page's size.")
    size: WholeNumber = Field(default=500, ge=1, le=100_000, description="Rows of a page.")


class TimePaging(Model):
    """Pages by time: each asks for rows changed since the last one's newest row; needs a watermark window."""

    kind: Literal["time"]
    size_parameter: Text = Field(default="size", description="Parameter with the page's size.")
    size: WholeNumber = Field(default=500, ge=1, le=100_000, description="Rows of a page.")
    largest_size: WholeNumber = Field(
        default=10_000, ge=1, le=100_000, description="Asked for where more rows than `size` bear one time."
    )


class ResponseShape(Model):
    """Where things stand in an answer; places are keys joined by dots."""

    rows: Text = Field(default="data.rows", description="The list of rows.")
    rows_also: tuple[Literal["nothing", "one_row", "json_text"], ...] = Field(
        default=(),
        description="What else may stand there: nothing (null, an empty text or object, or no key, there or on the "
        "way, where there are no rows), one_row (a single row as an object), json_text (the list, or what lies on the "
        "way to it, as a text of JSON).",
    )
    total: Text | None = Field(
        default=None, description="Number of rows of the whole window; compared with what came, where it is named."
    )
    code: Text | None = Field(default=None, description="Business code: an error may come inside HTTP 200.")
    message: Text | None = Field(default=None, description="Business message.")
    ok_codes: tuple[Text, ...] = Field(default=("0", "200"), min_length=1, description="Business codes of success.")
    retry_codes: tuple[Text, ...] = Field(default=(), description="Business codes that may pass: asked again later.")
    token_codes: tuple[Text, ...] = Field(default=(), description="Business codes that say that the token expired.")
    omits_empty: bool = Field(
        default=False,
        description="Whether a row leaves out the keys that have no value. Otherwise a mapped key that is in no row is "
        "contract drift, and rejects the delivery.",
    )


class HttpApi(Transport):
    """An HTTP interface of the department or of the sharing platform; rows come as JSON objects, page by page."""

    kind: Literal["http"]
    connection: Identifier = Field(
        description="Id of the connection; its address (https://id:secret@host/base) is in the environment as "
        "ZHENGKU_CONN_<ID>, never here."
    )
    path: RelativeFolder = Field(description="Path below the connection's address.")
    method: Literal["get", "post"] = Field(
        default="get", description="get sends parameters in the query, post in a JSON body."
    )
    parameters: dict[Text, Text] = Field(default_factory=dict, description="Parameters that are always the same.")
    signature: Annotated[HmacSignature | Md5Signature | TokenSignature | NoSignature, Field(discriminator="kind")] = (
        Field(description="How a request proves who sends it.")
    )
    paging: Annotated[NumberPaging | CursorPaging | TimePaging, Field(discriminator="kind")] = Field(
        description="How the rows are divided into pages."
    )
    response: ResponseShape = ResponseShape()
    since_parameter: Text | None = Field(
        default=None, description="Parameter for the begin of the window (inclusive); needed by a watermark window."
    )
    until_parameter: Text | None = Field(
        default=None, description="Parameter for its end (inclusive): with it, pages do not shift for new rows."
    )
    time_format: Text = Field(
        default="%Y-%m-%d %H:%M:%S", description="How the interface writes times (Asia/Shanghai), in strftime's terms."
    )
    row_id: tuple[ColumnName, ...] = Field(
        default=(),
        description="Columns that tell a row of the source from every other: pages that shifted are seen by them.",
    )
    requests_per_minute: WholeNumber = Field(
        default=600, ge=1, le=100_000, description="Limit of the department; the slots of its pool share it."
    )
    attempts: WholeNumber = Field(
        default=5, ge=1, le=20, description="Tries of one request, and of one window whose pages shifted."
    )
    connect_timeout_seconds: WholeNumber = Field(default=10, ge=1, le=300, description="To reach the server.")
    read_timeout_seconds: WholeNumber = Field(default=60, ge=1, le=3600, description="Without a byte of the answer.")
    whole_timeout_seconds: WholeNumber = Field(
        default=300,
        ge=1,
        le=7200,
        description="For one try of one request as a whole: from the connection to the last byte, with redirects.",
    )

    @property
    def row_columns(self) -> tuple[str, ...]:
        """The columns `row_id`."""
        return self.row_id

    @property
    def origin_zh(self) -> str:
        """Where the rows come from, in Chinese."""
        return "接口"

    @property
    def reading_zh(self) -> str:
        """How they are read, in Chinese."""
        return "按页取回接口数据并原样落地，逐页核对总数与记录号；限流、超时与“200里的业务错误”自动重试。"
