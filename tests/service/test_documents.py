"""JSON documents, apart from the images in them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from service.documents import parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(VALUES)
def test_any_document_is_read_as_the_standard_library_reads_it(value: object) -> None:
    body = json.dumps(value).encode()
    assert parse_json(body) == json.loads(body)
