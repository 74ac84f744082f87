{{/* Trainer pods, in the watched namespaces or in all. */}}
{{- define "trainyard.trainerPeer" -}}
- podSelector:
    matchLabels: {app.kubernetes.io/managed-by: trainyard}
  {{- if .Values.watchNamespaces }}
  namespaceSelector:
    matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: [{{ join ", " .Values.watchNamespaces }}]}
  {{- else }}
  namespaceSelector: {}
  {{- end }}
{{- end -}}
