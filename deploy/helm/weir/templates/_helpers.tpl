{{- define "weir.selector" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: agent
{{- end -}}

{{/* What config.collect reads; Felix' names of the settings count, too. Empty if it does not. */}}
{{- define "weir.readsProcesses" -}}
{{- $config := .Values.config -}}
{{- if or (contains "process" (toJson $config.collect)) $config.flowLogsCollectProcessInfo $config.flowLogsCollectProcessPath }}true{{ end -}}
{{- end -}}

{{- define "weir.readsSockets" -}}
{{- $config := .Values.config -}}
{{- if or (contains "tcp" (toJson $config.collect)) $config.flowLogsCollectTcpStats (include "weir.readsProcesses" .) }}true{{ end -}}
{{- end -}}

{{/* Whether config.dns-output has a file in the folder of DNS logs. Empty if it does not. */}}
{{- define "weir.writesDNS" -}}
{{- if contains "file:/var/log/calico/dnslogs/" (toJson (index .Values.config "dns-output")) }}true{{ end -}}
{{- end -}}

{{/* Whether config.audit-output has a file in the folder of audit events. Empty if it does not. */}}
{{- define "weir.writesAudit" -}}
{{- if contains "file:/var/log/calico/auditlogs/" (toJson (index .Values.config "audit-output")) }}true{{ end -}}
{{- end -}}
