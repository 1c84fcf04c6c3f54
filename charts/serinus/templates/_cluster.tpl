{{/* What only a real API server can tell. Messages as in checks.yaml. */}}
{{- define "serinus.clusterChecks" -}}
{{- $labels := dig "metadata" "labels" dict (lookup "v1" "Namespace" "" .Release.Namespace | default dict) }}
{{- if eq (get $labels "istio.io/dataplane-mode") "ambient" }}
{{- fail (printf "namespace %s is in Istio's ambient mode, which knows no source labels, so a visitor could not stay on one track.\nRemove the label istio.io/dataplane-mode and use sidecars." .Release.Namespace) }}
{{- end }}

{{- $live := lookup "networking.istio.io/v1" "VirtualService" .Release.Namespace "app-frontend-gateway" | default dict }}
{{- if and $live (not (include "serinus.ours" (dict "root" . "object" $live))) }}
{{- fail (printf "namespace %s holds release %s already, and both would own the same objects.\nInstall this one into a namespace of its own, or upgrade %s." .Release.Namespace (include "serinus.owner" $live) (include "serinus.owner" $live)) }}
{{- end }}

{{- if .Values.gateway.checkHosts }}
{{- $hosts := include "serinus.served" . | fromJsonArray }}
{{- range (lookup "networking.istio.io/v1" "Gateway" "" "").items | default list }}
{{- $other := . }}
{{- $ours := and (eq .metadata.name "gateway") (include "serinus.ours" (dict "root" $ "object" .)) }}
{{- if and (not $ours) (include "serinus.samePods" (dict "root" $ "gateway" .)) }}
{{- /* A wildcard is no conflict: the proxy prefers the host in full. */}}
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

{{- $epoch := dig "metadata" "annotations" "serinus/epoch" "0" $live | int }}
{{- if gt $epoch (int .Values.rollout.epoch) }}
{{- fail (printf "rollout.epoch: %d is below %d, the one in force; visitors drawn long ago would count as drawn again.\nSet rollout.epoch to %d or more." (int .Values.rollout.epoch) $epoch $epoch) }}
{{- end }}

{{- with .Values.secrets }}
{{- if and $live .unitKey (not .existingSecret) (eq $epoch (int $.Values.rollout.epoch)) }}
{{- $kept := dig "data" "unit-key" "" (lookup "v1" "Secret" $.Release.Namespace "serinus-keys" | default dict) | b64dec }}
{{- if and $kept (ne $kept .unitKey) }}
{{- fail (printf "secrets.unitKey: the visitors of epoch %d were counted under another key, and each would count twice.\nLeave it out: that key is kept. Or begin a new epoch with it: rollout.epoch=%d." $epoch (add1 $epoch)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Once it is routed a sick canary must not keep an upgrade from mending it. */}}
{{- if and $live .Values.rollout.canary.routed (not (include "serinus.routesCanary" $live)) }}
{{- range $app, $_ := include "serinus.apps" . | fromYaml }}
{{- $deployment := lookup "apps/v1" "Deployment" $.Release.Namespace (printf "%s-canary" $app) | default dict }}
{{- if not (dig "status" "readyReplicas" 0 $deployment) }}
{{- fail (printf "rollout.canary.routed: %s-canary %s, and its visitors would meet 503.\nUpgrade with rollout.canary.enabled=true and routed=false, wait for its pods, then set routed=true." $app (ternary "has no ready pod" "does not run yet" (not (empty $deployment)))) }}
{{- end }}
{{- end }}
{{- end }}

{{- if eq (include "serinus.store" .) "postgresql" }}
{{- include "serinus.postgresqlChecks" . }}
{{- end }}
{{- if and (eq .Values.model.cache.type "claim") (not .Values.model.cache.existingClaim) }}
{{- include "serinus.claimChecks" . }}
{{- end }}
{{- end }}

{{/* Whether a live VirtualService of the gateway draws visitors for the canary. */}}
{{- define "serinus.routesCanary" -}}
{{- range dig "spec" "http" list . }}
{{- if eq (get . "name") "draw" }}
{{- range .route }}{{ if eq (dig "destination" "subset" "" .) "canary" }}true{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Name of the Helm release that an object of the cluster belongs to. */}}
{{- define "serinus.owner" -}}
{{ dig "annotations" "meta.helm.sh/release-name" "" .metadata }}
{{- end }}

{{/* Whether it is this one, or none that would tell. Takes dict "root" $ "object" OBJECT. */}}
{{- define "serinus.ours" -}}
{{- if and (eq .object.metadata.namespace .root.Release.Namespace) (has (include "serinus.owner" .object) (list "" .root.Release.Name)) }}true{{ end }}
{{- end }}

{{/* Whether a Gateway of the cluster may select the pods that this release's does: no label that both
     name has different values. Takes dict "root" $ "gateway" OBJECT. */}}
{{- define "serinus.samePods" -}}
{{- $same := "true" }}
{{- range $key, $value := include "serinus.gatewaySelector" .root | fromJson }}
{{- if ne (dig $key $value ($.gateway.spec.selector | default dict)) $value }}{{ $same = "" }}{{ end }}
{{- end }}
{{- $same }}
{{- end }}
