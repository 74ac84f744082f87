{{/* First part of all names: the release's own when it already says trainyard. */}}
{{- define "trainyard.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that a Deployment selects by. Call with (dict "root" $ "component" "operator"). */}}
{{- define "trainyard.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* All labels of an object; same call. */}}
{{- define "trainyard.labels" -}}
{{ include "trainyard.selector" . }}
app.kubernetes.io/part-of: trainyard
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* An image's full name. Call with (dict "root" $ "image" .Values.image.operator). */}}
{{- define "trainyard.image" -}}
{{- $tag := .image.tag | default (ternary "" .root.Chart.AppVersion (ne .image.digest "")) -}}
{{- .image.repository -}}
{{- with $tag }}:{{ . }}{{ end -}}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* All names of a Service, from the shortest on. Call with (dict "root" $ "name" "..."). */}}
{{- define "trainyard.hosts" -}}
{{- $in := printf "%s.%s" .name .root.Release.Namespace -}}
{{- printf "%s,%s,%s.svc,%s.svc.%s" .name $in $in $in .root.Values.clusterDomain -}}
{{- end -}}

{{- define "trainyard.trackingUri" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "trainyard.fullname" . }}-mlflow.{{ .Release.Namespace }}.svc:5000
{{- else -}}
{{ .Values.mlflow.trackingUri }}
{{- end -}}
{{- end -}}

{{- define "trainyard.caConfigMap" -}}
{{ include "trainyard.fullname" . }}-coordinator-ca
{{- end -}}

{{/* Pod Security `restricted`, and more: uid 10001 owns what the images and volumes hold. */}}
{{- define "trainyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "trainyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What places a pod. Call with one component's values. */}}
{{- define "trainyard.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "trainyard.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A component's volume: its claim, or space that lives as long as the pod. */}}
{{- define "trainyard.storage" -}}
{{- if .persistence.enabled -}}
persistentVolumeClaim: {claimName: {{ .persistence.existingClaim | default .name }}}
{{- else -}}
emptyDir: {}
{{- end -}}
{{- end -}}

{{/* A component's claim. Call with (dict "root" $ "component" "mlflow" "persistence" .Values.mlflow.persistence). */}}
{{- define "trainyard.claim" -}}
{{- if and .persistence.enabled (not .persistence.existingClaim) -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "trainyard.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "trainyard.labels" . | nindent 4 }}
  {{- if .persistence.keep }}
  annotations: {helm.sh/resource-policy: keep}
  {{- end }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources: {requests: {storage: {{ .persistence.size }}}}
{{- end -}}
{{- end -}}

{{/* Rights of a component: a Role in each watched namespace, or one ClusterRole. */}}
{{- define "trainyard.rbac" -}}
{{- $name := printf "%s-%s" (include "trainyard.fullname" .root) .component -}}
{{- $subjects := list (dict "kind" "ServiceAccount" "name" $name "namespace" .root.Release.Namespace) -}}
{{- $prefix := ternary "" "Cluster" (not (empty .root.Values.watchNamespaces)) -}}
{{- range .root.Values.watchNamespaces | default (list "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}Role
metadata:
  name: {{ $name }}
  {{- with . }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "trainyard.labels" $ | nindent 4 }}
rules: {{- $.rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}RoleBinding
metadata:
  name: {{ $name }}
  {{- with . }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "trainyard.labels" $ | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ $prefix }}Role, name: {{ $name }}}
subjects: {{- toYaml $subjects | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Rights of a component in the release's namespace: `rules` under the name `purpose`. */}}
{{- define "trainyard.ownRole" -}}
{{- $name := printf "%s-%s-%s" (include "trainyard.fullname" .root) .component .purpose -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "trainyard.labels" . | nindent 4 }}
rules: {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "trainyard.labels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}}
subjects:
  - kind: ServiceAccount
    name: {{ include "trainyard.fullname" .root }}-{{ .component }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}

{{/* Rights on the one ConfigMap with the CA. */}}
{{- define "trainyard.caRules" -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "trainyard.caConfigMap" .root }}]
  verbs: [{{ .verbs }}]
{{- end -}}

{{/* What contradicts itself ends here, before anything is installed. */}}
{{- define "trainyard.check" -}}
{{- $mlflow := .Values.mlflow -}}
{{- if and $mlflow.enabled $mlflow.trackingUri -}}
{{- fail (printf "mlflow.trackingUri is %q, but mlflow.enabled would run a second MLflow here: set mlflow.enabled=false to use the former, or clear mlflow.trackingUri to use the latter" $mlflow.trackingUri) -}}
{{- end -}}
{{- if not (or $mlflow.enabled $mlflow.trackingUri) -}}
{{- fail "there is no MLflow to track runs in: set mlflow.trackingUri to the address of yours, or mlflow.enabled=true to run one here" -}}
{{- end -}}
{{- end -}}
