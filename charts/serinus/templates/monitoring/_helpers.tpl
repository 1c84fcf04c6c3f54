{{/* Names and selector of the two PodMonitors: this release's sidecars, and the gateway's pods. */}}
{{- define "serinus.proxies" -}}
mesh:
  namespace: {{ .Release.Namespace | quote }}
  selector: {{ include "serinus.ownPods" . }}
mesh-gateway:
  namespace: {{ .Values.gateway.namespace | quote }}
  selector: {{ include "serinus.gatewaySelector" . }}
{{- end }}

{{/* Metric relabelings that leave Istio's standard metrics of this release, whichever proxy exports
     them, in this release's namespace. */}}
{{- define "serinus.meshRelabelings" -}}
# Istio's proxies leave the filter's prefix in the name; Envoy by itself makes a label of it.
{{- $named := printf "envoy_%s_http_local_rate_limit_(ok|rate_limited)" (include "serinus.statPrefix" . | replace "-" "_") }}
- {sourceLabels: [__name__], targetLabel: envoy_local_http_ratelimit_prefix, regex: {{ $named }}, replacement: {{ include "serinus.statPrefix" . | quote }}}
- {sourceLabels: [__name__], targetLabel: __name__, regex: {{ $named }}, replacement: envoy_http_local_rate_limit_$1}
{{- if eq .Values.monitoring.meshMetrics "envoy" }}
- {sourceLabels: [__name__], action: keep, regex: "envoy_cluster_upstream_rq(_time_(bucket|sum|count))?|envoy_http_local_rate_limit_(ok|rate_limited)"}
# A proxy's statistics of a cluster, as outbound|PORT|SUBSET|HOST, where one proxy serves all with
# |SOURCE[/TRACK] behind it. The draw's subset is the track.
- {sourceLabels: [envoy_cluster_name, cluster_name], separator: "", targetLabel: __tmp_cluster}
- {sourceLabels: [__name__, __tmp_cluster], separator: "|", action: keep, regex: {{ printf "envoy_http_local_rate_limit_[a-z_]+\\||envoy_cluster_[a-z_]+\\|outbound\\|[0-9]+\\|[^|]+\\|[^|.]+(\\.%s\\.svc[^|]*)?(\\|.*)?" .Release.Namespace | squote }}}
- {sourceLabels: [__tmp_cluster], targetLabel: destination_version, regex: 'outbound\|[0-9]+\|([^|]+)\|.*', replacement: $1}
- {sourceLabels: [__tmp_cluster], targetLabel: destination_app, regex: 'outbound\|[0-9]+\|[^|]+\|([^|.;]+).*', replacement: $1}
- {sourceLabels: [destination_app], targetLabel: destination_service_name, regex: (.+), replacement: $1}
- {sourceLabels: [destination_app, destination_version], separator: "|", targetLabel: destination_workload, regex: '(.+)\|(.+)', replacement: $1-$2}
- {sourceLabels: [__tmp_cluster], targetLabel: source_app, regex: 'outbound\|[^|]*\|[^|]*\|[^|]*\|([^|/]+).*', replacement: $1}
- {sourceLabels: [__tmp_cluster], targetLabel: source_version, regex: 'outbound\|[^|]*\|[^|]*\|[^|]*\|[^|/]+/([^|]+)', replacement: $1}
- {sourceLabels: [source_app], targetLabel: source_app, regex: gateway, replacement: istio-ingressgateway}
- {sourceLabels: [source_app], targetLabel: source_workload, regex: (.+), replacement: $1}
- {sourceLabels: [source_app, source_version], separator: "|", targetLabel: source_workload, regex: '(.+)\|(.+)', replacement: $1-$2}
- {sourceLabels: [envoy_response_code], targetLabel: response_code, regex: (.+), replacement: $1}
- {sourceLabels: [__name__], targetLabel: reporter, regex: envoy_cluster_.*, replacement: source}
- {sourceLabels: [__name__], targetLabel: destination_service_namespace, regex: envoy_cluster_.*, replacement: {{ .Release.Namespace | quote }}}
- {sourceLabels: [__name__], targetLabel: __name__, regex: envoy_cluster_upstream_rq, replacement: istio_requests_total}
- {sourceLabels: [__name__], targetLabel: __name__, regex: envoy_cluster_upstream_rq_time_(bucket|sum|count), replacement: istio_request_duration_milliseconds_$1}
{{- else }}
- {sourceLabels: [__name__], action: keep, regex: "istio_requests_total|istio_request_duration_milliseconds_(bucket|sum|count)|istio_agent_cert_expiry_seconds|envoy_http_local_rate_limit_(ok|rate_limited)"}
- {sourceLabels: [__name__, reporter, destination_service_namespace], separator: "|", action: keep, regex: {{ printf "(istio_agent|envoy_).*|istio_request.*\\|source\\|%s" .Release.Namespace | squote }}}
{{- end }}
# The gateway serves other releases too: only what its filter of this release counted.
- {sourceLabels: [__name__, envoy_local_http_ratelimit_prefix], separator: "|", action: keep, regex: {{ printf "istio_.*|envoy_.*\\|%s" (include "serinus.statPrefix" .) | squote }}}
- {sourceLabels: [__name__], targetLabel: outcome, regex: envoy_http_local_rate_limit_(ok|rate_limited), replacement: $1}
- {sourceLabels: [__name__], targetLabel: __name__, regex: envoy_http_local_rate_limit_(ok|rate_limited), replacement: serinus_gateway_rate_limit_total}
# app and track are the callee's, as in the application's own metrics. A request that reached no pod
# has no version but its caller's, which is the same.
- {sourceLabels: [destination_app], targetLabel: app, regex: (.+), replacement: $1}
- {sourceLabels: [destination_version], targetLabel: track, regex: (.+), replacement: $1}
- {sourceLabels: [destination_version, source_version], separator: "|", targetLabel: track, regex: 'unknown\|(.+)', replacement: $1}
- {targetLabel: namespace, replacement: {{ .Release.Namespace | quote }}}
- {action: labeldrop, regex: __tmp_cluster|envoy_.*|cluster_name}
{{- end }}

{{/* User at the mail server: given, or the one in the existing Secret of the cluster; empty: none. An
     AlertmanagerConfig takes only the password from a Secret. */}}
{{- define "serinus.mailUser" -}}
{{- $auth := .Values.monitoring.alertmanager.auth }}
{{- if $auth.username }}{{ $auth.username }}
{{- else if $auth.existingSecret }}
{{- $found := "" }}
{{- if include "serinus.onCluster" . }}
{{- $found = dig "data" $auth.usernameKey "" (lookup "v1" "Secret" .Release.Namespace $auth.existingSecret | default dict) | b64dec }}
{{- end }}
{{- if not $found }}
{{- fail (printf "monitoring.alertmanager.auth.existingSecret: no user is to be read from key %s of Secret %s in namespace %s.\nCreate the Secret first, or set monitoring.alertmanager.auth.username." $auth.usernameKey $auth.existingSecret .Release.Namespace) }}
{{- end }}
{{- $found }}
{{- end }}
{{- end }}
