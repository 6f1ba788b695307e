"""deploy/gitops hangs together: what names something names something that is there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
GITOPS = ROOT / "deploy" / "gitops"
GROUP = "evaluator.nemo.dev"
WAVE = "argocd.argoproj.io/sync-wave"


def documents(path: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all((GITOPS / path).read_text()) if document]


def evaluations() -> Iterator[dict[str, Any]]:
    for path in sorted(GITOPS.joinpath("evaluations").rglob("*.yaml")):
        yield from documents(path.relative_to(GITOPS).as_posix())


def test_the_argocd_cm_is_generated_from_the_health_check() -> None:
    (snippet,) = documents("argocd/argocd-cm.yaml")
    (key,) = {key.rpartition("_")[0] for key in snippet["data"]}
    (text,) = set(snippet["data"].values())

    assert key == f"resource.customizations.health.{GROUP}"
    assert text == (GITOPS / "argocd/health.lua").read_text(), "run `make generate`"
    assert (snippet["metadata"]["name"], snippet["metadata"]["namespace"]) == ("argocd-cm", "argocd")


def test_the_values_for_argo_cds_own_chart_say_the_same() -> None:
    (snippet,), (values,) = documents("argocd/argocd-cm.yaml"), documents("argocd/argocd-values.yaml")

    assert values == {"configs": {"cm": snippet["data"]}}, "run `make generate`"


def test_every_kind_of_ours_has_a_health_check() -> None:
    crds = [yaml.safe_load(path.read_text()) for path in sorted(ROOT.joinpath("crds").glob("*.yaml"))]
    kinds = {crd["spec"]["names"]["kind"] for crd in crds}
    (snippet,) = documents("argocd/argocd-cm.yaml")

    assert kinds <= {key.rpartition("_")[2] for key in snippet["data"]}


def test_benchmarks_are_in_an_earlier_wave_than_the_jobs_that_run_them() -> None:
    waves = {
        (it["kind"], it["metadata"]["name"]): int(it["metadata"]["annotations"][WAVE]) for it in evaluations()
    }
    jobs = [it for it in evaluations() if it["kind"] == "NemoEvalJob"]

    assert jobs
    for job in jobs:
        wave = waves["NemoEvalJob", job["metadata"]["name"]]
        assert waves["NemoBenchmark", job["spec"]["benchmarkRef"]["name"]] < wave


def test_nothing_that_git_owns_has_a_time_to_live() -> None:
    hooks = documents("argocd/gate/presync.yaml") + documents("argocd/gate/postsync.yaml")

    assert all("ttlSecondsAfterFinished" not in it["spec"] for it in (*evaluations(), *hooks))


def test_flux_applies_each_directory_when_what_it_depends_on_has_succeeded() -> None:
    source, *kustomizations = documents("flux/evaluations.yaml")
    by_name = {it["metadata"]["name"]: it["spec"] for it in kustomizations}

    assert source["apiVersion"] == "source.toolkit.fluxcd.io/v1"
    assert source["kind"] == "GitRepository"
    assert {(it["apiVersion"], it["kind"]) for it in kustomizations} == {
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
    }
    assert [[one["name"] for one in spec.get("dependsOn", [])] for spec in by_name.values()] == [
        [], ["benchmarks"], ["evaluation-jobs"],
    ]  # fmt: skip
    for spec in by_name.values():
        # Of another source Flux would not ask whether it has come to the same revision.
        assert spec["sourceRef"] == {"kind": source["kind"], "name": source["metadata"]["name"]}
        assert spec["wait"] is True
        assert "force" not in spec, "it deletes and creates, which evaluates again"
        assert {"timeout", "interval", "prune"} <= spec.keys()
    applied = {by_name["benchmarks"]["path"], by_name["evaluation-jobs"]["path"]}
    assert applied == {f"./evaluations/{it.name}" for it in GITOPS.joinpath("evaluations").iterdir()}


def test_a_job_of_the_example_ends_before_flux_gives_up_waiting() -> None:
    (waiting,) = (
        it["spec"] for it in documents("flux/evaluations.yaml") if it["metadata"]["name"] == "evaluation-jobs"
    )
    hours = int(waiting["timeout"].removesuffix("h"))

    for job in (it for it in evaluations() if it["kind"] == "NemoEvalJob"):
        assert job["spec"]["activeDeadlineSeconds"] < hours * 3600


def test_argocd_takes_the_directory_of_the_evaluations() -> None:
    (application,) = documents("argocd/application.yaml")
    spec = application["spec"]

    assert (application["apiVersion"], application["kind"]) == ("argoproj.io/v1alpha1", "Application")
    assert (GITOPS / spec["source"]["path"]).is_dir()
    assert spec["source"]["directory"] == {"recurse": True}
    assert "Replace=true" not in spec["syncPolicy"]["syncOptions"], "it deletes and creates"


def test_gates_are_hooks_that_stay_to_be_read() -> None:
    gates = {path.stem: documents(f"argocd/gate/{path.name}") for path in GITOPS.glob("argocd/gate/*.yaml")}

    annotations = {name: gate["metadata"]["annotations"] for name, (gate,) in gates.items()}
    assert annotations == {
        name: {
            "argocd.argoproj.io/hook": hook,
            "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
        }
        for name, hook in {"presync": "PreSync", "postsync": "PostSync"}.items()
    }
