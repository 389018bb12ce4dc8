"""What `--store` may say, and the claim that comes of it."""

from __future__ import annotations

import pytest
from headwater.errors import ConfigError, DocumentError
from headwater_operator.builders import BuildSettings, Store, claim_object, value_config_map

from tests.operator.builders.golden import check
from tests.operator.builders.runs import run


def test_a_claim() -> None:
    store = Store.parse("claim://headwater-store?size=50Gi&class=fast&mode=ReadWriteMany")
    check("claim", [claim_object(BuildSettings("image", store), "science")])


@pytest.mark.parametrize("text", ["claim://", "claim://a?sise=1Gi", "claim://a?mode=Any", "/data/store"])
def test_what_is_not_a_store_is_refused_with_the_form_it_should_have(text: str) -> None:
    with pytest.raises(ConfigError, match="claim://NAME"):
        Store.parse(text)


def test_values_in_a_config_map() -> None:
    check("value-config-map", [value_config_map(run(), "reduce-values-1", {"out": "[1]"})])
    with pytest.raises(DocumentError, match="a ConfigMap holds"):
        value_config_map(run(), "reduce-values-1", {"out": "x" * 1024 * 1024})
