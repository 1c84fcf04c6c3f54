{{/* The cluster's Prometheus, as a peer of a NetworkPolicy. */}}
{{- define "serinus.prometheusPeer" -}}
{{- with .Values.policy -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .prometheusNamespace }}}
  podSelector:
    matchLabels: {{ toJson (.prometheusPodLabels | default (dict "app.kubernetes.io/name" "prometheus")) }}
{{- end }}
{{- end }}

{{/* Where a database or a model registry that is not the chart's may lie, as peers. */}}
{{- define "serinus.external" -}}
{{- $peers := list }}
{{- range .Values.policy.externalCIDRs }}{{ $peers = append $peers (dict "ipBlock" (dict "cidr" .)) }}{{ end }}
{{- toYaml (concat $peers .Values.policy.externalPeers) }}
{{- end }}

{{/* Where an application's pods may connect to, besides DNS and istiod. Takes dict "root" $
     "app" APP "part" PART. */}}
{{- define "serinus.egress" -}}
{{- $values := .root.Values -}}
{{- $store := include "serinus.store" .root }}
{{- with .part.calls }}
- to:
    - podSelector:
        matchLabels: {app: {{ . }}}
  ports: [{protocol: TCP, port: 8080}]
{{- end }}
{{- if and (eq .app "app-service") (eq $store "postgresql") }}
- to:
    - podSelector:
        matchLabels: {app: postgresql}
  ports: [{protocol: TCP, port: 5432}]
{{- end }}
{{- if and (eq .app "app-service") (eq $store "external") }}
- to:
    {{- include "serinus.external" .root | nindent 4 }}
  ports: [{protocol: TCP, port: {{ int $values.store.databaseUrl.port }}}]
{{- end }}
{{- if and (eq .app "model-service") (hasPrefix "http" $values.model.registry) }}
{{- $address := urlParse $values.model.registry }}
- to:
    {{- include "serinus.external" .root | nindent 4 }}
  ports: [{protocol: TCP, port: {{ regexFind ":[0-9]+$" $address.host | trimPrefix ":" | default (ternary "443" "80" (eq $address.scheme "https")) }}}]
{{- end }}
{{- end }}
