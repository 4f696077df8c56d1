import DevrunCore
import DevrunSystem
import Minicluster
import Testing

@Suite("Machines that allow no node")
struct NodePlaceTests {
  private func message(_ error: Errno, byUser: Bool = true, _ change: (inout NamespaceSettings) -> Void) -> String {
    var settings = NamespaceSettings()
    change(&settings)
    return PlaceError.refused(PlaceError.Refusal(error: error, byUser: byUser, settings: settings)).description
  }

  @Test func `The error names the setting that refuses user namespaces`() {
    #expect(message(.notPermitted) { $0.unprivilegedUserNamespaces = 0 }.contains("kernel.unprivileged_userns_clone=1"))
    #expect(message(.noSpace) { $0.mostUserNamespaces = 0 }.contains("user.max_user_namespaces is 0"))
    #expect(
      message(.accessDenied) { $0.appArmorRestriction = 1 }
        .contains("sysctl kernel.apparmor_restrict_unprivileged_userns=0"))
    #expect(message(.notPermitted) { $0.isFiltered = true }.contains("seccomp=unconfined"))
    #expect(message(.notPermitted) { $0.hidesProcesses = true }.contains("systempaths=unconfined"))
  }

  @Test func `The error has the kernel's words and a way out, whatever the cause`() {
    let message = message(.notPermitted) { _ in }
    #expect(message.contains("Operation not permitted"))
    #expect(message.contains("Run this as root"))
  }

  @Test func `Root gets no advice that is for users alone`() {
    let message = message(.notPermitted, byUser: false) { $0.unprivilegedUserNamespaces = 0 }
    #expect(!message.contains("unprivileged_userns_clone"))
    #expect(!message.contains("as root"))
  }
}
