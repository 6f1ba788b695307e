{{- /* What no schema can say, or not so that a person knows what to change. */}}
{{- define "nemo-eval-operator.checks" -}}
{{- with .Values.leaderElection }}
{{- if and (gt (int $.Values.replicas) 1) (not .enabled) }}
{{- fail (printf "replicas: %d needs leaderElection.enabled: true, so that one of them works and the others stand by" (int $.Values.replicas)) }}
{{- end }}
{{- if lt (float64 .renewDeadlineSeconds) (mulf 2 .retrySeconds) }}
{{- fail "leaderElection.renewDeadlineSeconds must be twice leaderElection.retrySeconds or more" }}
{{- end }}
{{- if le (float64 .leaseDurationSeconds) (float64 .renewDeadlineSeconds) }}
{{- fail "leaderElection.leaseDurationSeconds must be longer than leaderElection.renewDeadlineSeconds" }}
{{- end }}
{{- end }}
{{- with .Values.settings }}
{{- if le (float64 .settleSeconds) (float64 .requestTimeoutSeconds) }}
{{- fail "settings.settleSeconds must be longer than settings.requestTimeoutSeconds" }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.objectNames (not .Values.metrics.tokenSecret.name) }}
{{- fail "metrics.objectNames: true needs metrics.tokenSecret.name, so that not everyone who reaches the port reads the names" }}
{{- end }}
{{- if and (not .Values.rbac.create) .Values.uninstall.releaseFinalizers }}
{{- fail "rbac.create: false needs uninstall.releaseFinalizers: false, whose Job has roles of its own; docs/how-to/install.md has the command" }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.create: false needs serviceAccount.name: permissions are not given to the account `default`" }}
{{- end }}
{{- if and .Values.localEvaluator.enabled (ne .Values.evaluator.url "http://nemo-evaluator.nemo.svc:7331") }}
{{- fail "localEvaluator.enabled: true is an evaluator of this release: leave evaluator.url as it is, or make a NemoEvaluatorConnection for the other one" }}
{{- end }}
{{- end }}
