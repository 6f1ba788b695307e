"""How to get in at an evaluator: credentials and certificates, all of them out of Secrets and ConfigMaps."""

from __future__ import annotations

from typing import Final

from pydantic import ConfigDict, Field

from nemo_eval_operator.resources.meta import DNS_SUBDOMAIN, KubeModel
from nemo_eval_operator.resources.rules import exactly_one, rule, validations

_HEADER: Final = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"

_RESERVED_HEADERS: Final = (
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
)


class KeyRef(KubeModel):
    """One key of a Secret or ConfigMap in the namespace of the connection."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description="Name of the Secret or ConfigMap, in the namespace of this connection.",
    )
    key: str = Field(min_length=1, max_length=253, description="Key within the Secret or ConfigMap.")


class Header(KubeModel):
    """An HTTP header whose value is read from a Secret, sent with each request."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                f"!(self.name.lowerAscii() in {list(_RESERVED_HEADERS)})",
                "the HTTP client sets this header itself: remove it from auth.headers",
            )
        )
    )

    name: str = Field(
        min_length=1, max_length=128, pattern=_HEADER, description="Name of the header, e.g. X-Api-Key."
    )
    secret_key_ref: KeyRef = Field(description="Key of a Secret that contains the value of the header.")


class Auth(KubeModel):
    """Credentials that are sent with every request to this evaluator, and to no other server."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "!has(self.bearerToken) || !has(self.headers)"
                " || self.headers.all(h, h.name.lowerAscii() != 'authorization')",
                "auth.bearerToken is sent as the header Authorization: remove one of the two",
            )
        )
    )

    bearer_token: KeyRef | None = Field(
        None, description="Key of a Secret whose value is sent as `Authorization: Bearer VALUE`."
    )
    headers: list[Header] = Field(
        default_factory=list,
        max_length=16,
        description="Additional HTTP headers, whose values are read from Secrets.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class CertificateAuthority(KubeModel):
    """PEM certificates of the authorities that may sign the evaluator's certificate. No other authority is
    trusted.
    """

    model_config = ConfigDict(
        json_schema_extra=validations(
            exactly_one(
                "secretKeyRef",
                "configMapKeyRef",
                ("set exactly one of tls.ca.secretKeyRef and tls.ca.configMapKeyRef: it names the CA bundle"),
            )
        )
    )

    secret_key_ref: KeyRef | None = Field(
        None, description="Key of a Secret that contains the CA bundle in PEM format."
    )
    config_map_key_ref: KeyRef | None = Field(
        None, description="Key of a ConfigMap that contains the CA bundle in PEM format."
    )


class ClientCertificate(KubeModel):
    """A Secret of type kubernetes.io/tls in the namespace of the connection."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description=(
            "Name of a Secret with the keys tls.crt and tls.key, in the namespace of this connection."
        ),
    )


class Tls(KubeModel):
    """TLS settings of connections to the evaluator."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "!(has(self.ca) && has(self.insecureSkipVerify) && self.insecureSkipVerify)",
                ("tls.insecureSkipVerify makes tls.ca meaningless: remove one of the two"),
            )
        )
    )

    ca: CertificateAuthority | None = Field(
        None,
        description=(
            "CA bundle that verifies the evaluator's certificate, instead of the public certificate "
            "authorities."
        ),
    )
    client_certificate: ClientCertificate | None = Field(
        None,
        description=(
            "Client certificate, presented to an evaluator or gateway that requests one (mutual TLS)."
        ),
    )
    insecure_skip_verify: bool = Field(
        False,
        description=(
            "If true, the evaluator's certificate is not verified, so anyone on the network path can "
            "read the credentials. Use it for trials only: a condition and an event warn about it."
        ),
    )
