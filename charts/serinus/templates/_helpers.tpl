{{/* The application's parts: Python module, whom each calls and by which variable, who calls it. */}}
{{- define "serinus.apps" -}}
app-frontend: {module: app_frontend, calls: app-service, url: APP_SERVICE_URL, caller: ""}
app-service: {module: app_service, calls: model-service, url: MODEL_SERVICE_URL, caller: app-frontend}
model-service: {module: model_service, calls: "", url: "", caller: app-service}
{{- end }}

{{/* Both tracks, stable first: of conflicting cookies stable wins. */}}
{{- define "serinus.tracks" -}}
tracks: [stable, canary]
{{- end }}

{{/* The tracks whose Deployments run. */}}
{{- define "serinus.running" -}}
tracks: [stable{{ if .Values.rollout.canary.enabled }}, canary{{ end }}]
{{- end }}

{{/* The tracks that visitors are sent to. */}}
{{- define "serinus.routed" -}}
tracks: [stable{{ if .Values.rollout.canary.routed }}, canary{{ end }}]
{{- end }}

{{/* The canary's weight in percent as the gateway draws it: 0 while it is not routed. */}}
{{- define "serinus.canaryWeight" -}}
{{- if .Values.rollout.canary.routed }}{{ int .Values.rollout.weights.canary }}{{ else }}0{{ end }}
{{- end }}

{{/* A real API server with Istio answers: `lookup` may be trusted. Under `helm template --api-versions`,
     as Argo CD renders, the API is known but `lookup` finds not even an empty list. */}}
{{- define "serinus.onCluster" -}}
{{- if .Capabilities.APIVersions.Has "networking.istio.io/v1" }}
{{- if lookup "networking.istio.io/v1" "VirtualService" .Release.Namespace "" }}true{{ end }}
{{- end }}
{{- end }}

{{/* Name of what lies outside of the release's namespace. A namespace holds no dot, so no other release
     has the same. */}}
{{- define "serinus.outside" -}}
{{ .Release.Namespace }}.{{ .Release.Name }}
{{- end }}

{{/* The same as one part of the name of an Envoy statistic, whose parts a dot ends. */}}
{{- define "serinus.statPrefix" -}}
{{ include "serinus.outside" . | replace "." "__" }}
{{- end }}

{{/* Name of the PersistentVolume of a claim. A claim keeps the one that it was made with: up to chart
     0.1.0 RELEASE-NAMESPACE-CLAIM. Takes dict "root" $ "name" THE CLAIM'S. */}}
{{- define "serinus.volume" -}}
{{- $old := printf "%s-%s-%s" .root.Release.Name .root.Release.Namespace .name }}
{{- $live := dict }}
{{- if include "serinus.onCluster" .root }}
{{- $live = lookup "v1" "PersistentVolumeClaim" .root.Release.Namespace .name | default dict }}
{{- end }}
{{- if eq (dig "spec" "volumeName" "" $live) $old }}{{ $old }}
{{- else }}{{ include "serinus.outside" .root }}-{{ .name }}{{ end }}
{{- end }}

{{/* Labels of every object. Takes dict "root" $ "name" NAME. */}}
{{- define "serinus.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: serinus
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that all pods of this release have, and no other pod, as JSON. */}}
{{- define "serinus.ownPods" -}}
{{- toJson (dict "app.kubernetes.io/part-of" "serinus" "app.kubernetes.io/instance" .Release.Name) }}
{{- end }}

