{{- define "opentracker.selector" -}}
app.kubernetes.io/name: opentracker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "opentracker.labels" -}}
{{ include "opentracker.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "opentracker.files" -}}
kubernetes.toml: |
  {{- tpl (.Files.Get "kubernetes.toml") . | nindent 2 }}
{{- if .Values.cluster.secret }}
cluster.toml: |
  {{- tpl (.Files.Get "cluster.toml") . | nindent 2 }}
{{- end }}
opentracker.toml: {{ .Values.config | toJson }}
{{- end }}
