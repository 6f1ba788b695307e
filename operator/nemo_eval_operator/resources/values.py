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
        False, description="If true, a Secret or key that does not exist is passed over instead of awaited."
    )


class ValueFrom(KubeModel):
    """One value out of a Secret and the place where it goes."""

    secret_key_ref: SecretKeyRef = Field(description="The key of a Secret that holds the value.")
    target_path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=512,
            description=(
                "Where the value goes, as a dotted path. In a NemoBenchmark relative to spec.config, e.g. "
                "params.extra.hf_token; in a NemoEvalJob it starts with config. or target., e.g. "
                "target.model.api_endpoint.api_key. rows[0].key is an item of a list; a backslash before a "
                "dot or bracket makes it a part of the key."
            ),
            pattern=TARGET_PATH,
        ),
    ]


class SecretVersion(KubeModel):
    """Which version of a Secret was read. It tells nothing of the values, as even a hash of them would."""

    name: str = Field(description="Name of the Secret.")
    uid: str = Field(description="Its metadata.uid.")
    resource_version: str = Field(description="Its metadata.resourceVersion.")


class ConfigMapVersion(KubeModel):
    """Which version of a ConfigMap was read."""

    name: str = Field(description="Name of the ConfigMap.")
    uid: str = Field(description="Its metadata.uid.")
    resource_version: str = Field(description="Its metadata.resourceVersion.")


ValuesFrom = Annotated[
    list[ValueFrom],
    Field(
        max_length=64,
        description=(
            "Values that are read from Secrets when the evaluator is called. They never reach status, "
            "events, logs or a ConfigMap."
        ),
    ),
]
