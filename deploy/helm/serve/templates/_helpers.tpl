{{- define "serve.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "serve.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "serve.labels" -}}
{{ include "serve.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "serve.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default (printf "%s%s" .Chart.AppVersion (ternary "-gpu" "" (gt (int .Values.gpu.count) 0))) .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "serve.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "serve.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "serve.tokenSecret" -}}
{{ default (printf "%s-tokens" (include "serve.fullname" .)) .Values.auth.existingSecret }}
{{- end -}}

{{/* Longer than everything that has to happen before the end. */}}
{{- define "serve.gracePeriod" -}}
{{- $least := add .Values.preStopSleep .Values.drainTimeout -}}
{{- if not (kindIs "invalid" .Values.terminationGracePeriodSeconds) -}}
{{- if le (int .Values.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d; it must be above preStopSleep + drainTimeout, which are %d, or pods are killed while they finish requests" (int .Values.terminationGracePeriodSeconds) (int $least)) -}}
{{- end -}}
{{ int .Values.terminationGracePeriodSeconds }}
{{- else -}}
{{ add $least 15 }}
{{- end -}}
{{- end -}}

{{/* The server's configuration: what the chart decides, and over it what config says. */}}
{{- define "serve.config" -}}
{{- $scheme := ternary "https" "http" .Values.tls.enabled -}}
{{- $host := .Values.listenHost -}}
{{- $made := dict
  "inferenceAddress" (printf "%s://%s:%d" $scheme $host (int .Values.ports.inference))
  "metricsAddress" (printf "http://%s:%d" $host (int .Values.ports.metrics))
  "managementAddress" (printf "http://127.0.0.1:%d" (int .Values.ports.management))
  "grpcInferenceAddress" (printf "%s://%s:%d" $scheme (ternary $host "127.0.0.1" .Values.grpc.enabled) (int .Values.ports.grpc))
  "grpcManagementAddress" (printf "http://127.0.0.1:%d" (int .Values.ports.grpcManagement))
  "modelStore" "/models"
  "loadModels" .Values.modelStore.load
  "snapshots" false
  "runtimeFolder" "/run/serve/server"
  "cacheFolder" "/var/cache/serve/models"
  "cacheSize" (printf "%sB" .Values.cache.sizeLimit)
  "drainTimeout" (int .Values.drainTimeout)
  "logging" (dict "format" "json")
-}}
{{- if eq .Values.auth.mode "none" -}}
{{- $_ := set $made "auth" "none" -}}
{{- else -}}
{{- $_ := set $made "inferenceTokens" (list "file:/etc/serve/tokens/inference") -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $made "certificateFile" "/etc/serve/tls/tls.crt" -}}
{{- $_ := set $made "privateKeyFile" "/etc/serve/tls/tls.key" -}}
{{- end -}}
{{- if .Values.management.enabled -}}
{{- $_ := set $made "managementAddress" (printf "%s://%s:%d" $scheme $host (int .Values.ports.management)) -}}
{{- if .Values.grpc.enabled -}}
{{- $_ := set $made "grpcManagementAddress" (printf "%s://%s:%d" $scheme $host (int .Values.ports.grpcManagement)) -}}
{{- end -}}
{{- if ne .Values.auth.mode "none" -}}
{{- $_ := set $made "managementTokens" (list "file:/etc/serve/tokens/management") -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $made (deepCopy .Values.config)) -}}
{{- end -}}

{{/* What cannot be said by the schema. */}}
{{- define "serve.check" -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- fail "autoscaling and keda are both enabled; KEDA makes a HorizontalPodAutoscaler of its own, so give one of them" -}}
{{- end -}}
{{- if and .Values.tls.enabled (not .Values.tls.secretName) -}}
{{- fail "tls is enabled; give tls.secretName, a kubernetes.io/tls secret" -}}
{{- end -}}
{{- $drain := hasKey .Values.config "drainTimeout" -}}
{{- range .Values.env }}{{ if eq .name "SERVE_DRAIN_TIMEOUT" }}{{ $drain = true }}{{ end }}{{ end -}}
{{- if $drain -}}
{{- fail "drainTimeout is in config or env; give drainTimeout of the chart, from which terminationGracePeriodSeconds is made" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress is enabled; give ingress.hosts, the names that it serves" -}}
{{- end -}}
{{- end -}}

{{/* A rate needs two scrapes, and one may fail: four intervals, or a minute. */}}
{{- define "serve.rateWindow" -}}
{{- $interval := .Values.serviceMonitor.interval -}}
{{- $seconds := add (mul 60 (regexFind "[0-9]+m" $interval | trimSuffix "m" | int)) (regexFind "[0-9]+s" $interval | trimSuffix "s" | int) -}}
{{ max 60 (mul 4 $seconds) }}s
{{- end -}}

{{/* Mean seconds in the queue over the last minute: 0 without requests, and nothing where Prometheus has no data, which is not no load. */}}
{{- define "serve.queueWaitQuery" -}}
{{- $of := printf "namespace=%q,service=%q" .Release.Namespace (printf "%s-metrics" (include "serve.fullname" .)) -}}
{{- $window := include "serve.rateWindow" . -}}
(sum(rate(serve_stage_duration_seconds_sum{stage="queue",{{ $of }}}[{{ $window }}])) / (sum(rate(serve_stage_duration_seconds_count{stage="queue",{{ $of }}}[{{ $window }}])) > 0)) or 0 * sum(serve_stage_duration_seconds_count{stage="queue",{{ $of }}})
{{- end -}}

{{/* How far headroom is below what is wanted, as a share of the pods: 1.0 is enough of them. NaN (not measured yet) is left out; nothing without data. */}}
{{- define "serve.demandQuery" -}}
{{- $of := printf "namespace=%q,service=%q" .Release.Namespace (printf "%s-metrics" (include "serve.fullname" .)) -}}
max(avg by (model, version) ((1 - serve_headroom_ratio{{ printf "{%s}" $of }}) >= 0)) or 0 * count(serve_headroom_ratio{{ printf "{%s}" $of }})
{{- end -}}
