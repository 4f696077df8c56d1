/// `KubernetesLocalProcessConfig.yaml`, the configuration of Bridge to Kubernetes
/// (https://learn.microsoft.com/visualstudio/bridge/configure-bridge-to-kubernetes), read as what it means here.
///
///     version: 0.1
///     volumeMounts:
///       - name: default-token-*
///         localPath: /var/run/secrets/kubernetes.io/serviceaccount
///     env:
///       - name: KUBERNETES_IN_CLUSTER_CONFIG_OVERRIDE
///         value: $(volumeMounts:default-token-*)
///       - name: MYAPP2_SERVICE_HOST
///         value: $(services:myapp2.mynamespace)
///       - name: DB_HOST
///         value: $(externalendpoints:db.example.com:1433)
///
/// - `$(volumeMounts:NAME)`: the volume; its text is the `localPath` of the entry of that name, else a path of
///   devrun's. A volume with a `localPath` is seen there even where no variable names it. The path is absolute or
///   relative to the file.
/// - `$(services:NAME)`, `$(services:NAME.NAMESPACE)`, either with `:PORT,PORT` behind: a service's local address. The
///   ports are ignored, because every port of a service is reachable. Blanks may separate them as well.
/// - `$(externalendpoints:HOST:PORT,PORT)`: the text is HOST, which is reached from the pod's place in the network, on
///   all its ports. HOST is a name or an IPv4 address. `localhost` and loopback addresses are the localhost of the target's
///   pods, whose named ports are reached at the same ports of this machine's localhost.
/// - The words before the first colon may be written in any letter case. `$$(` is `$(`; any other `$` is itself.
///
/// `enableFeatures`, paths of Windows and versions other than 0.1 are not supported. Each is refused with a remedy.
public enum KubernetesLocalProcessConfig {
  /// The file's name.
  public static let fileName = "KubernetesLocalProcessConfig.yaml"

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - bytes: the text.
  ///   - source: the file's name, for messages.
  ///   - folder: the absolute path of the file's folder, for the paths relative to it; by default that of `source`.
  /// - Throws: `LocalEnvError` with all mistakes of the text; with one where it is no YAML.
  public static func parse(
    _ bytes: [UInt8], source: String, in folder: String? = nil
  ) throws(LocalEnvError) -> LocalEnvFile {
    try ProcessConfigReader.read(bytes, source: source, folder: folder ?? ConfigPath.folder(of: source))
  }
}
