{{- define "nemo-eval-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Names of what is the cluster's hold the namespace: releases of one name in two namespaces are two. */}}
{{- define "nemo-eval-operator.clusterName" -}}
{{- $fullname := include "nemo-eval-operator.fullname" . }}
{{- printf "%s-%s" .Release.Namespace $fullname | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "nemo-eval-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "nemo-eval-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "nemo-eval-operator.leaseName" -}}
{{- default (include "nemo-eval-operator.fullname" .) .Values.leaderElection.leaseName }}
{{- end }}

{{- /* Of a list: an image as values have it, and the chart's version. */}}
{{- define "nemo-eval-operator.imageReference" -}}
{{- with index . 0 }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default (index $ 1) .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "nemo-eval-operator.image" -}}
{{- include "nemo-eval-operator.imageReference" (list .Values.image .Chart.AppVersion) }}
{{- end }}

{{- define "nemo-eval-operator.localEvaluatorName" -}}
{{- printf "%s-local" (include "nemo-eval-operator.fullname" .) }}
{{- end }}

{{- define "nemo-eval-operator.localEvaluatorLabels" -}}
app.kubernetes.io/name: nemo-local-evaluator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Where objects that name no connection are evaluated. */}}
{{- define "nemo-eval-operator.evaluatorUrl" -}}
{{- if .Values.localEvaluator.enabled }}
{{- printf "http://%s.%s.svc:7331" (include "nemo-eval-operator.localEvaluatorName" .) .Release.Namespace }}
{{- else }}
{{- .Values.evaluator.url }}
{{- end }}
{{- end }}

{{- define "nemo-eval-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nemo-eval-operator.labels" -}}
{{ include "nemo-eval-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- /* Annotations of what is there while `helm uninstall` runs; in order of the weight. */}}
{{- define "nemo-eval-operator.hook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
