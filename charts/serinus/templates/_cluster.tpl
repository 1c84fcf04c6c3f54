{{/* What only a real API server can tell. Messages as in checks.yaml. */}}
{{- define "serinus.clusterChecks" -}}
{{- $labels := dig "metadata" "labels" dict (lookup "v1" "Namespace" "" .Release.Namespace | default dict) }}
{{- if eq (get $labels "istio.io/dataplane-mode") "ambient" }}
{{- fail (printf "namespace %s is in Istio's ambient mode, which knows no source labels, so a visitor could not stay on one track.\nRemove the label istio.io/dataplane-mode and use sidecars." .Release.Namespace) }}
{{- end }}

{{- if .Values.gateway.checkHosts }}
{{- $hosts := include "serinus.hosts" . | fromJsonArray }}
{{- with .Values.hosts.grafana }}{{ $hosts = append $hosts . }}{{ end }}
{{- range (lookup "networking.istio.io/v1" "Gateway" "" "").items | default list }}
{{- $other := . }}
{{- if and (ne .metadata.namespace $.Release.Namespace) (eq (toJson .spec.selector) (include "serinus.gatewaySelector" $)) }}
{{- range .spec.servers }}
{{- range .hosts }}
{{- $host := last (splitList "/" .) }}
{{- if has $host $hosts }}
{{- fail (printf "hosts: %s is served by Gateway %s of namespace %s already.\nChoose another host, or uninstall that release." $host $other.metadata.name $other.metadata.namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- $live := lookup "networking.istio.io/v1" "VirtualService" .Release.Namespace "app-frontend-gateway" | default dict }}
{{- $epoch := dig "metadata" "annotations" "serinus/epoch" "0" $live | int }}
{{- if gt $epoch (int .Values.rollout.epoch) }}
{{- fail (printf "rollout.epoch: %d is below %d, the one in force; visitors drawn long ago would count as drawn again.\nSet rollout.epoch to %d or more." (int .Values.rollout.epoch) $epoch $epoch) }}
{{- end }}

{{- if and $live .Values.rollout.canary.routed }}
{{- range $app, $_ := include "serinus.apps" . | fromYaml }}
{{- if not (lookup "apps/v1" "Deployment" $.Release.Namespace (printf "%s-canary" $app)) }}
{{- fail (printf "rollout.canary.routed: %s-canary does not run yet, and its visitors would meet 503.\nUpgrade with rollout.canary.enabled=true and routed=false, wait for its pods, then set routed=true." $app) }}
{{- end }}
{{- end }}
{{- end }}

{{- if eq (include "serinus.store" .) "postgresql" }}
{{- include "serinus.postgresqlChecks" . }}
{{- end }}
{{- end }}
