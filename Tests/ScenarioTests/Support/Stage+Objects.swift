import DevrunCore
@testable import DevrunKube
import NIOHTTP1

/// What is on the stage: an app of which a session takes the traffic, a service that it calls, and a client that asks
/// the app all the time.
extension Stage {
  /// What the app in the cluster answers.
  static let clusterAnswer = "the app in the cluster"
  /// What the app on this machine answers.
  static let localAnswer = "the app on this machine"

  /// Makes the namespace and its objects, and waits until they work.
  func raise() async throws {
    if isOwn {
      try await create(
        ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]], .namespaces)
    }
    let files = ["app": Self.clusterAnswer, "peer": "the peer"]
    for (name, text) in files {
      try await create(object("v1", "ConfigMap", "\(name)-page", ["data": ["index.html": .string(text + "\n")]]))
      try await create(service(name, ports: [["name": "http", "port": 80, "targetPort": "http"]]))
    }
    try await create(
      object("v1", "Secret", "app-secret", ["type": "Opaque", "stringData": ["password": "correct horse"]]))
    try await create(object("v1", "ConfigMap", "whitelist", ["data": ["whitelist": "10.0.0.1\n10.0.0.2\n"]]))
    try await create(service("pods", ports: [["name": "http", "port": 8080]], headless: true))
    for deployment in [app(), peer(), asker()] { try await create(deployment) }
    try await settled()
  }

  /// Removes what the scenario has made, and waits until it is gone.
  func strike() async throws {
    let made: [ResourcePath] =
      ["app", "peer", "asker"].map { .deployments(in: namespace).named($0) }
      + ["app", "peer", "pods"].map { .services(in: namespace).named($0) }
      + ["app-page", "peer-page", "whitelist"].map { .configMaps(in: namespace).named($0) }
      + [ResourcePath(version: "v1", resource: "secrets", namespace: namespace, name: "app-secret")]
    for path in isOwn ? [] : made { try await remove(path) }
    for pod in try await client.list(.pods(in: namespace)).items {
      try await remove(.pods(in: namespace).named(pod.name), gracePeriodSeconds: 0)
    }
    guard isOwn else {
      return try await until { [client, namespace] in
        let pods = try await client.list(.pods(in: namespace)).items
        return pods.isEmpty ? nil : "there are the pods \(pods.map(\.name))"
      }
    }
    let path = ResourcePath.namespaces.named(namespace)
    try await remove(path)
    for try await event in client.watch(object: path) {
      switch event {
      case .snapshot(let namespaces) where namespaces.isEmpty: return
      case .deleted: return
      default: continue
      }
    }
  }

  private func remove(_ path: ResourcePath, gracePeriodSeconds: Int? = nil) async throws {
    do {
      try await client.delete(path, gracePeriodSeconds: gracePeriodSeconds)
    } catch let error as KubeError where error.isNotFound {
      // A scenario that failed early has not made it.
      return
    }
  }

  private func app() -> JSONValue {
    deployment(
      "app", command: serving(port: 8080),
      [
        "ports": [["name": "http", "containerPort": 8080]],
        "readinessProbe": ["httpGet": ["path": "/", "port": "http"], "periodSeconds": 1, "timeoutSeconds": 5],
        // A pod serves until the last client has heard that it goes.
        "lifecycle": ["preStop": ["exec": ["command": ["sleep", "2"]]]],
        "env": [
          ["name": "COLOUR", "value": "green"],
          ["name": "PASSWORD", "valueFrom": ["secretKeyRef": ["name": "app-secret", "key": "password"]]],
          ["name": "POD_NAME", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
        ],
        "volumeMounts": [
          ["name": "page", "mountPath": "/srv/page"], ["name": "secret", "mountPath": "/srv/secret", "readOnly": true],
          ["name": "whitelist", "mountPath": "/srv/whitelist"],
        ],
      ],
      volumes: [
        ["name": "page", "configMap": ["name": "app-page"]],
        ["name": "secret", "secret": ["secretName": "app-secret"]],
        ["name": "whitelist", "configMap": ["name": "whitelist"]],
      ])
  }

  private func peer() -> JSONValue {
    deployment(
      "peer", command: serving(port: 8080),
      [
        "ports": [["name": "http", "containerPort": 8080]],
        "readinessProbe": ["tcpSocket": ["port": "http"], "periodSeconds": 1, "timeoutSeconds": 5],
        "volumeMounts": [["name": "page", "mountPath": "/srv/page"]],
      ], volumes: [["name": "page", "configMap": ["name": "peer-page"]]], hostname: "peer-0", subdomain: "pods")
  }

  /// Asks the app, and logs what it gets. It is ready once it has got something. An answer that takes longer than the 10 s
  /// for which an agent keeps a connection counts as none.
  private func asker() -> JSONValue {
    let script = """
      trap 'exit 0' TERM
      while :; do
        { printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox timeout 15 busybox nc -w 3 app 80 >/tmp/answer; } 2>/dev/null
        answer=$(busybox tail -n 1 /tmp/answer)
        [ -z "$answer" ] || : >/tmp/answered
        echo "${answer:-no answer}"
        busybox sleep 0.1
      done
      """
    return deployment(
      "asker", command: ["sh", "-c", .string(script)],
      ["readinessProbe": ["exec": ["command": ["cat", "/tmp/answered"]], "periodSeconds": 1, "timeoutSeconds": 5]],
      volumes: [])
  }

  private func serving(port: Int) -> JSONValue {
    ["sh", "-c", .string("trap 'exit 0' TERM; busybox httpd -f -p \(port) -h /srv/page & wait")]
  }

  private func deployment(
    _ name: String, command: JSONValue, _ parts: JSONValue, volumes: JSONValue, hostname: String? = nil,
    subdomain: String? = nil
  ) -> JSONValue {
    var container = parts
    container["name"] = .string(name)
    container["image"] = .string(Settings.image)
    container["imagePullPolicy"] = "IfNotPresent"
    container["command"] = command
    var pod: JSONValue = ["terminationGracePeriodSeconds": 5, "containers": [container], "volumes": volumes]
    if let hostname { pod["hostname"] = .string(hostname) }
    if let subdomain { pod["subdomain"] = .string(subdomain) }
    let labels: JSONValue = ["app": .string(name)]
    return object(
      "apps/v1", "Deployment", name,
      [
        "spec": [
          "replicas": 1, "selector": ["matchLabels": labels],
          "template": ["metadata": ["labels": labels], "spec": pod],
        ]
      ])
  }

  private func service(_ name: String, ports: JSONValue, headless: Bool = false) -> JSONValue {
    var spec: JSONValue = ["selector": ["app": .string(headless ? "peer" : name)], "ports": ports]
    if headless { spec["clusterIP"] = "None" }
    return object("v1", "Service", name, ["spec": spec])
  }

  private func object(_ version: String, _ kind: String, _ name: String, _ parts: JSONValue) -> JSONValue {
    var object = parts
    object["apiVersion"] = .string(version)
    object["kind"] = .string(kind)
    object["metadata"] = ["name": .string(name), "namespace": .string(namespace)]
    return object
  }

  private func create(_ object: JSONValue, _ path: ResourcePath? = nil) async throws {
    let path = path ?? collection(of: object["kind"]?.string ?? "")
    var request = APIRequest(.POST, "create", path, query: Colleague.query, body: object)
    request.path = path.urlPath
    _ = try await client.send(request)
  }

  private func collection(of kind: String) -> ResourcePath {
    switch kind {
    case "Deployment": .deployments(in: namespace)
    case "Service": .services(in: namespace)
    case "ConfigMap": .configMaps(in: namespace)
    default: ResourcePath(version: "v1", resource: "\(kind.lowercased())s", namespace: namespace)
    }
  }
}
