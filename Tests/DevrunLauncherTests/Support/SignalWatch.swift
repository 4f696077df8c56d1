/// Python's own handlers run between two of its instructions: of a signal that comes just before the program waits in a
/// call they tell only when that call returns. What the test programs tell of signals must not wait for that.
enum SignalWatch {
  /// Defines `on_signals(numbers, act)`: `act(number)` is called for each signal as it comes, by a thread of its own.
  static let python = """
    import os, signal, sys, threading
    def on_signals(numbers, act):
      reading, writing = os.pipe()
      os.set_blocking(writing, False)
      signal.set_wakeup_fd(writing)
      for number in numbers: signal.signal(number, lambda number, frame: None)
      def watch():
        while True:
          for number in os.read(reading, 512): act(number)
      threading.Thread(target=watch, daemon=True).start()

    """
}
