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
    """One key of a Secret or ConfigMap in the namespace of the connection, never of another."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description="Its name, in the namespace of this connection.",
    )
    key: str = Field(min_length=1, max_length=253, description="Key within it.")


class Header(KubeModel):
    """A header of each request whose value is a Secret's."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                f"!(self.name.lowerAscii() in {list(_RESERVED_HEADERS)})",
                "this header belongs to HTTP itself and cannot be set here: remove it from auth.headers",
            )
        )
    )

    name: str = Field(min_length=1, max_length=128, pattern=_HEADER, description="Name, e.g. X-Api-Key.")
    secret_key_ref: KeyRef = Field(description="The key of a Secret that holds the value.")


class Auth(KubeModel):
    """What every request brings along so as to be let in. It goes to this evaluator and nowhere else."""

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
        None, description="The key of a Secret whose value is sent as `Authorization: Bearer VALUE`."
    )
    headers: list[Header] = Field(
        default_factory=list,
        max_length=16,
        description="Further headers, their values out of Secrets.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class CertificateAuthority(KubeModel):
    """PEM certificates that the evaluator's own has to be signed by; no others are trusted then."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            exactly_one(
                "secretKeyRef",
                "configMapKeyRef",
                "set exactly one of tls.ca.secretKeyRef and tls.ca.configMapKeyRef: it names the CA bundle",
            )
        )
    )

    secret_key_ref: KeyRef | None = Field(None, description="The key of a Secret that holds the CA bundle.")
    config_map_key_ref: KeyRef | None = Field(
        None, description="The key of a ConfigMap that holds the CA bundle."
    )


class ClientCertificate(KubeModel):
    """A Secret of type kubernetes.io/tls in the namespace of the connection."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description="Name of a Secret with tls.crt and tls.key, in the namespace of this connection.",
    )


class Tls(KubeModel):
    """How the two sides of a https connection prove who they are."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            rule(
                "!(has(self.ca) && has(self.insecureSkipVerify) && self.insecureSkipVerify)",
                "tls.insecureSkipVerify would make tls.ca meaningless: remove one of the two",
            )
        )
    )

    ca: CertificateAuthority | None = Field(
        None, description="Whom to trust instead of the public certificate authorities."
    )
    client_certificate: ClientCertificate | None = Field(
        None, description="What we show to an evaluator or gateway that asks for a certificate."
    )
    insecure_skip_verify: bool = Field(
        False,
        description=(
            "If true, any certificate is accepted, so whoever is in between reads the credentials. For a "
            "trial only: a condition and an event warn of it."
        ),
    )
