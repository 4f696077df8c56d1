internal import DevrunKube

/// Containers that stand beside apps and are hardly ever the app.
///
/// The list holds names as their makers' documentation and injectors give them, and the last part of their images' names,
/// because many people name the container differently (`sql` on the image `cloud-sql-proxy`).
enum Sidecars {
  private static let meshes: Set = [
    "appmesh-envoy", "consul-connect-envoy-sidecar", "consul-dataplane", "consul-sidecar", "daprd", "devspaces-proxy",
    "envoy", "envoy-proxy", "envoy-sidecar", "istio-proxy", "kuma-sidecar", "linkerd-debug", "linkerd-proxy",
    "nginx-service-mesh-sidecar", "osm-proxy", "proxyv2", "queue-proxy", "traffic-agent",
  ]
  private static let databases: Set = [
    "alloydb-auth-proxy", "cloud-sql-proxy", "cloud_sql_proxy", "cloudsql-proxy", "cloudsqlproxy", "gce-proxy",
    "pgbouncer", "sql-proxy", "sqlproxy",
  ]
  private static let gatekeepers: Set = [
    "aws-sigv4-proxy", "azwi-proxy", "keycloak-gatekeeper", "kube-mgmt", "kube-rbac-proxy", "nginx-proxy",
    "oauth-proxy",
    "oauth2-proxy", "oauth2_proxy", "opa", "opa-istio", "ose-oauth-proxy", "tls-proxy",
  ]
  private static let tunnels: Set = ["cloudflared", "tailscale", "ts-sidecar"]
  private static let files: Set = [
    "config-reloader", "configmap-reload", "consul-template", "git-sync", "gke-gcsfuse-sidecar", "k8s-sidecar",
    "prometheus-config-reloader", "vault-agent",
  ]
  private static let observers: Set = [
    "aws-otel-collector", "aws-xray-daemon", "cloudwatch-agent", "datadog-agent", "filebeat", "fluent-bit", "fluentbit",
    "fluentd", "jaeger-agent", "jmx-exporter", "mysqld-exporter", "nginx-exporter", "nginx-prometheus-exporter",
    "opentelemetry-collector", "opentelemetry-collector-contrib", "otc-container", "otel-agent", "otel-collector",
    "php-fpm-exporter", "postgres-exporter", "promtail", "redis-exporter", "redis_exporter", "statsd-exporter",
    "telegraf", "vector", "xray-daemon",
  ]
  private static let names = meshes.union(databases).union(gatekeepers).union(tunnels).union(files).union(observers)

  /// Whether a container is a known sidecar, by its own name or by that of its image.
  static func include(_ container: Container) -> Bool {
    names.contains(container.name) || container.image.map { names.contains(repository(of: $0)) } ?? false
  }

  /// `oauth2-proxy` of `quay.io/oauth2-proxy/oauth2-proxy:v7@sha256:...`
  private static func repository(of image: String) -> String {
    let path = image.prefix { $0 != "@" }
    let last = path.split(separator: "/").last ?? path
    return String(last.prefix { $0 != ":" })
  }
}
