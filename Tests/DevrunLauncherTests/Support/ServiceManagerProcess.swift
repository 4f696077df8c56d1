import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import TestSupport
import Testing

@testable import DevrunLauncher

/// A process that signals others as systemd does, and stays as it does.
struct ServiceManagerProcess {
  /// The process. It prints `sent` when all have been signalled.
  let process: TestProcess

  /// Starts it.
  ///
  /// - Parameters:
  ///   - signals: what each process gets, with a SIGCONT.
  ///   - processes: whom it signals, in this order. Each but the last is given the time to take its signal first.
  ///   - name: its name; another one for a process that is no service manager.
  ///   - ending: a process whose end is awaited when it has its signal.
  init(signals: [Int32], to processes: [pid_t], named name: String = "systemd", awaitingEndOf ending: pid_t? = nil)
    throws
  {
    process = try TestProcess(
      [
        "python3", "-uc",
        """
        import os, signal, sys
        open('/proc/self/comm', 'w').write(sys.argv[1])
        signals = [int(n) for n in sys.argv[2].split(',')]
        ending, processes = int(sys.argv[3]), [int(n) for n in sys.argv[4:]]
        def pends(process, number):
          try: lines = open('/proc/%d/status' % process).read().split('\\n')
          except OSError: return False
          if any(line[:8] in ('State:\\tZ', 'State:\\tX') for line in lines): return False
          return any(int(line.split()[1], 16) & 1 << number - 1 for line in lines if line[:7] in ('SigPnd:', 'ShdPnd:'))
        for number in signals:
          for process in processes:
            try:
              for one in number, signal.SIGCONT: os.kill(process, one)
            except ProcessLookupError: continue
            while process != processes[-1] and pends(process, number): pass
            while process == ending and os.path.exists('/proc/%d' % process): pass
        print('sent')
        sys.stdin.read()
        """,
        name, signals.map(String.init).joined(separator: ","), "\(ending ?? 0)",
      ] + processes.map(String.init))
  }

  /// Ends it.
  func end() async throws {
    process.closeInput()
    #expect(try await process.status() == .exited(0))
  }
}

extension Witness {
  /// The witnesses of a front: its children but for the keeper. The last one is found by words of the command.
  static func processes(of front: pid_t, besides keeper: pid_t) throws -> [pid_t] {
    let list = try Descriptor.open(RawString("/proc/\(front)/task/\(front)/children"), O_RDONLY)
    let children = String(decoding: try list.readToEnd(), as: UTF8.self).split(separator: " ")
    let witnesses = children.compactMap { pid_t($0) }.filter { $0 != keeper }
    try #require(witnesses.count == 2)
    return witnesses
  }
}
