{{- /* Limits of templates/admissionpolicy.yaml; the first two are the operator's own. */}}
{{- define "nemo-eval-operator.maxParts" }}10000{{ end }}
{{- define "nemo-eval-operator.maxSpecBytes" }}262144{{ end }}
{{- define "nemo-eval-operator.maxDepth" }}24{{ end }}

{{- /*
What the operator may do with the objects of the namespaces that it watches, and nothing else:
the rules of the ClusterRole and, where watch.namespaces is set, of the Role in each of them.
*/}}
{{- define "nemo-eval-operator.rules" -}}
# Watching the kinds; finalizers are part of the object itself.
- apiGroups: [evaluator.nemo.dev]
  resources: [nemobenchmarks, nemoevaljobs, nemoevaluatorconnections]
  verbs: [get, list, watch, patch]
- apiGroups: [evaluator.nemo.dev]
  resources: [nemobenchmarks/status, nemoevaljobs/status, nemoevaluatorconnections/status]
  verbs: [patch]
# spec.ttlSecondsAfterFinished
- apiGroups: [evaluator.nemo.dev]
  resources: [nemoevaljobs]
  verbs: [delete]
# Results; get distinguishes the operator's from others of the same name, and reads spec.tls.ca and configMapRef.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, get]
# spec.valuesFrom, and the credentials of connections; single Secrets by name, never a list of them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}

{{- /* What `nemo-eval-operator release-finalizers` needs in the same namespaces. */}}
{{- define "nemo-eval-operator.releaseRules" -}}
- apiGroups: [evaluator.nemo.dev]
  resources: [nemobenchmarks, nemoevaljobs, nemoevaluatorconnections]
  verbs: [list, patch]
{{- end }}
