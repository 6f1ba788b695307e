{{- /* Which objects are this release's: for the operator, and for the command that lets go of them. */}}
{{- define "nemo-eval-operator.scopeEnv" -}}
{{- with .Values.watch.namespaces }}
- name: NEMO_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.watch.selector }}
- name: NEMO_SELECTOR
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* As the operator reads it: KUBERNETES=NEMO pairs, separated by commas. */}}
{{- define "nemo-eval-operator.namespaceMap" -}}
{{- $pairs := list -}}
{{- range $namespace, $names := . -}}
{{- range $names -}}
{{- $pairs = append $pairs (printf "%s=%s" $namespace .) -}}
{{- end -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end }}

{{- define "nemo-eval-operator.env" -}}
- name: NVIDIA_EVALUATOR_URL
  value: {{ include "nemo-eval-operator.evaluatorUrl" . | quote }}
{{- include "nemo-eval-operator.scopeEnv" . }}
{{- with .Values.settings }}
{{- with .maxRunningJobs }}
- name: NEMO_MAX_RUNNING_JOBS
  value: {{ . | quote }}
{{- end }}
{{- with .clusterName }}
- name: NEMO_CLUSTER_NAME
  value: {{ . | quote }}
{{- end }}
{{- with .namespaceMap }}
- name: NEMO_NAMESPACE_MAP
  value: {{ include "nemo-eval-operator.namespaceMap" . | quote }}
{{- end }}
{{- if .allowForeignAdoption }}
- name: NEMO_ALLOW_FOREIGN_ADOPTION
  value: "true"
{{- end }}
- name: NEMO_WORKERS
  value: {{ .workers | quote }}
- name: NEMO_WORKERS_PER_EVALUATOR
  value: {{ .workersPerEvaluator | quote }}
- name: NEMO_POLL_INTERVAL_SECONDS
  value: {{ .pollIntervalSeconds | quote }}
- name: NEMO_REQUEST_TIMEOUT_SECONDS
  value: {{ .requestTimeoutSeconds | quote }}
- name: NEMO_SETTLE_SECONDS
  value: {{ .settleSeconds | quote }}
- name: NEMO_REQUIRE_SECRET_LABEL
  value: {{ .requireSecretLabel | quote }}
{{- with .allowedModelHosts }}
- name: NEMO_ALLOWED_MODEL_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
- name: NEMO_LOG_FORMAT
  value: {{ .logFormat | quote }}
- name: NEMO_LOG_LEVEL
  value: {{ .logLevel | quote }}
{{- end }}
{{- with .Values.metrics }}
- name: NEMO_METRICS_OBJECT_NAMES
  value: {{ .objectNames | quote }}
- name: NEMO_METRICS_SCORE_SERIES
  value: {{ .scoreSeries | quote }}
{{- if .tokenSecret.name }}
- name: NEMO_METRICS_TOKEN_FILE
  value: /etc/nemo-eval-operator/metrics-token
{{- end }}
{{- end }}
{{- with .Values.leaderElection }}
- name: NEMO_LEADER_ELECT
  value: {{ .enabled | quote }}
{{- if .enabled }}
- name: NEMO_LEASE_NAMESPACE
  value: {{ $.Release.Namespace | quote }}
- name: NEMO_LEASE_NAME
  value: {{ include "nemo-eval-operator.leaseName" $ | quote }}
- name: NEMO_LEASE_DURATION_SECONDS
  value: {{ .leaseDurationSeconds | quote }}
- name: NEMO_LEASE_RENEW_DEADLINE_SECONDS
  value: {{ .renewDeadlineSeconds | quote }}
- name: NEMO_LEASE_RETRY_SECONDS
  value: {{ .retrySeconds | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Where a pod may run and who it is there, the operator's and the uninstalling one's. */}}
{{- define "nemo-eval-operator.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
