{{/* Regex that the cookie header must match whole for a track: drawn in this epoch, or the bare track.
     Takes dict "root" $ "track" TRACK. */}}
{{- define "serinus.cookie" -}}
^(?:.*;[ \t]*)?app-version={{ .track }}(?:\.{{ int .root.Values.rollout.epoch }}\.[0-9]+)?[ \t]*(?:;.*)?$
{{- end }}

{{/* Namespaces that see a route or a destination: this one and, where the gateway asks for it, its own.
     Takes dict "root" $ "gateway" BOOL. */}}
{{- define "serinus.exportTo" -}}
{{- $gateway := .root.Values.gateway.namespace }}
{{- $seen := list "." }}
{{- if and .gateway (ne $gateway .root.Release.Namespace) }}{{ $seen = append $seen $gateway }}{{ end }}
{{- toJson $seen }}
{{- end }}

{{/* What a draw says: <track>.<epoch>.<canary's weight>. Takes dict "root" $ "track" TRACK. */}}
{{- define "serinus.draw" -}}
{{ .track }}.{{ int .root.Values.rollout.epoch }}.{{ include "serinus.canaryWeight" .root }}
{{- end }}

{{/* Weight of a track in a draw. Takes dict "root" $ "track" TRACK. */}}
{{- define "serinus.weight" -}}
{{- $canary := include "serinus.canaryWeight" .root | int }}
{{- if eq .track "canary" }}{{ $canary }}{{ else }}{{ sub 100 $canary }}{{ end }}
{{- end }}

{{/* Timeout and retries of a route. A connection that failed carried nothing, so any method may try
     again, for longer than a restart lasts; an answer that got lost is asked for again with GET only.
     Takes dict "root" $ "get" BOOL. */}}
{{- define "serinus.retries" -}}
{{- with .root.Values.traffic -}}
timeout: {{ .timeout }}
retries:
  attempts: {{ int .retries.attempts }}
  {{- /* Istio refuses conditions of retries that are never made. */}}
  {{- if .retries.attempts }}
  backoff: {{ .retries.backoff }}
  retryOn: connect-failure,refused-stream,reset-before-request{{ if $.get }},reset{{ end }}
  # A hash would lead to the same dead pod again.
  retryIgnorePreviousHosts: true
  {{- end }}
{{- end }}
{{- end }}

{{/* The same route for GET and for all other methods, which differ in their retries.
     Takes dict "root" $ "name" NAME "match" LIST OF MATCHES "route" LIST "headers" DICT. */}}
{{- define "serinus.route" -}}
{{- $get := list }}
{{- range .match | default (list dict) }}
{{- $get = append $get (merge (dict "method" (dict "exact" "GET")) .) }}
{{- end }}
{{- range list (dict "name" (printf "%s-get" .name) "match" $get "get" true) (dict "name" .name "match" .match "get" false) }}
- name: {{ .name }}
  {{- with .match }}
  match:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.headers }}
  headers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  route:
    {{- toYaml $.route | nindent 4 }}
  {{- include "serinus.retries" (dict "root" $.root "get" .get) | nindent 2 }}
{{- end }}
{{- end }}

{{/* Headers set and removed on all that passes the gateway. Takes dict "root" $ "remove" LIST, and
     "set" DICT. */}}
{{- define "serinus.gatewayHeaders" -}}
request:
  remove: {{ toJson .remove }}
  {{- with .set }}
  set: {{ toJson . }}
  {{- end }}
{{ include "serinus.hsts" .root }}
{{- end }}

{{/* What tells browsers to use HTTPS only, as `headers` of a route; nothing without HTTPS. */}}
{{- define "serinus.hsts" -}}
{{- with .Values.gateway.tls }}
{{- if and .enabled .hstsSeconds -}}
response:
  set: {strict-transport-security: max-age={{ int .hstsSeconds }}}
{{- end }}
{{- end }}
{{- end }}
