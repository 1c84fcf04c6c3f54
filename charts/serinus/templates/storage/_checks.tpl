{{/* What can't change about what keeps data; only an API server can tell. Called by
     serinus.clusterChecks; messages as in checks.yaml. */}}

{{/* The bundled PostgreSQL, once it runs. */}}
{{- define "serinus.postgresqlChecks" -}}
{{- $values := .Values.store.postgresql }}
{{- $namespace := .Release.Namespace }}
{{- if not $values.existingSecret }}
{{- $kept := dig "data" "password" "" (lookup "v1" "Secret" $namespace "postgresql" | default dict) | b64dec }}
{{- if and $kept $values.password (ne $kept $values.password) }}
{{- fail "store.postgresql.password: the database was made with another one, the one in Secret postgresql.\nLeave it out: that one is kept. To change it, ALTER ROLE serinus in the database and write both keys of the Secret anew." }}
{{- end }}
{{- if and (not $kept) (not $values.password) (not $values.existingClaim) (lookup "v1" "PersistentVolumeClaim" $namespace "data-postgresql-0") }}
{{- fail "store.postgresql.password: claim data-postgresql-0 holds a database, and Secret postgresql with its password is gone.\nSet that password, restore the Secret, or delete the claim to begin with an empty database." }}
{{- end }}
{{- end }}
{{- with lookup "apps/v1" "StatefulSet" $namespace "postgresql" }}
{{- $anew := "A StatefulSet keeps its claim's template. Set it back, or `kubectl delete statefulset postgresql --cascade=orphan` first: pod and data stay" }}
{{- $claims := .spec.volumeClaimTemplates | default list }}
{{- if ne (empty $claims) (not (empty $values.existingClaim)) }}
{{- fail (printf "store.postgresql.existingClaim: the database that runs has %s.\n%s, and the next upgrade starts it on %s." (ternary "a claim of yours" "data-postgresql-0" (empty $claims)) $anew ($values.existingClaim | default "data-postgresql-0")) }}
{{- end }}
{{- range $claims }}
{{- if ne (include "serinus.bytes" .spec.resources.requests.storage) (include "serinus.bytes" $values.size) }}
{{- fail (printf "store.postgresql.size: the database's claim was made with %s, not %s.\n%s. The claim itself grows by `kubectl patch pvc data-postgresql-0`." .spec.resources.requests.storage $values.size $anew) }}
{{- end }}
{{- $wanted := include "serinus.storageClass" (dict "persistentVolume" dict "storageClassName" $values.storageClassName) | fromYaml }}
{{- if ne (toJson (pick .spec "storageClassName")) (toJson $wanted) }}
{{- fail (printf "store.postgresql.storageClassName: the database's claim was made with %s.\n%s. To move the data, make a claim of the new class, copy it, and name it in store.postgresql.existingClaim." (dig "storageClassName" "the cluster's default class" .spec | quote) $anew) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The model cache's claim, once it is made. */}}
{{- define "serinus.claimChecks" -}}
{{- $wanted := include "serinus.claim" (dict "root" . "name" "model-cache" "volume" .Values.model.cache) | fromYaml }}
{{- $remedy := "Set it back, or make a claim of your own and name it in model.cache.existingClaim." }}
{{- with lookup "v1" "PersistentVolumeClaim" .Release.Namespace "model-cache" }}
{{- $live := .spec }}
{{- /* What its maker wrote; the rest, such as a default class, the cluster filled in. */}}
{{- $written := dict }}
{{- range .metadata.managedFields | default list }}
{{- $fields := dig "fieldsV1" "f:spec" dict . }}
{{- if hasKey $fields "f:accessModes" }}{{ $written = $fields }}{{ end }}
{{- end }}
{{- range $field, $path := dict "accessModes" "accessMode" "storageClassName" "storageClassName" "volumeName" "persistentVolume" }}
{{- $changed := hasKey $written (printf "f:%s" $field) }}
{{- if hasKey $wanted $field }}
{{- $changed = and (hasKey $live $field) (ne (toJson (get $live $field)) (toJson (get $wanted $field))) }}
{{- end }}
{{- if $changed }}
{{- fail (printf "model.cache.%s: claim model-cache was made with %s %s, and a claim keeps it.\n%s" $path $field (toJson (get $live $field)) $remedy) }}
{{- end }}
{{- end }}
{{- $size := dig "resources" "requests" "storage" "0" $live }}
{{- if gt (include "serinus.bytes" $size | float64) (include "serinus.bytes" $wanted.resources.requests.storage | float64) }}
{{- fail (printf "model.cache.size: claim model-cache has %s, and a claim only grows.\n%s" $size $remedy) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Connections that the bundled PostgreSQL takes. */}}
{{- define "serinus.maxConnections" -}}
200
{{- end }}

{{/* A quantity such as 2Gi as a number of bytes, since an API server writes 2048Mi as 2Gi. */}}
{{- define "serinus.bytes" -}}
{{- $units := dict "m" 1e-3 "" 1 "k" 1e3 "K" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976 }}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $units (regexFind "[a-zA-Z]*$" .) | float64) }}
{{- end }}
