"""valuesFrom: values out of Secrets, put into what is sent to the evaluator and nowhere else.

The shape is that of Flux's HelmRelease.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from nemo_eval_operator.resources.meta import DNS_SUBDOMAIN, KubeModel

# Keys of any characters, dots and brackets in them behind a backslash, and indices: as `helm --set` has it.
_KEY = r"([^.\[\]\\]|\\.)+(\[[0-9]{1,5}\])*"
TARGET_PATH: Final = rf"^{_KEY}(\.{_KEY})*$"


class SecretKeyRef(KubeModel):
    """One key of a Secret in the namespace of the object."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description="Name of a Secret in the namespace of this object.",
    )
    key: str = Field(min_length=1, max_length=253, description="Key within the Secret, e.g. token.")
    optional: bool = Field(
        False,
        description=(
            "If true, a missing Secret or key is ignored; if false, the object waits until it exists."
        ),
    )


class ValueFrom(KubeModel):
    """A value from a Secret, and the field that it is put into."""

    secret_key_ref: SecretKeyRef = Field(description="Key of a Secret that contains the value.")
    target_path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            description=(
                "Field that the value is put into, as a dotted path. In a NemoBenchmark it is relative to "
                "spec.config, e.g. params.extra.hf_token; in a NemoEvalJob it starts with config. or "
                "target., e.g. target.model.api_endpoint.api_key. rows[0].key is an item of a list; a "
                "backslash before a dot or bracket makes it part of the key."
            ),
            pattern=TARGET_PATH,
        ),
    ]


class SecretVersion(KubeModel):
    """Version of a Secret that was read. It contains neither values nor hashes of them."""

    name: str = Field(description="Name of the Secret.")
    uid: str = Field(description="The metadata.uid of the object.")
    resource_version: str = Field(description="The metadata.resourceVersion of the object.")


class ConfigMapVersion(KubeModel):
    """Version of a ConfigMap that was read."""

    name: str = Field(description="Name of the ConfigMap.")
    uid: str = Field(description="The metadata.uid of the object.")
    resource_version: str = Field(description="The metadata.resourceVersion of the object.")


ValuesFrom = Annotated[
    list[ValueFrom],
    Field(
        max_length=64,
        description=(
            "Values that are read from Secrets when the evaluator is called. They are never written to "
            "status, events, logs or ConfigMaps."
        ),
    ),
]
