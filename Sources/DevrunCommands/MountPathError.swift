internal import DevrunConfig
internal import DevrunCore
internal import DevrunLauncher

/// A file gives a volume a path at which it cannot be shown.
struct MountPathError: UserFacingError {
  /// The volume, with its place in the file.
  var volume: LocalEnvFile.VolumeReference
  /// Why it cannot be shown there.
  var cause: MountError

  /// The cause at its place, with a remedy in the file's own syntax.
  var message: ErrorMessage {
    var message = cause.message
    message.what = "\(volume.pathPosition ?? volume.position): \(message.what)"
    // Only KubernetesLocalProcessConfig.yaml has a place for the path alone.
    guard volume.pathPosition != nil, case .hides(_, let reason) = cause else { return message }
    message.remedy =
      "Give the volume another localPath, or remove its localPath and hand the path that "
      + "`$(volumeMounts:\(volume.pattern))` stands for to the program."
      + (reason.mayBeForced ? " Or insist with `--force-volumes`." : "")
    return message
  }

  /// The exit status of the cause.
  var exitStatus: ExitStatus { cause.exitStatus }
}