{{/* Labels of pods: no version of chart or application, which would restart pods and which Istio
     would take for the track. Takes dict "root" $ "name" NAME. */}}
{{- define "serinus.podLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/part-of: serinus
sidecar.istio.io/inject: "true"
{{- with .root.Values.pods.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* metadata of an object. Takes dict "root" $ "name" NAME, and "app", "namespace", "labels", which
     win over the chart's own, and "annotations". */}}
{{- define "serinus.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- $own := include "serinus.labels" (dict "root" .root "name" (.app | default "serinus")) | fromYaml }}
  {{- merge (dict) (.labels | default dict) $own | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Tag of a track's image. Takes dict "root" $ "image" IMAGE. */}}
{{- define "serinus.tag" -}}
{{ .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Reference of a track's image. Takes dict "root" $ "image" IMAGE. */}}
{{- define "serinus.image" -}}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.repository }}:{{ include "serinus.tag" . }}{{ include "serinus.digest" .image }}
{{- end }}

{{/* Security context of a pod under the "restricted" profile. Takes a numeric user; 0: the cluster's
     choice, as OpenShift makes one for each namespace. */}}
{{- define "serinus.podSecurity" -}}
runAsNonRoot: true
{{- if int . }}
runAsUser: {{ int . }}
runAsGroup: {{ int . }}
fsGroup: {{ int . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Security context of a container under the "restricted" profile. */}}
{{- define "serinus.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where every pod may run, and how its image is pulled. */}}
{{- define "serinus.scheduling" -}}
{{- $fields := dict }}
{{- $secrets := list }}
{{- range .Values.image.pullSecrets }}{{ $secrets = append $secrets (dict "name" .) }}{{ end }}
{{- with $secrets }}{{ $_ := set $fields "imagePullSecrets" . }}{{ end }}
{{- range $key := list "priorityClassName" "nodeSelector" "tolerations" }}
{{- with index $.Values.pods $key }}{{ $_ := set $fields $key . }}{{ end }}
{{- end }}
{{- with $fields }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* Where the event store lies: postgresql, external or sqlite. */}}
{{- define "serinus.store" -}}
{{- if .Values.store.databaseUrl.existingSecret }}external
{{- else if .Values.store.postgresql.enabled }}postgresql
{{- else }}sqlite{{ end }}
{{- end }}

{{/* An image's digest behind its tag; empty where none is given. Takes IMAGE. */}}
{{- define "serinus.digest" -}}
{{- with .digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Secret and key that hold DATABASE_URL. */}}
{{- define "serinus.databaseUrl" -}}
{{- if eq (include "serinus.store" .) "external" -}}
name: {{ .Values.store.databaseUrl.existingSecret | quote }}
key: {{ .Values.store.databaseUrl.key | quote }}
{{- else -}}
name: {{ .Values.store.postgresql.existingSecret | default "postgresql" | quote }}
key: database-url
{{- end }}
{{- end }}

{{/* Key of the external database's certificate authority, where there is one. */}}
{{- define "serinus.databaseCA" -}}
{{- if eq (include "serinus.store" .) "external" }}{{ .Values.store.databaseUrl.caKey }}{{ end }}
{{- end }}

{{/* Secret with session-key and unit-key. */}}
{{- define "serinus.keys" -}}
{{ .Values.secrets.existingSecret | default "serinus-keys" }}
{{- end }}

{{/* storageClassName of a volume's values, or nothing for the cluster's default. */}}
{{- define "serinus.storageClass" -}}
{{- if .persistentVolume }}
storageClassName: ""
{{- else if eq .storageClassName "-" }}
storageClassName: ""
{{- else if .storageClassName }}
storageClassName: {{ .storageClassName | quote }}
{{- end }}
{{- end }}

{{/* spec of a claim that the chart makes. Takes dict "root" $ "name" NAME "volume" A VOLUME'S VALUES. */}}
{{- define "serinus.claim" -}}
accessModes: [{{ .volume.accessMode }}]
{{- include "serinus.storageClass" .volume }}
{{- if .volume.persistentVolume }}
volumeName: {{ include "serinus.volume" . | quote }}
{{- end }}
resources:
  requests: {storage: {{ .volume.size | quote }}}
{{- end }}

{{/* A secret value, base64: given, kept from the cluster, or generated there.
     Takes dict "root" $ "secret" NAME "key" KEY "given" VALUE "path" PATH "existing" PATH. */}}
{{- define "serinus.secretValue" -}}
{{- $cluster := include "serinus.onCluster" .root }}
{{- $kept := "" }}
{{- if $cluster }}
{{- $kept = dig "data" .key "" (lookup "v1" "Secret" .root.Release.Namespace .secret | default dict) }}
{{- end }}
{{- if .given }}{{ b64enc .given }}
{{- else if $kept }}{{ $kept }}
{{- else if $cluster }}{{ randAlphaNum 48 | b64enc }}
{{- else }}
{{- fail (printf "%s is not set, and no cluster is at hand that would keep a generated one.\nSet it, or name a Secret of yours in %s." .path .existing) }}
{{- end }}
{{- end }}

{{/* Whether the gateway may call an application: the page always, the API by choice. Takes dict
     "root" $ "app" APP. */}}
{{- define "serinus.atGateway" -}}
{{- if or (eq .app "app-frontend") (and (eq .app "app-service") .root.Values.api.expose) }}true{{ end }}
{{- end }}

{{/* A list of texts as a JSON list, each quoted for a regex. */}}
{{- define "serinus.quoted" -}}
{{- $quoted := list }}
{{- range . }}{{ $quoted = append $quoted (regexQuoteMeta .) }}{{ end }}
{{- toJson $quoted }}
{{- end }}

{{/* Hosts that the gateway serves for this release, Grafana's too where it is routed, as a JSON list. */}}
{{- define "serinus.served" -}}
{{- $hosts := include "serinus.hosts" . | fromJsonArray }}
{{- if and .Values.monitoring.enabled .Values.hosts.grafana }}{{ $hosts = append $hosts .Values.hosts.grafana }}{{ end }}
{{- toJson $hosts }}
{{- end }}

{{/* Hosts of the application at the gateway, as a JSON list. */}}
{{- define "serinus.hosts" -}}
{{- $hosts := list .Values.hosts.frontend }}
{{- if .Values.api.expose }}{{ $hosts = append $hosts .Values.hosts.api }}{{ end }}
{{- toJson $hosts }}
{{- end }}

{{/* A duration such as 1500ms or 1m30s as a number of seconds. */}}
{{- define "serinus.seconds" -}}
{{- $units := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 }}
{{- $sum := 0.0 }}
{{- range regexFindAll "[0-9.]+(ms|s|m|h|d)" . -1 }}
{{- $sum = addf $sum (mulf (regexFind "^[0-9.]+" . | float64) (get $units (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* Labels of the ingress gateway's pods, as JSON. A default in values.yaml would stay beside what a
     user sets, since Helm merges mappings. */}}
{{- define "serinus.gatewaySelector" -}}
{{- toJson (.Values.gateway.selector | default (dict "istio" "ingressgateway")) }}
{{- end }}
