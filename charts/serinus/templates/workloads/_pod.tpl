{{/* Annotations of the application's pods: how the sidecar starts and stops. */}}
{{- define "serinus.podAnnotations" -}}
{{- $proxy := dict "holdApplicationUntilProxyStarts" true "terminationDrainDuration" (printf "%ds" (int .Values.pods.shutdownSeconds)) }}
{{- if eq .Values.monitoring.meshMetrics "envoy" }}
{{- $_ := set $proxy "proxyStatsMatcher" (dict "inclusionRegexps" (list "cluster\\.outbound.*\\.upstream_rq_.*")) }}
{{- end }}
{{- /* A list would replace the chart's, which alerts and dashboards need. */}}
{{- $given := deepCopy .Values.pods.proxyConfig }}
{{- with dig "proxyStatsMatcher" "inclusionRegexps" list $given }}
{{- $_ := set $given.proxyStatsMatcher "inclusionRegexps" (concat (dig "proxyStatsMatcher" "inclusionRegexps" list $proxy) . | uniq) }}
{{- end -}}
kubectl.kubernetes.io/default-container: app
proxy.istio.io/config: {{ mergeOverwrite $proxy $given | toJson | quote }}
{{- with .Values.pods.annotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Number of pods of a Deployment with an autoscaler; nothing where no cluster tells one, or where the
     number is the autoscaler's already. Until then Helm must send the one that runs: a field that it
     sent once and then leaves out is set to 1, which would end all pods but one.
     Takes dict "root" $ "name" NAME "first" NUMBER TO BEGIN WITH. */}}
{{- define "serinus.scaledTo" -}}
{{- if include "serinus.onCluster" .root }}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace .name }}
{{- if not $live }}
{{- int .first }}
{{- else if not (include "serinus.autoscalers" (dict "root" .root "live" $live)) }}
{{- dig "spec" "replicas" 1 $live }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether a live Deployment keeps its number of pods when Helm sends none: an autoscaler has written
     it, and Helm applies server-side. Client-side, as Helm 3 always does, it goes by the former
     revision, whoever wrote the field since. Takes dict "root" $ "live" OBJECT. */}}
{{- define "serinus.autoscalers" -}}
{{- $scaled := "" }}
{{- $applied := "" }}
{{- range .live.metadata.managedFields | default list }}
{{- $spec := dig "fieldsV1" "f:spec" dict . }}
{{- if and (eq (get . "subresource") "scale") (hasKey $spec "f:replicas") }}{{ $scaled = "true" }}{{ end }}
{{- /* Whoever made the object has its selector. */}}
{{- if and (eq .operation "Apply") (hasKey $spec "f:selector") }}{{ $applied = "true" }}{{ end }}
{{- end }}
{{- if and $scaled $applied (not (hasPrefix "v3." .root.Capabilities.HelmVersion.Version)) }}true{{ end }}
{{- end }}

{{/* The key that an application reads at its start, where a value gives it: another one restarts all
     pods together. A generated one never changes. Takes dict "root" $ "app" APP. */}}
{{- define "serinus.givenKey" -}}
{{- with .root.Values.secrets }}
{{- if not .existingSecret }}{{ get (dict "app-frontend" .sessionKey "app-service" .unitKey) $.app }}{{ end }}
{{- end }}
{{- end }}

{{/* Environment of one container. Takes dict "root" $ "app" APP "part" PART "workload" WORKLOAD
     "name" TRACK "track" TRACK'S VALUES. */}}
{{- define "serinus.env" -}}
{{- $values := .root.Values -}}
- {name: SERINUS_APP, value: {{ .app }}}
- {name: SERINUS_TRACK, value: {{ .name }}}
- {name: SERINUS_VERSION, value: {{ include "serinus.tag" (dict "root" .root "image" .track.image) | quote }}}
- name: SERINUS_HOST
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- {name: SERINUS_HTTP_PORT, value: "8080"}
- {name: SERINUS_METRICS_PORT, value: "9090"}
- {name: SERINUS_LOG_LEVEL, value: {{ $values.pods.logLevel }}}
- {name: SERINUS_SHUTDOWN_SECONDS, value: {{ int $values.pods.shutdownSeconds | quote }}}
{{- with .part.calls }}
- {name: {{ $.part.url }}, value: "http://{{ . }}"}
{{- end }}
{{- if eq .app "app-frontend" }}
- name: SESSION_KEY
  valueFrom: {secretKeyRef: {name: {{ include "serinus.keys" .root | quote }}, key: session-key}}
{{- end }}
{{- if eq .app "app-service" }}
- name: UNIT_KEY
  valueFrom: {secretKeyRef: {name: {{ include "serinus.keys" .root | quote }}, key: unit-key}}
{{- if eq (include "serinus.store" .root) "sqlite" }}
- {name: SERINUS_DATA_DIR, value: /data}
{{- else }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      {{- include "serinus.databaseUrl" .root | nindent 6 }}
{{- if include "serinus.databaseCA" .root }}
- {name: PGSSLROOTCERT, value: /database/ca.crt}
{{- end }}
{{- end }}
{{- end }}
{{- if eq .app "model-service" }}
- {name: MODEL_NAME, value: {{ .track.model.name | quote }}}
- {name: MODEL_VERSION, value: {{ .track.model.version | quote }}}
- {name: MODEL_REGISTRY, value: {{ $values.model.registry | quote }}}
- {name: MODEL_CACHE, value: /cache}
{{- end }}
{{- /* Here and not in a ConfigMap: pods of an earlier revision that start again keep theirs. */}}
{{- $env := deepCopy .workload.env }}
{{- range $key, $value := .track.env }}{{ $_ := set $env $key $value }}{{ end }}
{{- range $key, $value := $env }}
- {name: {{ $key | quote }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* Mounts of an application's own volumes. Takes dict "root" $ "app" APP. */}}
{{- define "serinus.mounts" -}}
{{- if and (eq .app "app-service") (eq (include "serinus.store" .root) "sqlite") }}
- {name: event-store, mountPath: /data}
{{- end }}
{{- if and (eq .app "app-service") (include "serinus.databaseCA" .root) }}
- {name: database-ca, mountPath: /database, readOnly: true}
{{- end }}
{{- if eq .app "model-service" }}
- {name: model-cache, mountPath: /cache}
{{- if .root.Values.model.registryClaim }}
- {name: model-registry, mountPath: /registry, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{/* An application's own volumes. Takes dict "root" $ "app" APP. */}}
{{- define "serinus.volumes" -}}
{{- if and (eq .app "app-service") (eq (include "serinus.store" .root) "sqlite") }}
- name: event-store
  persistentVolumeClaim: {claimName: {{ .root.Values.store.sqlite.existingClaim | default "event-store" | quote }}}
{{- end }}
{{- if and (eq .app "app-service") (include "serinus.databaseCA" .root) }}
- name: database-ca
  secret:
    secretName: {{ .root.Values.store.databaseUrl.existingSecret | quote }}
    items: [{key: {{ .root.Values.store.databaseUrl.caKey | quote }}, path: ca.crt}]
{{- end }}
{{- if eq .app "model-service" }}
{{- with .root.Values.model.cache }}
- name: model-cache
  {{- if eq .type "claim" }}
  persistentVolumeClaim: {claimName: {{ .existingClaim | default "model-cache" | quote }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ .size | quote }}}
  {{- end }}
{{- end }}
{{- with .root.Values.model.registryClaim }}
- name: model-registry
  persistentVolumeClaim: {claimName: {{ . | quote }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
