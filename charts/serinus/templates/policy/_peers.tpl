{{/* The cluster's Prometheus, as a peer of a NetworkPolicy. */}}
{{- define "serinus.prometheusPeer" -}}
{{- with .Values.policy -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .prometheusNamespace | quote }}}
  podSelector:
    matchLabels: {{ toJson (.prometheusPodLabels | default (dict "app.kubernetes.io/name" "prometheus")) }}
{{- end }}
{{- end }}

{{/* A rule that opens one port to where a database or a model registry that is not the chart's may lie;
     none without such a place, since an empty list is everywhere. Takes dict "root" $ "port" PORT. */}}
{{- define "serinus.external" -}}
{{- $peers := list }}
{{- range .root.Values.policy.externalCIDRs }}{{ $peers = append $peers (dict "ipBlock" (dict "cidr" .)) }}{{ end }}
{{- with concat $peers .root.Values.policy.externalPeers }}
- to:
    {{- toYaml . | nindent 4 }}
  ports: [{protocol: TCP, port: {{ int $.port }}}]
{{- end }}
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
{{- include "serinus.external" (dict "root" .root "port" $values.store.databaseUrl.port) }}
{{- end }}
{{- if and (eq .app "model-service") (hasPrefix "http" $values.model.registry) }}
{{- $address := urlParse $values.model.registry }}
{{- $port := regexFind ":[0-9]+$" $address.host | trimPrefix ":" | default (ternary "443" "80" (eq $address.scheme "https")) }}
{{- include "serinus.external" (dict "root" .root "port" $port) }}
{{- end }}
{{- end }}
